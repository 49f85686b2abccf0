#include "store/extract.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <unordered_set>

#include "base/error.hpp"
#include "base/tasks.hpp"
#include "oci/tar_reader.hpp"
#include "store/contained_tree.hpp"
#include "store/entry_name.hpp"

namespace cib::store {

namespace {

using Type = oci::TarHeader::Type;
using Mode = ExtractOptions::Mode;

constexpr std::string_view whiteout_prefix = ".wh.";
constexpr std::string_view aufs_prefix = ".wh..wh.";
constexpr std::string_view opaque_name = ".wh..wh..opq";
constexpr mode_t mode_bits = 07777;
constexpr mode_t implicit_mode = 0755;

// Counts what is read, and gives a request to stop its chance.
class WatchedSource : public Source {
 public:
  WatchedSource(Source& source, const ExtractOptions& options) : m_source(source), m_options(options) {}
  std::size_t read(std::span<std::byte> buffer) override {
    throw_if_stopped(m_options.stop);
    const std::size_t count = m_source.read(buffer);
    m_total += count;
    if (m_options.progress) m_options.progress(m_total);
    return count;
  }

 private:
  Source& m_source;
  const ExtractOptions& m_options;
  std::uint64_t m_total = 0;
};

// A failed system call on an entry: the archive's fault unless the disk or our rights say otherwise.
Error entry_error(int error_number, std::string_view path) {
  return system_error(error_number, fmt::format("entry {}", quote_name(path)), ExitCode::configuration);
}

Error refused(std::string_view path, std::string_view reason) {
  return Error(ExitCode::configuration, fmt::format("entry {}: {}", quote_name(path), reason));
}

bool is_within(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && (folder.empty() || path[folder.size()] == '/');
}

// The range of an ordered container of paths that lies below `folder`.
template <class Container>
void erase_below(Container& paths, const std::string& folder) {
  const std::string prefix = folder + "/";
  auto first = paths.lower_bound(prefix);
  auto last = first;
  const auto key = [](const auto& element) -> const std::string& {
    if constexpr (requires { element.first; }) return element.first;
    else return element;
  };
  while (last != paths.end() && key(*last).starts_with(prefix)) ++last;
  paths.erase(first, last);
}

class Extractor : private ContainedTree::Way {
 public:
  Extractor(const fs::path& folder, const ExtractOptions& options)
      : m_options(options),
        m_root_user(::geteuid() == 0),
        m_change_owner(options.change_owner),
        m_tree(folder, options.mode == Mode::layer ? ContainedTree::Links::inside : ContainedTree::Links::inside_clamp,
               *this),
        m_buffer(128 * 1024) {}

  Extracted run(Source& source) {
    WatchedSource watched(source, m_options);
    oci::TarReader reader(watched);
    oci::TarEntry entry;
    while (reader.next(entry)) {
      if (++m_result.record.entries > m_options.limits.entries)
        throw Error(ExitCode::configuration, fmt::format("more than {} entries", m_options.limits.entries));
      take(reader, entry);
    }
    while (watched.read(m_buffer)) {
    }
    if (m_options.mode == Mode::layer) {
      LayerMarks& marks = m_result.record.marks;
      if (!marks.whiteouts.empty() || !marks.opaques.empty())
        m_result.record.made = make_overlay_marks(m_tree.root(), marks, possible_overlay_marks(m_tree.root()));
    }
    finish_folders();
    return std::move(m_result);
  }

 private:
  struct FolderState {
    Owner owner;
    std::int64_t mtime = 0;
    bool keep_time = false;  // an implicit folder keeps the time it got
  };

