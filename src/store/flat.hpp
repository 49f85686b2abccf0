// A root file system as one plain folder, made of unpacked layers: for machines and rungs without an overlay.
#pragma once

#include <memory>
#include <vector>

#include "store/rootfs.hpp"

namespace cib::store {

// See make_rootfs(); layers top first, each once. Files that no process but root's could change are hard links into the
// store (never below /etc, which sandboxes write to as root); all others are copied, by reflink where the file system can.
std::unique_ptr<Rootfs> make_flat(std::vector<UnpackedLayer> top_first, const BuildFolder& build);

}  // namespace cib::store
