// What a sandbox has to mount to get a root file system.
#pragma once

#include <vector>

#include "base/file.hpp"

namespace cib::store {

struct RootTree {
  // Overlay: unpacked layers, TOP first; upper and work are empty folders of one file system, owned by us.
  std::vector<fs::path> lowers;
  fs::path upper;
  fs::path work;
  // Flat: one folder that is the whole root. Used when `lowers` is empty.
  fs::path flat;
  // An empty folder where the overlay may be mounted (inside the sandbox's own mount namespace).
  fs::path mount_point;
  // Overlay's whiteouts and opaque folders are marked with user.* attributes (unprivileged store).
  bool user_xattr = false;

  bool is_overlay() const { return !lowers.empty(); }
};

}  // namespace cib::store
