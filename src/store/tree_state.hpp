// Whether a tree is still what it was: restored layers that a build left alone need not be read again.
//
// The rule: the change time (ctime) of a file is set by the kernel at every change of its contents or attributes, and
// no process without privileges can set it. So equal inode, size and ctime mean equal contents. For folders their
// names, mode and owner are compared. An attribute (xattr) that changes counts as a change of its file.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace cib::store {

class TreeState {
 public:
  struct Entry {
    std::uint64_t inode;
    std::int64_t ctime;  // nanoseconds; 0 for folders
    std::uint64_t size;  // 0 for folders
    std::uint32_t mode;  // type and permissions
    uid_t uid;
    gid_t gid;
    std::uint32_t name_size;   // of the path
    std::size_t name_at;
  };

  // The entries below the tree and the tree itself (""), each folder before its contents, those sorted by name.
  std::size_t size() const { return m_entries.size(); }
  std::string_view path(const Entry& entry) const { return std::string_view(m_names).substr(entry.name_at, entry.name_size); }
  const std::vector<Entry>& entries() const { return m_entries; }

  // False where the rule does not hold: a file system that does not keep ctime (tmpfs does not for mapped writes), or a tree
  // that could not be read. Changes are unknown then.
  bool reliable() const { return m_reliable; }
  std::int64_t newest() const { return m_newest; }  // ctime of anything in it, nanoseconds

 private:
  friend class TreeWalk;
  std::vector<Entry> m_entries;
  std::string m_names;
  std::int64_t m_newest = 0;
  bool m_reliable = false;
};

// Never throws for what the tree is like; see reliable(). A missing tree has no entries.
TreeState snapshot(const fs::path& path);

// Waits until the file system's clock has moved on from the newest change in the state (some milliseconds), so that any
// later change is seen. `scratch` is a folder of the same file system that may be written; the tree must not change
// meanwhile. Throws system_error when no file can be made there.
void settle(const TreeState& state, const fs::path& scratch);

struct Changes {
  enum class Kind { unknown, none, some } kind = Kind::unknown;
  std::vector<std::string> paths;  // the first ones, relative to the tree; "" is the tree itself
};

// What became of the tree since the state was taken and settled.
Changes changes(const fs::path& path, const TreeState& before, std::size_t limit = 10);

}  // namespace cib::store