  void take(oci::TarReader& reader, const oci::TarEntry& entry) {
    const std::string path = normalise_entry_name(entry.name);
    Type type = entry.type;
    // Writers older than the folder type say it with a slash.
    if (type == Type::file && entry.name.ends_with('/') && entry.size == 0) type = Type::folder;
    if (path.empty()) {
      if (type != Type::folder) throw refused(entry.name, "the root is not a folder");
      remember_folder("", entry);
      return;
    }
    const auto [folder_name, name_view] = split_name(path);
    const std::string name(name_view);
    if (name.starts_with(whiteout_prefix)) return whiteout(path, folder_name, name);
    // Copies what it needs: a removal below forgets the opened folders.
    const auto folder = m_tree.folder(folder_name);
    Target target{folder->fd.get(), name, join_name(folder->path, name)};
    switch (type) {
      case Type::folder: make_folder(target, entry); break;
      case Type::file: make_file(target, entry, reader); break;
      case Type::symlink: make_symlink(target, entry); break;
      case Type::hard_link: make_hard_link(target, entry); break;
      case Type::fifo: make_node(target, entry, S_IFIFO, 0); break;
      case Type::char_device:
      case Type::block_device: make_device(target, entry, type); break;
    }
  }

  struct Target {
    int parent;
    const std::string& name;
    std::string path;  // without links
  };

  // Everything that is about to appear under this name replaces what is there.
  void own(const std::string& path, bool folder) {
    if (m_options.mode == Mode::apply) {
      if (m_own.insert(path).second) count_name(path);
      return;
    }
    LayerMarks& marks = m_result.record.marks;
    // A whiteout and a new folder of the same name: the folder below must not shine through.
    if (!marks.whiteouts.empty() && marks.whiteouts.erase(path) && folder) marks.opaques.insert(path);
  }

  void count_name(std::string_view name) {
    m_name_bytes += name.size() + 64;  // and what a node of the container takes
    if (m_name_bytes > m_options.limits.name_bytes)
      throw Error(ExitCode::configuration, "the names of the entries take too much memory");
  }

  void remember_folder(const std::string& path, const oci::TarEntry& entry) {
    const Owner owner = owner_of(entry, path);
    if (m_folders.insert_or_assign(path, FolderState{owner, entry.mtime, false}).second) count_name(path);
    m_result.record.marks.implicit.erase(path);
  }

  Owner owner_of(const oci::TarEntry& entry, const std::string& path) {
    constexpr std::uint64_t no_id = 0xffffffff;  // (uid_t)-1 means "unchanged" to chown
    if (entry.uid >= no_id || entry.gid >= no_id) throw refused(entry.name, "uid or gid out of range");
    const Owner owner{static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid),
                      static_cast<mode_t>(entry.mode & mode_bits)};
    if (m_options.owners) m_options.owners->write(as_bytes(format_owner(owner, path)));
    return owner;
  }

