#include "cnb/cache_metadata.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cnb/fields.hpp"
#include "cnb/go_json.hpp"
#include "cnb/layer_metadata_json.hpp"

namespace cib::cnb {

const LayerMetadata* CacheMetadata::find(std::string_view buildpack_id, std::string_view layer) const {
  const auto buildpack = std::ranges::find(buildpacks, buildpack_id, &BuildpackLayers::key);
  if (buildpack == buildpacks.end()) return nullptr;
  const auto found = buildpack->layers.find(std::string(layer));
  return found == buildpack->layers.end() ? nullptr : &found->second;
}

CacheMetadata parse_cache_metadata(std::string_view text) {
  try {
    constexpr std::string_view name = "io.buildpacks.lifecycle.cache.metadata";
    const nlohmann::json document = parse_json(text, name);
    const Fields fields(document, name);
    CacheMetadata metadata;
    metadata.sbom = fields.table("sbom").text("sha");
    metadata.buildpacks = read_buildpack_layers(fields);
    for (BuildpackLayers& buildpack : metadata.buildpacks) buildpack.store_json = "null";
    return metadata;
  } catch (const Error&) {
    return {};
  }
}

std::string to_json(const CacheMetadata& metadata) {
  nlohmann::ordered_json document;
  document["sbom"] = nlohmann::ordered_json{{"sha", metadata.sbom}};
  document["buildpacks"] = buildpack_layers_value(metadata.buildpacks, false);
  return go_json(document);
}

}  // namespace cib::cnb
