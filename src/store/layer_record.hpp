// What is known about an unpacked layer beyond its tree: which names it hides in the layers below, which folders the
// archive did not mention, and every entry's owner and mode as the archive states them (a tree that an ordinary
// user unpacked cannot hold those). Lies beside the tree, in two files: `complete` and `owners`.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.hpp"
#include "base/stream.hpp"

namespace cib::store {

// Paths are relative to the root of the tree, "" is the root itself.
struct LayerMarks {
  std::set<std::string> whiteouts;  // names that hide what is below (image-spec layer.md, whiteouts)
  std::set<std::string> opaques;    // folders of the layer that hide the contents of the folders below
  // Folders of the tree without an entry of their own: the layers below know their owner and mode.
  std::set<std::string> implicit;
};

// How the whiteouts and opaque folders are marked in the tree for the kernel's overlayfs.
enum class OverlayMarks {
  none,      // the file system or our rights do not allow it (an overlayfs refuses whiteouts of its own, for one)
  trusted,   // char device 0:0, trusted.overlay.opaque="y"
  user,      // char device 0:0, user.overlay.opaque="y", for the mount option userxattr
};

// Marks them in the tree; `trusted` where we may, else `user`. What is marked already is left alone. A tree without
// whiteouts and opaque folders is marked by having none: `like` is returned for it.
OverlayMarks make_overlay_marks(const fs::path& tree, const LayerMarks& marks, OverlayMarks like);

// Which of them this process could make in this folder.
OverlayMarks possible_overlay_marks(const fs::path& folder);

struct LayerRecord {
  LayerMarks marks;
  OverlayMarks made = OverlayMarks::none;
  std::uint64_t bytes = 0;  // contents of the files
  std::uint64_t disk = 0;   // what it takes, in blocks of 4 KiB, one for every entry at least
  std::uint64_t entries = 0;
};

// The text of `complete`, and back; nothing for anything that format_record did not write.
std::string format_record(const LayerRecord& record);
std::optional<LayerRecord> parse_record(std::string_view text);

struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0;  // permission, set-id and sticky bits
  bool operator==(const Owner&) const = default;
};

// One record of `owners`: "<uid> <gid> <octal mode> <path>" and a NUL. A later record of a path replaces an earlier one.
std::string format_owner(const Owner& owner, std::string_view path);

// The whole file. Throws Error(disk) when it is damaged.
std::unordered_map<std::string, Owner> read_owners(const fs::path& file);

}  // namespace cib::store
