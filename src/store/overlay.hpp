// A root file system as an overlay of unpacked layers. Mounting it is the sandbox's, in its own mount namespace.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "store/rootfs.hpp"

namespace cib::store {

inline constexpr std::size_t max_overlay_layers = 500;  // the kernel's OVL_MAX_STACK

// See make_rootfs(); layers top first, each once.
std::unique_ptr<Rootfs> make_overlay(std::vector<UnpackedLayer> top_first, const BuildFolder& build);

// Why no overlay can be mounted in this folder's file system (a store's temporary()) by this process, in a mount namespace (as an ordinary user: and
// user namespace) of its own; nothing when it can. Tried with real mounts in a child process.
// The kernel lets no ordinary user's process that made itself undumpable set up a user namespace: ask before that.
std::optional<std::string> overlay_unavailable(const fs::path& folder);

}  // namespace cib::store
