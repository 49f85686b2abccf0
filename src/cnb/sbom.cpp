#include "cnb/sbom.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cnb/buildpack.hpp"
#include "cnb/go_json.hpp"

namespace cib::cnb {
namespace {

constexpr SbomFormat all_formats[] = {SbomFormat::cyclonedx, SbomFormat::spdx, SbomFormat::syft};

std::string_view base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

std::optional<SbomFormat> format_of(std::string_view sbom_json) {
  for (const SbomFormat format : all_formats)
    if (sbom_json == fmt::format("sbom.{}.json", extension(format))) return format;
  return std::nullopt;
}

}  // namespace

std::string_view media_type(SbomFormat format) {
  switch (format) {
    case SbomFormat::cyclonedx: return "application/vnd.cyclonedx+json";
    case SbomFormat::spdx: return "application/spdx+json";
    case SbomFormat::syft: return "application/vnd.syft+json";
  }
  return "";
}

std::string_view extension(SbomFormat format) {
  switch (format) {
    case SbomFormat::cyclonedx: return "cdx";
    case SbomFormat::spdx: return "spdx";
    case SbomFormat::syft: return "syft";
  }
  return "";
}

bool is_sbom_name(std::string_view file_name) {
  if (!file_name.ends_with(".json")) return false;
  // The stars of *.sbom.*.json may be empty, but not share their dots.
  return file_name.substr(0, file_name.size() - 5).find(".sbom.") != file_name.npos;
}

SbomFile read_sbom_name(std::string_view file, std::string_view buildpack, const std::vector<std::string>& declared) {
  const auto invalid = [&](std::string_view reason) {
    return Error(ExitCode::build,
                 fmt::format("validating SBOM file '{}' for buildpack: '{}': {}", file, buildpack, reason));
  };
  const std::string_view name = base_name(file);
  const std::size_t dot = name.find('.');
  const std::size_t mark = name.rfind(".sbom.");
  SbomFile sbom;
  sbom.layer = name.substr(0, dot);
  const std::optional<SbomFormat> format = mark == name.npos ? std::nullopt : format_of(name.substr(mark + 1));
  if (!format)
    throw invalid("unsupported SBOM format").next("SBOM files end in .sbom.cdx.json, .sbom.spdx.json or .sbom.syft.json");
  sbom.format = *format;
  const std::string_view type = media_type(*format);
  const bool is_declared = std::ranges::any_of(declared, [&](const std::string& entry) {
    const std::size_t end = entry.find_first_of("; ");  // parameters, a version perhaps, say nothing about the name
    return std::string_view(entry).substr(0, end) == type;
  });
  if (!is_declared)
    throw invalid(fmt::format("undeclared SBOM media type: '{}'", type))
        .why("the buildpack does not list it under sbom-formats in its buildpack.toml");
  if (sbom.layer == "launch") sbom.of = SbomFile::Of::launch;
  if (sbom.layer == "build") sbom.of = SbomFile::Of::build;
  return sbom;
}

std::vector<std::string> sbom_destinations(const SbomFile& file, std::string_view buildpack_id, const SbomLayer& layer) {
  const std::string folder = escaped_id(buildpack_id);
  const std::string name = fmt::format("sbom.{}.json", extension(file.format));
  if (file.of == SbomFile::Of::launch) return {fmt::format("launch/{}/{}", folder, name)};
  if (file.of == SbomFile::Of::build) return {fmt::format("build/{}/{}", folder, name)};
  if (!layer.has_toml) return {};
  std::vector<std::string> paths = {
      fmt::format("{}/{}/{}/{}", layer.launch ? "launch" : "build", folder, file.layer, name)};
  if (layer.cache) paths.push_back(fmt::format("cache/{}/{}/{}", folder, file.layer, name));
  return paths;
}

std::optional<std::string> lifecycle_sbom_destination(std::string_view file_name) {
  for (const auto& [part, folder] : {std::pair{"lifecycle.", "build/buildpacksio_lifecycle"},
                                     std::pair{"launcher.", "launch/buildpacksio_lifecycle/launcher"}}) {
    const std::string_view prefix = part;
    if (file_name.starts_with(prefix) && format_of(file_name.substr(prefix.size())))
      return fmt::format("{}/{}", folder, file_name.substr(prefix.size()));
  }
  return std::nullopt;
}

std::optional<RestoredSbom> restored_sbom(std::string_view path, const std::vector<std::string>& group) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    parts.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  if (parts.size() != 4 || (parts[0] != "cache" && parts[0] != "launch") || !format_of(parts[3])) return std::nullopt;
  const std::string_view layer = parts[2];
  if (layer.empty() || layer == "." || layer == "..") return std::nullopt;
  const auto id = std::ranges::find_if(group, [&](const std::string& one) { return escaped_id(one) == parts[1]; });
  if (id == group.end()) return std::nullopt;
  return RestoredSbom{*id, fmt::format("{}.{}", layer, parts[3])};
}

std::string legacy_sbom_json(const std::vector<LegacyBom>& entries) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const LegacyBom& entry : entries)
    list.push_back({{"name", entry.name},
                    {"metadata", data_value(entry.metadata_json)},
                    {"buildpack", {{"id", entry.buildpack_id}, {"version", entry.buildpack_version}}}});
  return go_json(null_if_empty(std::move(list))) + "\n";
}

}  // namespace cib::cnb
