// Software bills of materials: which files a buildpack may leave, where they go in <layers>/sbom, and where they come
// back to (buildpack spec "Bill-of-Materials"). Names in, names out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cib::cnb {

enum class SbomFormat { cyclonedx, spdx, syft };

// "application/vnd.cyclonedx+json", "application/spdx+json", "application/vnd.syft+json"
std::string_view media_type(SbomFormat format);
// "cdx", "spdx", "syft"
std::string_view extension(SbomFormat format);

// <layers>/<buildpack>/{<layer>|launch|build}.sbom.{cdx,spdx,syft}.json
struct SbomFile {
  enum class Of { layer, launch, build } of = Of::layer;
  std::string layer;  // text before the first dot of the name
  SbomFormat format = SbomFormat::cyclonedx;
  bool operator==(const SbomFile&) const = default;
};

// Whether a file name in a buildpack's layers folder is that of an SBOM (*.sbom.*.json).
bool is_sbom_name(std::string_view file_name);

// `file`: path of a file whose name is_sbom_name; `buildpack` ("id@version") is for messages; `declared`: the
// buildpack's sbom-formats, media types with or without parameters. An unknown extension or a format that was not
// declared: Error(build).
SbomFile read_sbom_name(std::string_view file, std::string_view buildpack, const std::vector<std::string>& declared);

// The flags of the layer that an SBOM belongs to; a layer without <layer>.toml is no layer.
struct SbomLayer {
  bool has_toml = false;
  bool launch = false;
  bool cache = false;
};

// Where a copy goes, relative to <layers>/sbom: "launch/<buildpack>/<layer>/sbom.cdx.json". None for the SBOM
// of something that is no layer; two for a cached layer. `layer` counts only for Of::layer.
std::vector<std::string> sbom_destinations(const SbomFile& file, std::string_view buildpack_id, const SbomLayer& layer);

// The SBOMs of launcher and lifecycle go along with those of the buildpacks: names in the builder's lifecycle folder
// (lifecycle.sbom.*, launcher.sbom.*) to a path relative to <layers>/sbom. Nothing for any other name.
std::optional<std::string> lifecycle_sbom_destination(std::string_view file_name);

// Where an SBOM of a previous build comes back to. `path` is relative to <layers>/sbom; only
// {cache,launch}/<buildpack>/<layer>/sbom.*.json of a buildpack in `group` (ids) comes back.
struct RestoredSbom {
  std::string buildpack;  // id
  std::string file_name;  // in the buildpack's layers folder: "<layer>.sbom.cdx.json"
  bool operator==(const RestoredSbom&) const = default;
};
std::optional<RestoredSbom> restored_sbom(std::string_view path, const std::vector<std::string>& group);

// The old form, [[bom]] in launch.toml and build.toml, goes into sbom.legacy.json in <layers>/sbom/launch and
// <layers>/sbom/build. These two files always exist, so that there always is an SBOM layer.
struct LegacyBom {
  std::string name;
  std::string metadata_json = "null";
  std::string buildpack_id;
  std::string buildpack_version;
  bool operator==(const LegacyBom&) const = default;
};
inline constexpr std::string_view legacy_sbom_name = "sbom.legacy.json";
// The file's text; "null\n" for none.
std::string legacy_sbom_json(const std::vector<LegacyBom>& entries);

}  // namespace cib::cnb
