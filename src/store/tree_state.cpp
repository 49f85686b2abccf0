#include "store/tree_state.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <compare>
#include <memory>
#include <thread>

#include "base/error.hpp"
#include "store/entry_name.hpp"

namespace cib::store {

namespace {

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

// File systems known to set ctime at every change, that of mapped pages too.
bool keeps_change_time(const fs::path& path) {
  struct statfs info;
  if (::statfs(path.c_str(), &info) != 0) return false;
  switch (static_cast<std::uint64_t>(info.f_type) & 0xffffffff) {
    case 0xef53:      // ext2, ext3, ext4
    case 0x58465342:  // xfs
    case 0x9123683e:  // btrfs
    case 0xf2f52010:  // f2fs
    case 0x2fc12fc1:  // zfs
    case 0x794c7630:  // overlayfs: the file system below it decides, and it needs one of these for its upper folder
      return true;
    default: return false;
  }
}

// Folder before contents, contents by name: '/' counts less than any other byte.
std::strong_ordering by_path(std::string_view a, std::string_view b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (in_a == a.end() || in_b == b.end()) return a.size() <=> b.size();
  if (*in_a == '/') return std::strong_ordering::less;
  if (*in_b == '/') return std::strong_ordering::greater;
  return static_cast<unsigned char>(*in_a) <=> static_cast<unsigned char>(*in_b);
}

}  // namespace

class TreeWalk {
 public:
  explicit TreeWalk(TreeState& state) : m_state(state) {}

  // False if anything could not be looked at.
  bool run(const fs::path& path) {
    struct stat info;
    if (::lstat(path.c_str(), &info) != 0) return errno == ENOENT || errno == ENOTDIR;
    add("", info);
    if (!S_ISDIR(info.st_mode)) return true;
    const int fd = ::open(path.c_str(), flags);
    return fd >= 0 && folder(Fd(fd), "");
  }

 private:
  static constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

  void add(std::string_view path, const struct stat& info) {
    const bool is_folder = S_ISDIR(info.st_mode);
    const std::int64_t changed = nanoseconds(info.st_ctim);
    m_state.m_newest = std::max(m_state.m_newest, changed);
    m_state.m_entries.push_back({info.st_ino, is_folder ? 0 : changed, is_folder ? 0 : static_cast<std::uint64_t>(info.st_size),
                                 info.st_mode, info.st_uid, info.st_gid, static_cast<std::uint32_t>(path.size()),
                                 m_state.m_names.size()});
    m_state.m_names += path;
  }

  bool folder(Fd fd, const std::string& path) {
    std::vector<std::string> names;
    {
      DIR* contents = ::fdopendir(fd.get());
      if (!contents) return false;
      fd.release();
      const std::unique_ptr<DIR, int (*)(DIR*)> guard(contents, ::closedir);
      for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(contents);
        if (!entry && errno) return false;
        if (!entry) break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
      }
      std::sort(names.begin(), names.end());
      return entries(::dirfd(contents), path, names);
    }
  }

  bool entries(int fd, const std::string& path, const std::vector<std::string>& names) {
    for (const auto& name : names) {
      struct stat info;
      if (::fstatat(fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
      const std::string below = join_name(path, name);
      add(below, info);
      if (!S_ISDIR(info.st_mode)) continue;
      const int next = ::openat(fd, name.c_str(), flags);
      if (next < 0 || !folder(Fd(next), below)) return false;
    }
    return true;
  }

  TreeState& m_state;

 public:
  static void finish(TreeState& state, bool reliable) { state.m_reliable = reliable; }
};

TreeState snapshot(const fs::path& path) {
  TreeState state;
  const bool seen = TreeWalk(state).run(path);
  // Of a missing tree the answer is known everywhere.
  TreeWalk::finish(state, seen && (state.size() == 0 || keeps_change_time(path)));
  return state;
}

void settle(const TreeState& state, const fs::path& scratch) {
  if (!state.reliable()) return;
  std::string name = (scratch / "clock-XXXXXX").string();
  const Fd probe(::mkostemp(name.data(), O_CLOEXEC));
  if (!probe) throw system_error(errno, name);
  ::unlink(name.c_str());
  for (;;) {
    struct stat info;
    if (::fchmod(probe.get(), 0600) != 0 || ::fstat(probe.get(), &info) != 0) throw system_error(errno, name);
    if (nanoseconds(info.st_ctim) > state.newest()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Changes changes(const fs::path& path, const TreeState& before, std::size_t limit) {
  Changes result;
  const TreeState after = snapshot(path);
  if (!before.reliable() || !after.reliable()) return result;
  result.kind = Changes::Kind::none;
  const auto changed = [&](std::string_view name) {
    result.kind = Changes::Kind::some;
    if (result.paths.size() < limit) result.paths.emplace_back(name);
  };
  auto was = before.entries().begin();
  auto is = after.entries().begin();
  while (was != before.entries().end() || is != after.entries().end()) {
    const auto order = was == before.entries().end() ? std::strong_ordering::greater
                       : is == after.entries().end() ? std::strong_ordering::less
                                                     : by_path(before.path(*was), after.path(*is));
    if (order < 0) {
      changed(before.path(*was++));
    } else if (order > 0) {
      changed(after.path(*is++));
    } else {
      if (was->inode != is->inode || was->ctime != is->ctime || was->size != is->size || was->mode != is->mode ||
          was->uid != is->uid || was->gid != is->gid)
        changed(after.path(*is));
      ++was;
      ++is;
    }
  }
  return result;
}

}  // namespace cib::store
