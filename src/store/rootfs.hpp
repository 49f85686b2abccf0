// The root file system that buildpacks run in: an overlay of unpacked layers, or one flat folder into which
// they are applied in order. Nothing else may depend on which one it is.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "store/root_tree.hpp"

namespace cib::store {

class Rootfs {
 public:
  virtual ~Rootfs() = default;
  virtual const RootTree& tree() const = 0;
  // "overlay" or "flat", for the log.
  virtual std::string_view kind() const = 0;
  // Where the file or folder `path` (absolute, as seen inside) lies on this machine, for reading. Whiteouts
  // and symbolic links are followed as inside the root (links never lead out of it); nothing if it does not exist.
  virtual std::optional<fs::path> locate(std::string_view path) const = 0;
};

}  // namespace cib::store
