#include "build/buildpack_modules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "cnb/builder.hpp"
#include "cnb/fields.hpp"
#include "cnb/labels.hpp"
#include "oci/archive.hpp"
#include "oci/compression.hpp"
#include "oci/layout.hpp"
#include "oci/reference.hpp"
#include "store/extract.hpp"

namespace cib::build {

namespace {

using Found = std::map<std::pair<std::string, std::string>, BuildpackModule>;

using Wanted = cnb::BuilderToml::Module;

void check_stated(const Wanted& wanted, const std::string& where, const std::string& id, const std::string& version) {
  if ((wanted.id.empty() || wanted.id == id) && (wanted.version.empty() || wanted.version == version)) return;
  throw Error(ExitCode::configuration,
              fmt::format("{} is buildpack {}@{}, not {}@{}", where, id, version, wanted.id.empty() ? id : wanted.id,
                          wanted.version.empty() ? version : wanted.version));
}

// A file that is there itself: links of a stranger's archive could lead anywhere.
bool is_file(const fs::path& path) { return fs::is_regular_file(fs::symlink_status(path)); }

// The buildpack in a folder; `where` names it in messages.
const cnb::Buildpack& add_folder(Found& found, const fs::path& place, const std::string& where) {
  const fs::path toml = place / "buildpack.toml";
  if (!is_file(toml))
    throw Error(ExitCode::configuration, fmt::format("{} is no buildpack", where)).why("it has no buildpack.toml");
  cnb::Buildpack buildpack = cnb::parse_buildpack_toml(read_file(toml), where + "/buildpack.toml");
  if (!buildpack.is_composite())
    for (const char* program : {"bin/detect", "bin/build"})
      if (!fs::exists(fs::symlink_status(place / program)))
        throw Error(ExitCode::configuration, fmt::format("buildpack {} has no {}", buildpack.full_name(), program));

  const auto key = std::pair(buildpack.id, buildpack.version);
  const auto [at, is_new] = found.try_emplace(key, BuildpackModule{buildpack, place});
  std::error_code ignored;
  if (!is_new && !fs::equivalent(at->second.folder, place, ignored))
    throw Error(ExitCode::configuration, fmt::format("buildpack {} comes from two places", buildpack.full_name()))
        .why(fmt::format("{} and {}", at->second.folder.string(), place.string()));
  return at->second.buildpack;
}

// All buildpacks of a buildpackage (distribution spec "Buildpackage"): an image whose label says which layer holds
// which of them.
void add_package(Found& found, const oci::Image& image, const Wanted& wanted, const fs::path& scratch) {
  const auto labelled = [&](std::string_view name) {
    const auto text = image.config().label(name);
    if (!text)
      throw Error(ExitCode::configuration, fmt::format("{} is no buildpackage", image.name()))
          .why(fmt::format("it has no label {}", name));
    return *text;
  };
  const nlohmann::json document =
      cnb::parse_json(labelled(cnb::label::buildpackage_metadata), cnb::label::buildpackage_metadata);
  const cnb::Fields main(document, cnb::label::buildpackage_metadata);
  check_stated(wanted, image.name(), main.required_text("id"), main.required_text("version"));
  const cnb::BuildpackTable table =
      cnb::parse_buildpack_table(labelled(cnb::label::buildpack_layers), cnb::label::buildpack_layers);
  std::map<oci::Digest, fs::path> unpacked;
  for (const auto& [id, versions] : table) {
    for (const auto& [version, entry] : versions) {
      const int index = oci::find_layer(image, entry.layer);
      if (index < 0)
        throw Error(ExitCode::configuration, fmt::format("{}: no layer {} for {}", image.name(), entry.layer.brief(), id));
      if (!unpacked.contains(entry.layer)) {
        TempFolder folder(scratch, "unpacked-");
        const auto tar = oci::open_tar(*image.layers()[static_cast<std::size_t>(index)]);
        store::extract(*tar, folder.path(), {.mode = store::ExtractOptions::Mode::apply, .name = image.name()});
        unpacked[entry.layer] = folder.release();
      }
      fs::path place = unpacked[entry.layer];
      bool there = cnb::id_fault(id).empty() && cnb::version_fault(version).empty();
      for (const std::string& part : {std::string("cnb"), std::string("buildpacks"), cnb::escaped_id(id), version})
        there = there && fs::is_directory(fs::symlink_status(place /= part));
      if (!there)
        throw Error(ExitCode::configuration, fmt::format("{} does not hold {}@{}", image.name(), id, version));
      const std::string where = fmt::format("{} of {}", id, image.name());
      const cnb::Buildpack& buildpack = add_folder(found, place, where);
      check_stated({.id = id, .version = version}, where, buildpack.id, buildpack.version);
    }
  }
}

// An image on this machine: a layout, an archive as `docker save` writes it, or a .cnb file.
std::shared_ptr<const oci::Image> open_package(const Wanted& wanted, const fs::path& folder, const fs::path& scratch) {
  if (wanted.uri.ends_with(".cnb")) return oci::open_archive(local_path(wanted.uri, folder), scratch);
  const std::string& name = wanted.image.empty() ? wanted.uri : wanted.image;
  const bool image = !wanted.image.empty() || name.starts_with("oci:") || name.starts_with("docker-archive:");
  if (!image) return nullptr;
  const oci::Reference reference = oci::parse_reference(name);
  if (reference.kind == oci::Reference::Kind::layout) return oci::open_layout(folder / reference.path, reference.tag);
  if (reference.kind == oci::Reference::Kind::archive) return oci::open_archive(folder / reference.path, scratch);
  throw Error(ExitCode::configuration, fmt::format("buildpack {}: images in a registry cannot be read", name))
      .next("copy it (skopeo copy docker://… oci:DIR) and write oci:DIR, or name a folder of the buildpack as uri");
}

void add(Found& found, const Wanted& wanted, const fs::path& folder, const fs::path& scratch) {
  if (const auto image = open_package(wanted, folder, scratch)) return add_package(found, *image, wanted, scratch);
  const fs::path place = as_folder(local_path(wanted.uri, folder), scratch);
  const std::size_t before = found.size();
  const cnb::Buildpack& buildpack = add_folder(found, place, wanted.uri);
  check_stated(wanted, wanted.uri, buildpack.id, buildpack.version);
  if (found.size() == before) return;

  // What a composite consists of, when it says so itself (it may also be listed in builder.toml).
  if (const fs::path package = place / "package.toml"; is_file(package)) {
    const std::string name = wanted.uri + "/package.toml";
    const nlohmann::json document = cnb::parse_toml(read_file(package), name);
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
