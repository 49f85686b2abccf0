// What the store takes, and giving space back.
#pragma once

#include <cstdint>

#include "store/store.hpp"

namespace cib::store {

// Sizes in bytes, as far as this user can read; of unpacked layers what was written at their unpacking.
struct Usage {
  std::uint64_t layers = 0;  // how many
  std::uint64_t layer_bytes = 0;
  std::uint64_t builds = 0;  // folders of running builds
  std::uint64_t build_bytes = 0;
  std::uint64_t cache_bytes = 0;
  std::uint64_t image_bytes = 0;
  std::uint64_t builder_bytes = 0;
  std::uint64_t bytes() const { return layer_bytes + build_bytes + cache_bytes + image_bytes + builder_bytes; }
};

Usage usage(const Store& store);

struct KeepRules {
  std::uint64_t layer_bytes = 0;  // remove until unpacked layers take no more than this
};

struct Pruned {
  std::uint64_t removed = 0;  // layers
  std::uint64_t removed_bytes = 0;
  std::uint64_t kept = 0;
  std::uint64_t kept_bytes = 0;
  std::uint64_t in_use = 0;  // of the kept: would have gone, but a running build holds them
};

// Removes unpacked layers that nobody holds, the least recently used first. Caches, images and builders are not touched.
// Throws Error(disk) or Error(permission).
Pruned prune(const Store& store, const KeepRules& keep);

}  // namespace cib::store
