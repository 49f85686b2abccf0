#include "store/flat.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <map>
#include <mutex>
#include <thread>

#include "base/error.hpp"
#include "base/tasks.hpp"
#include "store/contained_tree.hpp"
#include "store/entry_name.hpp"
#include "store/layer_store.hpp"
#include "store/merged_rootfs.hpp"

namespace cib::store {

namespace {

Error file_error(int error_number, const fs::path& path) { return system_error(error_number, path.string(), ExitCode::disk); }

void copy_by_hand(int from, int to, const fs::path& path) {
  std::vector<std::byte> buffer(256 * 1024);
  FdSink sink(to, path);
  for (;;) {
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw file_error(errno, path);
    if (count == 0) return;
    sink.write(Bytes(buffer).first(static_cast<std::size_t>(count)));
  }
}

void copy_contents(int from, int to, off_t size, const fs::path& path) {
  if (size == 0) return;
  if (::ioctl(to, FICLONE, from) == 0) return;
  for (;;) {
    const ssize_t count = ::copy_file_range(from, nullptr, to, nullptr, std::size_t{1} << 30, 0);
    if (count == 0) return;
    if (count > 0 || errno == EINTR) continue;
    if (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM)
      return copy_by_hand(from, to, path);  // goes on where both files stand
    throw file_error(errno, path);
  }
}

// What an unpacked file has got of the archive's attributes; overlayfs's marks are none of them.
void copy_attributes(int from, int to) {
  char names[4096];
  const ssize_t size = ::flistxattr(from, names, sizeof names);
  for (ssize_t at = 0; at < size;) {
    const std::string name = names + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    if (name != "security.capability" && (!name.starts_with("user.") || name.starts_with("user.overlay."))) continue;
    char value[65536];
    const ssize_t length = ::fgetxattr(from, name.c_str(), value, sizeof value);
    if (length >= 0) ::fsetxattr(to, name.c_str(), value, static_cast<std::size_t>(length), 0);
  }
}

// Merges the layers folder by folder, a level of the tree at a time on all cores. No folder stays open between levels.
class Flattener {
 public:
  Flattener(const std::vector<UnpackedLayer>& layers, const fs::path& root)
      : m_layers(layers), m_root(root), m_root_user(::geteuid() == 0), m_root_fd(open_file(root, O_PATH | O_DIRECTORY)) {
    for (const auto& layer : layers) m_layer_fds.push_back(open_file(layer.path, O_PATH | O_DIRECTORY));
    m_workers = std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
  }

  void run() {
    std::vector<Folder> level(1);
    for (std::size_t i = 0; i < m_layers.size(); ++i) level.front().layers.push_back(i);
    while (!level.empty()) {
      for_each_index(m_workers, level.size(), [&](std::size_t i) { merge(level[i]); });
      std::vector<Folder> next;
      for (auto& folder : level) {
        std::move(folder.children.begin(), folder.children.end(), std::back_inserter(next));
        folder.children.clear();
        folder.children.shrink_to_fit();
        m_folders.push_back(std::move(folder));
      }
      level = std::move(next);
    }
    // Files with several names, one after another: the first is copied, the others are links to it.
    for (const auto& file : m_linked) make_linked(file);
    finish_folders();
  }

 private:
  struct Folder {
    std::string path;
    std::vector<std::size_t> layers;  // where it is from, top first
    std::vector<Folder> children;
  };
  struct Linked {
    std::size_t layer;
    std::string path;
    dev_t device;
    ino_t inode;
  };
  struct Entry {
    std::string name;
    std::size_t layer;
    unsigned char type;  // DT_WHT: hides what is below
  };

  Fd open_in(int base, const std::string& path) const {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (path.empty()) return Fd(::openat(base, ".", flags));
    Fd fd(open_beneath(base, path.c_str(), flags));
    if (fd || errno != ENOSYS) return fd;
    for (const auto& part : split_path(path)) {
      Fd next(::openat(fd ? fd.get() : base, part.c_str(), flags));
      if (!next) return next;
      fd = std::move(next);
    }
    return fd;
  }

