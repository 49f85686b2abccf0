// System calls that the C library or its headers may not know yet.
#pragma once

#include <cstdint>

namespace cib::sandbox {

// The values of <linux/mount.h>, which cannot be included beside <sys/mount.h>.
constexpr unsigned fsopen_cloexec = 1;
constexpr unsigned fsmount_cloexec = 1;
constexpr unsigned fsconfig_set_flag = 0;
constexpr unsigned fsconfig_set_string = 1;
constexpr unsigned fsconfig_create = 6;
constexpr unsigned move_mount_from_empty_path = 0x04;
constexpr unsigned move_mount_to_empty_path = 0x40;
constexpr std::uint64_t mount_attribute_read_only = 0x1;
constexpr std::uint64_t mount_attribute_nosuid = 0x2;
constexpr std::uint64_t mount_attribute_nodev = 0x4;

// Forbids devices and set-user-id programs, and writing when asked, on the mount whose root `mount` is and on all
// mounts below it. The descriptor must have been opened after mounting. Throws Error.
void restrict_mount(int mount, bool read_only);

// Closes all descriptors from `first` on, or marks them close-on-exec.
void close_from(int first);
void close_on_exec_from(int first);

}  // namespace cib::sandbox
