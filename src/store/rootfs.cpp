#include "store/rootfs.hpp"

#include <set>

#include "base/error.hpp"
#include "store/flat.hpp"
#include "store/layer_store.hpp"
#include "store/overlay.hpp"

namespace cib::store {

namespace {

// Top first. A layer that occurs twice counts where it is highest: whatever the lower one brings or hides, the higher one
// does too; overlayfs refuses to see one twice. What lies below a root that hides everything is left out, as overlayfs
// does not look for that mark on a root.
std::vector<UnpackedLayer> effective_layers(std::vector<UnpackedLayer> bottom_first) {
  std::vector<UnpackedLayer> result;
  std::set<oci::Digest> seen;
  for (auto it = bottom_first.rbegin(); it != bottom_first.rend(); ++it) {
    if (!seen.insert(it->diff_id).second) continue;
    result.push_back(std::move(*it));
    if (result.back().record->marks.opaques.contains("")) break;
  }
  return result;
}

}  // namespace

std::unique_ptr<Rootfs> make_rootfs(RootfsKind kind, std::vector<UnpackedLayer> layers, const BuildFolder& build) {
  if (layers.empty()) throw Error(ExitCode::configuration, "the image has no layers, so it has no root file system");
  auto top_first = effective_layers(std::move(layers));
  if (kind == RootfsKind::overlay) return make_overlay(std::move(top_first), build);
  return make_flat(std::move(top_first), build);
}

}  // namespace cib::store
