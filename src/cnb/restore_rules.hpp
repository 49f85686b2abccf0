// Which layers come back before a build, and how: metadata from the previous image or the cache, contents from
// the cache. A pure decision; the rules are those of Platform API 0.12.
#pragma once

#include <string>
#include <vector>

#include "cnb/cache_metadata.hpp"
#include "cnb/layer_metadata.hpp"

namespace cib::cnb {

// A layer whose <layer>.toml is written, and whose folder is filled when restore_contents.
struct RestoredLayer {
  enum class From { previous_image, cache };
  std::string buildpack;  // id
  std::string layer;
  std::string data_json;  // [metadata]; see restored_layer_toml
  std::string sha;        // diffID; that of the contents when they are restored
  From from = From::previous_image;
  bool restore_contents = false;
  bool operator==(const RestoredLayer&) const = default;
};

// A layer that was known and does not come back.
struct DroppedLayer {
  std::string buildpack;
  std::string layer;
  std::string reason;  // for the log: "the cache does not hold it"
  bool operator==(const DroppedLayer&) const = default;
};

// <layers>/<buildpack>/store.toml
struct RestoredStore {
  std::string buildpack;
  std::string store_json;  // see store_toml.hpp
  bool operator==(const RestoredStore&) const = default;
};

struct RestorePlan {
  std::vector<RestoredStore> stores;   // in group order
  std::vector<RestoredLayer> layers;   // in group order, within a buildpack by name
  std::vector<DroppedLayer> dropped;   // likewise
};

// `group`: ids of the detected buildpacks. A buildpack is known by its id: another version of it gets the same
// layers and decides for itself. With `skip_layers` only the stores come back.
RestorePlan plan_restore(const std::vector<std::string>& group, const AppMetadata& previous, const CacheMetadata& cache,
                         bool skip_layers = false);

}  // namespace cib::cnb
