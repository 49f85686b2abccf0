#include "cnb/restore_rules.hpp"

#include <algorithm>
#include <map>

#include "oci/digest.hpp"

namespace cib::cnb {
namespace {

using Layers = std::map<std::string, LayerMetadata>;

const Layers& layers_of(const std::vector<BuildpackLayers>& buildpacks, const std::string& id) {
  static const Layers none;
  const auto found = std::ranges::find(buildpacks, id, &BuildpackLayers::key);
  return found == buildpacks.end() ? none : found->layers;
}

const LayerMetadata* find(const Layers& layers, const std::string& name) {
  const auto found = layers.find(name);
  return found == layers.end() ? nullptr : &found->second;
}

// Labels are foreign: a name becomes a path below the buildpack's folder, so it must be a plain file name.
bool is_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos && name.find('\0') == name.npos;
}

// Why the previous image's metadata of a layer is not restored; nullptr when it is.
const char* reason_against(const LayerMetadata& layer, const LayerMetadata* cached) {
  if (!layer.launch) return "it was no launch layer";
  if (layer.build && !layer.cache) return "it is needed at build time and was not cached";
  if (layer.cache && !(cached && cached->cache)) return "the cache does not hold it";
  return nullptr;
}

void plan_buildpack(RestorePlan& plan, const std::string& id, const Layers& previous, const Layers& cached) {
  std::map<std::string, RestoredLayer> restored;
  std::map<std::string, std::string> dropped;
  const auto restore = [&](const std::string& name, const LayerMetadata& layer, RestoredLayer::From from) {
    restored[name] = {id, name, layer.data_json, layer.sha, from, false};
    dropped.erase(name);
  };

  for (const auto& [name, layer] : previous) {
    if (!is_file_name(name))
      dropped[name] = "it has no usable name";
    else if (const char* reason = reason_against(layer, find(cached, name)))
      dropped[name] = reason;
    else
      restore(name, layer, RestoredLayer::From::previous_image);
  }
  for (const auto& [name, layer] : cached) {
    if (!layer.cache) continue;
    if (!is_file_name(name)) {
      dropped[name] = "it has no usable name";
      continue;
    }
    // Before Platform API 0.14, what is also a launch layer comes back through the image or not at all.
    if (layer.launch) {
      if (!find(previous, name)) dropped[name] = "the previous image does not have it";
      continue;
    }
    restore(name, layer, RestoredLayer::From::cache);
  }

  for (auto& [name, layer] : restored) {
    const LayerMetadata* in_cache = find(cached, name);
    if (in_cache && in_cache->cache) {
      if (in_cache->sha != layer.sha) {
        // Another build filled the cache: its contents would not be those that the metadata describes.
        dropped[name] = "the cache holds another build of it (wrong sha)";
        continue;
      }
      layer.restore_contents = oci::Digest::try_parse(layer.sha).has_value();
    }
    plan.layers.push_back(layer);
  }
  for (const auto& [name, reason] : dropped) plan.dropped.push_back({id, name, reason});
}

}  // namespace

RestorePlan plan_restore(const std::vector<std::string>& group, const AppMetadata& previous, const CacheMetadata& cache,
                         bool skip_layers) {
  RestorePlan plan;
  for (const std::string& id : group) {
    if (const BuildpackLayers* known = previous.find(id); known && known->store_json != "null")
      plan.stores.push_back({id, known->store_json});
    if (!skip_layers) plan_buildpack(plan, id, layers_of(previous.buildpacks, id), layers_of(cache.buildpacks, id));
  }
  return plan;
}

}  // namespace cib::cnb
