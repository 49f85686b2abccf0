// The root file system that buildpacks run in: an overlay of unpacked layers, or one flat folder into which
// they are applied in order. Nothing else may depend on which one it is.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "store/layer_record.hpp"
#include "store/root_tree.hpp"

namespace cib::store {

struct UnpackedLayer;
class BuildFolder;

class Rootfs {
 public:
  virtual ~Rootfs() = default;
  virtual const RootTree& tree() const = 0;
  // "overlay" or "flat", for the log.
  virtual std::string_view kind() const = 0;
  // Where the file or folder `path` (absolute, as seen inside) lies on this machine, for reading. Whiteouts
  // and symbolic links are followed as inside the root (links never lead out of it); nothing if it does not exist.
  // A folder may be merged of several places, and this is only one of them: see list().
  virtual std::optional<fs::path> locate(std::string_view path) const = 0;
  // The names in a folder as seen inside, sorted bytewise; empty if it is none.
  virtual std::vector<std::string> list(std::string_view path) const = 0;
  // Owner and mode as the image states them, even where this machine's files cannot have them; nothing if `path` does
  // not exist. Links are followed.
  virtual std::optional<Owner> owner(std::string_view path) const = 0;
};

enum class RootfsKind { overlay, flat };

// Makes the root of these layers (bottom first, at least one) in the build's folder, which must outlive it; the layers
// are held as long as it lives. Throws Error(disk), Error(configuration) for more than 500 layers in an overlay (the
// kernel's limit) or for an overlay where overlay_unavailable() gives a reason.
std::unique_ptr<Rootfs> make_rootfs(RootfsKind kind, std::vector<UnpackedLayer> layers, const BuildFolder& build);

}  // namespace cib::store
