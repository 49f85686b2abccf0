// The mounts of a sandbox. Everything here acts on the calling process's own mount namespace, and reaches into the
// root only through `make_target`, which no symbolic link leads out of.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "sandbox/sandbox.hpp"

namespace cib::sandbox {

// "/proc/self/fd/<fd>": how mount(2) is told to use a descriptor.
std::string fd_path(int fd);

// Opens (O_PATH) the folder or file at `path` as a process inside of `root` would, and makes what is missing: folders
// 0755, a file 0644, also where a symbolic link points to nothing. Throws Error when a part is no folder, when the
// links run in a circle, or when `path` is the other kind.
Fd make_target(int root, std::string_view path, bool folder);

// Which interface mounts the overlay: the new one takes 500 lower folders, mount(2) about 1000 of short names but only
// what fits into a page; `automatic` prefers the new one.
enum class OverlayInterface { automatic, mount_syscall };

// Mounts the root at its mount point (the flat folder at itself when there is none), without devices and set-user-id,
// and returns it.
Fd mount_root(const store::RootTree& tree, OverlayInterface interface = OverlayInterface::automatic);

// Mounts `source` with what is mounted below it at `target` inside of `root`.
void bind_into(int root, const fs::path& source, std::string_view target, bool read_only);

// /dev, /tmp, /sys, /etc/hosts and /etc/resolv.conf. `own_tmp` is false when /tmp comes from the caller.
void mount_system(int root, const std::string& hostname, bool own_tmp);

// /proc for the calling process's pid namespace, with what a container hides hidden.
void mount_proc(int root);

// Makes `root` (a mount of the calling process's namespace) the root of the calling process and forgets the old one.
void pivot_into(int root);

}  // namespace cib::sandbox
