#include "build/buildpack_modules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "cnb/fields.hpp"
#include "oci/compression.hpp"
#include "store/extract.hpp"

namespace cib::build {

namespace {

using Found = std::map<std::pair<std::string, std::string>, BuildpackModule>;

void add(Found& found, const cnb::BuilderToml::Module& wanted, const fs::path& folder, const fs::path& scratch) {
  if (!wanted.image.empty())
    throw Error(ExitCode::configuration, fmt::format("buildpack {}: images of buildpacks cannot be read", wanted.image))
        .next("name a folder or an archive of the buildpack as uri");
  const fs::path place = as_folder(local_path(wanted.uri, folder), scratch);
  const fs::path toml = place / "buildpack.toml";
  const auto text = read_file_if_exists(toml);
  if (!text)
    throw Error(ExitCode::configuration, fmt::format("{} is no buildpack", wanted.uri)).why("it has no buildpack.toml");
  cnb::Buildpack buildpack = cnb::parse_buildpack_toml(*text, toml.string());
  if ((!wanted.id.empty() && wanted.id != buildpack.id) || (!wanted.version.empty() && wanted.version != buildpack.version))
    throw Error(ExitCode::configuration,
                fmt::format("{} is buildpack {}, not {}@{}", wanted.uri, buildpack.full_name(),
                            wanted.id.empty() ? buildpack.id : wanted.id,
                            wanted.version.empty() ? buildpack.version : wanted.version));
  if (!buildpack.is_composite())
    for (const char* program : {"bin/detect", "bin/build"})
      if (!fs::is_regular_file(place / program))
        throw Error(ExitCode::configuration, fmt::format("buildpack {} has no {}", buildpack.full_name(), program));

  const auto key = std::pair(buildpack.id, buildpack.version);
  if (const auto old = found.find(key); old != found.end()) {
    std::error_code ignored;
    if (fs::equivalent(old->second.folder, place, ignored)) return;
    throw Error(ExitCode::configuration, fmt::format("buildpack {} comes from two places", buildpack.full_name()))
        .why(fmt::format("{} and {}", old->second.folder.string(), place.string()));
  }
  found.emplace(key, BuildpackModule{std::move(buildpack), place});

  // What a composite consists of, when it says so itself (it may also be listed in builder.toml).
  const fs::path package = place / "package.toml";
  if (const auto dependencies = read_file_if_exists(package)) {
    const std::string name = package.string();
    const nlohmann::json document = cnb::parse_toml(*dependencies, name);
    for (const cnb::Fields& table : cnb::Fields(document, name).tables("dependencies"))
      add(found, {.uri = table.text("uri"), .image = table.text("image")}, place, scratch);
  }
}

}  // namespace

fs::path local_path(const std::string& uri, const fs::path& folder) {
  std::string path = uri;
  if (path.starts_with("file://")) {
    path.erase(0, 7);
  } else if (const std::size_t colon = path.find(":/"); colon != std::string::npos && path.find('/') > colon) {
    throw Error(ExitCode::configuration, fmt::format("{} is not on this machine", uri))
        .next("download it and name the folder or archive");
  }
  const fs::path place = fs::path(path).is_absolute() ? fs::path(path) : folder / path;
  if (path.empty() || !exists_no_follow(place))
    throw Error(ExitCode::configuration, fmt::format("{}: no such file or folder", uri.empty() ? "\"\"" : uri))
        .why(fmt::format("looked for {}", place.lexically_normal().string()));
  return place.lexically_normal();
}

fs::path as_folder(const fs::path& place, const fs::path& scratch) {
  if (fs::is_directory(place)) return place;
  TempFolder unpacked(scratch, "unpacked-");
  const auto tar = oci::inflate(std::make_unique<FileSource>(place));
  store::extract(*tar, unpacked.path(), {.mode = store::ExtractOptions::Mode::apply, .name = place.string()});
  return unpacked.release();
}

std::vector<BuildpackModule> find_modules(const std::vector<cnb::BuilderToml::Module>& wanted, const fs::path& folder,
                                          const fs::path& scratch) {
  Found found;
  for (const auto& module : wanted) add(found, module, folder, scratch);
  std::vector<BuildpackModule> list;
  for (auto& [key, module] : found) list.push_back(std::move(module));
  return list;
}

}  // namespace cib::build
