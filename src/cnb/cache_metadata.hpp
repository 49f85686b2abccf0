// What a cache says about itself: io.buildpacks.lifecycle.cache.metadata, a file of a cache folder or a label of
// a cache image.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cnb/layer_metadata.hpp"

namespace cib::cnb {

struct CacheMetadata {
  std::string sbom;                         // diffID; may be empty
  std::vector<BuildpackLayers> buildpacks;  // cached layers; never with a store

  // The layer of this buildpack id (its first entry) and name, nullptr when there is none.
  const LayerMetadata* find(std::string_view buildpack_id, std::string_view layer) const;
  bool operator==(const CacheMetadata&) const = default;
};

// What cannot be decoded is an empty cache: a cache is never a reason to fail.
CacheMetadata parse_cache_metadata(std::string_view text);

// In the shape of the Go lifecycle, without a line end (the file of a cache folder has one).
std::string to_json(const CacheMetadata& metadata);

}  // namespace cib::cnb