  void list(std::size_t layer, const std::string& path, int fd, std::vector<Entry>& entries) const {
    const LayerMarks& marks = m_layers[layer].record->marks;
    Fd own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));  // closedir closes it
    DIR* folder = own ? ::fdopendir(own.get()) : nullptr;
    if (!folder) throw file_error(errno, m_layers[layer].path / path);
    own.release();
    const std::unique_ptr<DIR, int (*)(DIR*)> guard(folder, ::closedir);
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(folder);
      if (!entry) {
        if (errno) throw file_error(errno, m_layers[layer].path / path);
        break;
      }
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      unsigned char type = entry->d_type;
      if (type == DT_UNKNOWN) {
        struct stat info;
        if (::fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) throw file_error(errno, m_layers[layer].path / path);
        type = static_cast<unsigned char>((info.st_mode & S_IFMT) >> 12);
      }
      // Whiteouts come from the record below: not every file system can hold them.
      if (type == DT_CHR && marks.whiteouts.contains(join_name(path, name))) continue;
      entries.push_back({std::string(name), layer, type});
    }
    if (marks.whiteouts.empty()) return;
    const std::string prefix = path.empty() ? "" : path + "/";
    for (auto it = marks.whiteouts.lower_bound(prefix); it != marks.whiteouts.end() && it->starts_with(prefix); ++it)
      if (it->find('/', prefix.size()) == std::string::npos) entries.push_back({it->substr(prefix.size()), layer, DT_WHT});
  }

  // Makes what lies in the folder; its own mode comes at the end.
  void merge(Folder& folder) {
    const Fd to = open_in(m_root_fd.get(), folder.path);
    if (!to) throw file_error(errno, m_root / folder.path);
    std::map<std::size_t, Fd> from;
    std::vector<Entry> entries;
    for (const std::size_t layer : folder.layers) {
      Fd fd = open_in(m_layer_fds[layer].get(), folder.path);
      if (!fd) throw file_error(errno, m_layers[layer].path / folder.path);
      list(layer, folder.path, fd.get(), entries);
      from.emplace(layer, std::move(fd));
    }
    // Layers are numbered from the top, and so are the entries of one name.
    if (folder.layers.size() > 1)
      std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
    for (std::size_t i = 0; i < entries.size();) {
      std::size_t end = i + 1;
      if (folder.layers.size() > 1)
        while (end < entries.size() && entries[end].name == entries[i].name) ++end;
      if (entries[i].type == DT_DIR)
        add_folder(folder, to.get(), {entries.data() + i, end - i});
      else if (entries[i].type != DT_WHT)
        add_file(folder.path, to.get(), from.at(entries[i].layer).get(), entries[i]);
      i = end;
    }
  }

  void add_folder(Folder& parent, int to, std::span<const Entry> entries) {
    Folder folder{join_name(parent.path, entries.front().name), {}, {}};
    for (const auto& entry : entries) {
      if (entry.type != DT_DIR) break;
      folder.layers.push_back(entry.layer);
      if (m_layers[entry.layer].record->marks.opaques.contains(folder.path)) break;
    }
    if (::mkdirat(to, entries.front().name.c_str(), 0700) != 0) throw file_error(errno, m_root / folder.path);
    parent.children.push_back(std::move(folder));
  }

  void add_file(const std::string& folder, int to, int from, const Entry& entry) {
    const char* name = entry.name.c_str();
    const fs::path path = m_root / folder / entry.name;
    struct stat info;
    if (::fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0) throw file_error(errno, path);
    if (S_ISREG(info.st_mode)) {
      if (may_link(folder, info) && ::linkat(from, name, to, name, 0) == 0) return;
      // Not on this file system, too many links already, or not ours to link: a copy does as well.
      if (info.st_nlink > 1) {
        const std::lock_guard guard(m_mutex);
        m_linked.push_back({entry.layer, join_name(folder, entry.name), info.st_dev, info.st_ino});
        return;
      }
      return copy_file(from, to, name, info, path);
    }
    if (S_ISLNK(info.st_mode)) {
      std::string target(static_cast<std::size_t>(std::max<off_t>(info.st_size, 1)) + 1, '\0');
      const ssize_t size = ::readlinkat(from, name, target.data(), target.size());
      if (size < 0) throw file_error(errno, path);
      target.resize(static_cast<std::size_t>(size));
      if (::symlinkat(target.c_str(), to, name) != 0) throw file_error(errno, path);
    } else if (::mknodat(to, name, info.st_mode, info.st_rdev) != 0) {
      throw file_error(errno, path);
    }
    if (m_root_user && ::fchownat(to, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0) throw file_error(errno, path);
    if (!S_ISLNK(info.st_mode) && ::fchmodat(to, name, info.st_mode & 07777, 0) != 0) throw file_error(errno, path);
    const timespec times[2] = {info.st_atim, info.st_mtim};
    ::utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
  }

  // A link to the store's own file is as good as a copy only if nobody but root can write to it, and root does not: the
  // sandbox writes hosts, resolv.conf and the like.
  bool may_link(const std::string& folder, const struct stat& info) const {
    return m_root_user && info.st_uid == 0 && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0 && folder != "etc" &&
           !folder.starts_with("etc/");
  }

  void copy_file(int from_folder, int to_folder, const char* name, const struct stat& info, const fs::path& path) const {
    const Fd from(::openat(from_folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!from) throw file_error(errno, path);
    const Fd to(::openat(to_folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!to) throw file_error(errno, path);
    copy_contents(from.get(), to.get(), info.st_size, path);
    if (m_root_user && ::fchown(to.get(), info.st_uid, info.st_gid) != 0) throw file_error(errno, path);
    if (::fchmod(to.get(), info.st_mode & 07777) != 0) throw file_error(errno, path);
    if (m_root_user) copy_attributes(from.get(), to.get());
    const timespec times[2] = {info.st_atim, info.st_mtim};
    ::futimens(to.get(), times);
  }

  void make_linked(const Linked& file) {
    const auto [folder, name_view] = split_name(file.path);
    const std::string name(name_view);
    const fs::path path = m_root / file.path;
    const Fd to = open_in(m_root_fd.get(), std::string(folder));
    if (!to) throw file_error(errno, path);
    const auto [first, added] = m_first.try_emplace({file.device, file.inode}, file.path);
    if (!added && ::linkat(m_root_fd.get(), first->second.c_str(), to.get(), name.c_str(), 0) == 0) return;
    const Fd from = open_in(m_layer_fds[file.layer].get(), std::string(folder));
    struct stat info;
    if (!from || ::fstatat(from.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) throw file_error(errno, path);
    copy_file(from.get(), to.get(), name.c_str(), info, path);
  }

  // Backwards: children have been made before, and are finished first.
  void finish_folders() {
    for (auto it = m_folders.rbegin(); it != m_folders.rend(); ++it) {
      std::size_t layer = it->layers.front();
      for (const std::size_t candidate : it->layers)
        if (!m_layers[candidate].record->marks.implicit.contains(it->path)) {
          layer = candidate;
          break;
        }
      const Fd from = open_in(m_layer_fds[layer].get(), it->path);
      const Fd to = open_in(m_root_fd.get(), it->path);
      struct stat info;
      if (!from || !to || ::fstat(from.get(), &info) != 0) throw file_error(errno, m_root / it->path);
      if (m_root_user && ::fchown(to.get(), info.st_uid, info.st_gid) != 0) throw file_error(errno, m_root / it->path);
      if (::fchmod(to.get(), info.st_mode & 07777) != 0) throw file_error(errno, m_root / it->path);
      if (m_root_user) copy_attributes(from.get(), to.get());
      const timespec times[2] = {info.st_atim, info.st_mtim};
      ::futimens(to.get(), times);
    }
  }

  const std::vector<UnpackedLayer>& m_layers;
  const fs::path m_root;
  const bool m_root_user;
  Fd m_root_fd;
  std::vector<Fd> m_layer_fds;
  unsigned m_workers;
  std::vector<Folder> m_folders;  // made, a folder after the one it lies in
  std::mutex m_mutex;
  std::vector<Linked> m_linked;  // under m_mutex
  std::map<std::pair<dev_t, ino_t>, std::string> m_first;
};

}  // namespace

std::unique_ptr<Rootfs> make_flat(std::vector<UnpackedLayer> top_first, const BuildFolder& build) {
  RootTree tree;
  const fs::path folder = build.path() / "root";
  make_folders(folder, 0700);
  tree.flat = folder / "flat";
  make_folders(tree.flat, 0700);
  tree.mount_point = folder / "merged";
  make_folders(tree.mount_point, 0755);
  Flattener(top_first, tree.flat).run();
  std::vector<MergedTree::View> files{{tree.flat, nullptr, {}, false}};
  return std::make_unique<MergedRootfs>("flat", std::move(top_first), std::move(tree), std::move(files));
}

}  // namespace cib::store