  void make_folder(const Target& target, const oci::TarEntry& entry) {
    own(target.path, true);
    if (::mkdirat(target.parent, target.name.c_str(), 0700) != 0) {
      if (errno != EEXIST) throw entry_error(errno, target.path);
      struct stat info;
      if (::fstatat(target.parent, target.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
        throw entry_error(errno, target.path);
      if (!S_ISDIR(info.st_mode)) {
        remove(target);
        if (::mkdirat(target.parent, target.name.c_str(), 0700) != 0) throw entry_error(errno, target.path);
      }
    }
    m_result.record.disk += block;
    if (m_root_user && !entry.xattrs.empty()) {
      const Fd fd(::openat(target.parent, target.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (fd) set_attributes(fd.get(), entry);
    }
    remember_folder(target.path, entry);
  }

  void make_file(const Target& target, const oci::TarEntry& entry, oci::TarReader& reader) {
    own(target.path, false);
    const auto create = [&] {
      return ::openat(target.parent, target.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    };
    Fd fd(create());
    if (!fd && errno == EEXIST) {
      remove(target);
      fd = Fd(create());
    }
    if (!fd) throw entry_error(errno, target.path);
    std::uint64_t written = 0;
    while (const std::size_t count = reader.read(m_buffer)) {
      Bytes rest = Bytes(m_buffer).first(count);
      while (!rest.empty()) {
        const ssize_t done = ::write(fd.get(), rest.data(), rest.size());
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) throw entry_error(errno, target.path);
        rest = rest.subspan(static_cast<std::size_t>(done));
      }
      written += count;
    }
    const Owner owner = owner_of(entry, target.path);
    if (m_change_owner && !(is_ours(owner) && m_options.mode == Mode::layer) &&
        !chown_worked(::fchown(fd.get(), owner.uid, owner.gid)))
      throw entry_error(errno, target.path);
    if (::fchmod(fd.get(), file_mode(owner.mode)) != 0) throw entry_error(errno, target.path);
    if (m_root_user && !entry.xattrs.empty()) set_attributes(fd.get(), entry);
    const timespec times[2] = {{0, UTIME_OMIT}, {entry.mtime, 0}};
    ::futimens(fd.get(), times);  // a time that the file system cannot hold is no reason to fail
    m_result.record.bytes += written;
    m_result.record.disk += std::max(block, (written + block - 1) / block * block);
  }

  void make_symlink(const Target& target, const oci::TarEntry& entry) {
    own(target.path, false);
    if (entry.link.empty() || entry.link.find('\0') != std::string::npos)
      throw refused(entry.name, "a symbolic link without a target");
    if (::symlinkat(entry.link.c_str(), target.parent, target.name.c_str()) != 0) {
      if (errno != EEXIST) throw entry_error(errno, target.path);
      remove(target);
      if (::symlinkat(entry.link.c_str(), target.parent, target.name.c_str()) != 0)
        throw entry_error(errno, target.path);
    }
    finish_node(target, entry, false);
  }

  void make_hard_link(const Target& target, const oci::TarEntry& entry) {
    if (entry.link.empty()) throw refused(entry.name, "a hard link without a target");
    const std::string source = normalise_entry_name(entry.link);
    if (source.empty()) throw refused(entry.name, "a hard link to the root");
    const auto [folder_name, name_view] = split_name(source);
    const std::string name(name_view);
    // The folder of the target is looked for, never made: a link to nothing is an error.
    m_only_look = true;
    const auto folder = m_tree.folder(folder_name);
    m_only_look = false;
    struct stat from;
    if (::fstatat(folder->fd.get(), name.c_str(), &from, AT_SYMLINK_NOFOLLOW) != 0)
      throw refused(entry.name, fmt::format("hard link to {}, which does not exist in this layer", quote_name(entry.link)));
    if (S_ISDIR(from.st_mode)) throw refused(entry.name, fmt::format("hard link to the folder {}", quote_name(entry.link)));
    own(target.path, false);
    owner_of(entry, target.path);
    struct stat there;
    if (::fstatat(target.parent, target.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
      if (there.st_dev == from.st_dev && there.st_ino == from.st_ino) return;  // to itself, or said twice
      if (is_within(join_name(folder->path, name), target.path))
        throw refused(entry.name, "a hard link that replaces the folder of its target");
      remove(target);
    }
    if (::linkat(folder->fd.get(), name.c_str(), target.parent, target.name.c_str(), 0) != 0)
      throw entry_error(errno, target.path);
  }

  void make_device(const Target& target, const oci::TarEntry& entry, Type type) {
    const bool whiteout = type == Type::char_device && entry.device_major == 0 && entry.device_minor == 0;
    // An unasked-for 0:0 would be a whiteout to overlayfs.
    if (!m_options.devices || !m_root_user || whiteout) return skip(entry.name);
    make_node(target, entry, type == Type::char_device ? S_IFCHR : S_IFBLK,
              makedev(entry.device_major, entry.device_minor));
  }

  void make_node(const Target& target, const oci::TarEntry& entry, mode_t type, dev_t device) {
    own(target.path, false);
    if (::mknodat(target.parent, target.name.c_str(), type | 0600, device) != 0) {
      if (errno != EEXIST) throw entry_error(errno, target.path);
      remove(target);
      if (::mknodat(target.parent, target.name.c_str(), type | 0600, device) != 0) throw entry_error(errno, target.path);
    }
    finish_node(target, entry, true);
  }

  void finish_node(const Target& target, const oci::TarEntry& entry, bool has_mode) {
    const Owner owner = owner_of(entry, target.path);
    if (m_change_owner && !chown_worked(::fchownat(target.parent, target.name.c_str(), owner.uid, owner.gid,
                                                   AT_SYMLINK_NOFOLLOW)))
      throw entry_error(errno, target.path);
    // fchmodat follows links, but this one is a node that we made a moment ago.
    if (has_mode && ::fchmodat(target.parent, target.name.c_str(), file_mode(owner.mode), 0) != 0)
      throw entry_error(errno, target.path);
    const timespec times[2] = {{0, UTIME_OMIT}, {entry.mtime, 0}};
    ::utimensat(target.parent, target.name.c_str(), times, AT_SYMLINK_NOFOLLOW);
    m_result.record.disk += block;
  }

  void whiteout(const std::string& entry_name, std::string_view folder_name, const std::string& name) {
    if (name.starts_with(aufs_prefix) && name != opaque_name) return skip(entry_name);  // aufs's own bookkeeping
    const auto folder = m_tree.folder(folder_name);
    LayerMarks& marks = m_result.record.marks;
    if (name == opaque_name) {
      if (m_options.mode == Mode::apply) {
        remove_lower_contents(folder->path);
        return;
      }
      if (marks.opaques.insert(folder->path).second) count_name(folder->path);
      return;
    }
    const std::string hidden = name.substr(whiteout_prefix.size());
    if (hidden.empty() || hidden == "." || hidden == "..") throw refused(entry_name, "a whiteout of nothing");
    const std::string path = join_name(folder->path, hidden);
    if (m_options.mode == Mode::apply) {
      remove_lower(path);
      return;
    }
    // Whiteouts speak about the layers below only, wherever they stand in the archive: what this layer brings stays.
    struct stat info;
    if (::fstatat(folder->fd.get(), hidden.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      if (S_ISDIR(info.st_mode) && marks.opaques.insert(path).second) count_name(path);
      return;
    }
    if (marks.whiteouts.insert(path).second) count_name(path);
  }

  // Removes what the layers below brought. True if nothing of this layer was in it.
  bool remove_lower(const std::string& path) {
    const bool ours = m_own.contains(path);
    const fs::path file = m_tree.root() / path;
    struct stat info;
    if (::lstat(file.c_str(), &info) != 0) {
      if (errno == ENOENT) return true;
      throw entry_error(errno, path);
    }
    if (!S_ISDIR(info.st_mode)) {
      if (ours) return false;
      if (::unlink(file.c_str()) != 0) throw entry_error(errno, path);
      if (S_ISLNK(info.st_mode)) m_tree.forget();
      return true;
    }
    const bool empty = remove_lower_contents(path);
    if (ours || !empty) return false;
    if (::rmdir(file.c_str()) != 0) throw entry_error(errno, path);
    forget_folder(path);
    return true;
  }

  bool remove_lower_contents(const std::string& path) {
    bool all = true;
    for (const auto& entry : list_folder(m_tree.root() / path)) all &= remove_lower(join_name(path, entry.name));
    return all;
  }

  // Removes what has this name, a folder with its contents.
  void remove(const Target& target) {
    struct stat info;
    if (::fstatat(target.parent, target.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;
      throw entry_error(errno, target.path);
    }
    if (S_ISDIR(info.st_mode)) {
      remove_tree(m_tree.root() / target.path);
      forget_folder(target.path);
      return;
    }
    if (::unlinkat(target.parent, target.name.c_str(), 0) != 0) throw entry_error(errno, target.path);
    if (S_ISLNK(info.st_mode)) m_tree.forget();
  }

  void forget_folder(const std::string& path) {
    m_tree.forget();
    LayerMarks& marks = m_result.record.marks;
    m_folders.erase(path);
    erase_below(m_folders, path);
    for (auto* paths : {&marks.whiteouts, &marks.opaques, &marks.implicit}) {
      paths->erase(path);
      erase_below(*paths, path);
    }
  }

  // ContainedTree::Way: folders on the way to an entry.
  void missing(int parent, const std::string& name, const std::string& path) override {
    if (m_only_look) throw refused(path, "a hard link's target lies below it, but it does not exist in this layer");
    own(path, true);
    if (::mkdirat(parent, name.c_str(), 0700) != 0) throw entry_error(errno, path);
    if (m_folders.try_emplace(path, FolderState{{0, 0, implicit_mode}, 0, true}).second) count_name(path);
    if (m_options.mode == Mode::layer && m_result.record.marks.implicit.insert(path).second) count_name(path);
    m_result.record.disk += block;
  }

  void obstacle(int parent, const std::string& name, const std::string& path) override {
    if (m_only_look || m_options.mode == Mode::layer || m_own.contains(path))
      throw refused(path, "it is not a folder, but entries lie below it");
    // A layer below made a file of it; this layer says that it is a folder.
    if (::unlinkat(parent, name.c_str(), 0) != 0) throw entry_error(errno, path);
    missing(parent, name, path);
  }

  bool is_ours(const Owner& owner) const { return owner.uid == m_uid && owner.gid == m_gid; }

  bool chown_worked(int result) {
    if (result == 0) return true;
    // Ids that are not mapped here (a container of a user) or a root that may not: the `owners` tell.
    return errno == EPERM || errno == EINVAL;
  }

  mode_t file_mode(mode_t mode) const { return m_root_user ? mode : ((mode & 0777) | 0400); }
  mode_t folder_mode(mode_t mode) const { return m_root_user ? mode : ((mode & 01777) | 0700); }

  static void set_attributes(int fd, const oci::TarEntry& entry) {
    for (const auto& [key, value] : entry.xattrs) {
      // trusted.* and user.overlay.* are overlayfs's: from an archive they would be a lie.
      const bool wanted = key == "security.capability" || (key.starts_with("user.") && !key.starts_with("user.overlay."));
      if (wanted) ::fsetxattr(fd, key.c_str(), value.data(), value.size(), 0);
    }
  }

  void skip(const std::string& name) {
    if (m_result.skipped.size() < 100) m_result.skipped.push_back(name);
  }

  // Backwards: what lies in a folder has its mode and time before it.
  void finish_folders() {
    for (auto it = m_folders.rbegin(); it != m_folders.rend(); ++it) {
      const auto& [path, state] = *it;
      const Fd fd = m_tree.open_folder(path);
      if (!fd) throw entry_error(errno, path);
      if (m_change_owner && !chown_worked(::fchown(fd.get(), state.owner.uid, state.owner.gid)))
        throw entry_error(errno, path);
      if (::fchmod(fd.get(), folder_mode(state.owner.mode)) != 0) throw entry_error(errno, path);
      if (state.keep_time) continue;
      const timespec times[2] = {{0, UTIME_OMIT}, {state.mtime, 0}};
      ::futimens(fd.get(), times);
    }
  }

  static constexpr std::uint64_t block = 4096;

  const ExtractOptions& m_options;
  const bool m_root_user;
  const bool m_change_owner;
  const uid_t m_uid = ::geteuid();
  const gid_t m_gid = ::getegid();
  ContainedTree m_tree;
  std::vector<std::byte> m_buffer;
  Extracted m_result;
  std::map<std::string, FolderState> m_folders;
  std::unordered_set<std::string> m_own;  // apply: paths that this layer brought
  std::uint64_t m_name_bytes = 0;
  bool m_only_look = false;
};

}  // namespace

Extracted extract(Source& tar, const fs::path& folder, const ExtractOptions& options) {
  try {
    return Extractor(folder, options).run(tar);
  } catch (Error& error) {
    if (!options.name.empty() && error.category() != Category::cancelled) error.within(options.name);
    throw;
  }
}

}  // namespace cib::store
