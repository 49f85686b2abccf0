#include "build/work_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <vector>

#include "base/error.hpp"
#include "base/tasks.hpp"

namespace cib::build {

namespace {

constexpr mode_t permission_bits = 07777;

bool is_root() { return ::geteuid() == 0; }

// Fast where the file system can share blocks, else a copy in the kernel, else by hand.
void copy_contents(int from, int to, const fs::path& name) {
  if (::ioctl(to, FICLONE, from) == 0) return;
  bool copied = false;
  for (;;) {
    const ssize_t count = ::copy_file_range(from, nullptr, to, nullptr, 1u << 30, 0);
    if (count == 0) return;
    if (count > 0) {
      copied = true;
      continue;
    }
    if (errno == EINTR) continue;
    if (copied || (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP && errno != EPERM))
      throw system_error(errno, name.string(), ExitCode::disk);
    break;
  }
  std::vector<std::byte> buffer(256 * 1024);
  for (;;) {
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw system_error(errno, name.string(), ExitCode::configuration);
    if (count == 0) return;
    FdSink(to, name).write(Bytes(buffer).first(static_cast<std::size_t>(count)));
  }
}

class Stager {
 public:
  Stager(Ids ids, const std::vector<fs::path>& leave_out, std::stop_token stop)
      : m_ids(ids), m_leave_out(leave_out), m_stop(std::move(stop)) {}

  std::size_t files() const { return m_files; }

  // Everything in `from` into `to`, which exists; `name` is for messages.
  void folder(int from, int to, const fs::path& name) {
    throw_if_stopped(m_stop);
    for (const FolderEntry& entry : list_folder(fmt::format("/proc/self/fd/{}", from))) {
      const fs::path path = name / entry.name;
      if (is_left_out(path)) continue;
      switch (entry.type) {
        case DT_DIR: sub_folder(from, to, entry.name, path); break;
        case DT_REG: file(from, to, entry.name, path); break;
        case DT_LNK: link(from, to, entry.name, path); break;
        case DT_FIFO: fifo(from, to, entry.name, path); break;
        default: break;  // sockets and devices mean nothing in an image
      }
    }
  }

 private:
  // Half made outputs are called ".NAME.partial-…" beside their final place (oci/partial).
  bool is_left_out(const fs::path& path) const {
    for (const fs::path& place : m_leave_out)
      if (path == place || (path.parent_path() == place.parent_path() &&
                            path.filename().string().starts_with("." + place.filename().string() + ".partial-")))
        return true;
    return false;
  }

  static Fd open_at(int folder, const std::string& name, int flags, const fs::path& path, mode_t mode = 0) {
    Fd fd(::openat(folder, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!fd) throw system_error(errno, path.string(), ExitCode::configuration);
    return fd;
  }

  void finish(int fd, const struct stat& info, const fs::path& path) {
    if (is_root() && ::fchown(fd, m_ids.uid, m_ids.gid) != 0) throw system_error(errno, path.string());
    if (::fchmod(fd, info.st_mode & permission_bits) != 0) throw system_error(errno, path.string());
    const timespec times[2] = {info.st_mtim, info.st_mtim};
    ::futimens(fd, times);
  }

  static struct stat status(int fd, const fs::path& path) {
    struct stat info;
    if (::fstat(fd, &info) != 0) throw system_error(errno, path.string());
    return info;
  }

  void sub_folder(int from, int to, const std::string& name, const fs::path& path) {
    const Fd source = open_at(from, name, O_RDONLY | O_DIRECTORY, path);
    if (::mkdirat(to, name.c_str(), 0700) != 0) throw system_error(errno, path.string(), ExitCode::disk);
    const Fd target = open_at(to, name, O_RDONLY | O_DIRECTORY, path);
    folder(source.get(), target.get(), path);
    finish(target.get(), status(source.get(), path), path);
  }

  void file(int from, int to, const std::string& name, const fs::path& path) {
    const Fd source = open_at(from, name, O_RDONLY | O_NONBLOCK, path);
    const struct stat info = status(source.get(), path);
    ++m_files;
    if (info.st_nlink > 1) {
      const auto [known, first] = m_linked.try_emplace({info.st_dev, info.st_ino}, m_copies.size());
      if (!first) {
        const auto& copy = m_copies[known->second];
        if (::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", copy.get()).c_str(), to, name.c_str(),
                     AT_SYMLINK_FOLLOW) == 0)
          return;
      }
    }
    Fd target = open_at(to, name, O_WRONLY | O_CREAT | O_EXCL, path, 0600);
    if (info.st_size > 0) copy_contents(source.get(), target.get(), path);
    finish(target.get(), info, path);
    if (info.st_nlink > 1) m_copies.push_back(open_at(to, name, O_PATH, path));
  }

  void link(int from, int to, const std::string& name, const fs::path& path) {
    char target[4097];
    const ssize_t size = ::readlinkat(from, name.c_str(), target, sizeof target - 1);
    if (size < 0) throw system_error(errno, path.string(), ExitCode::configuration);
    target[size] = '\0';
    if (::symlinkat(target, to, name.c_str()) != 0) throw system_error(errno, path.string(), ExitCode::disk);
    if (is_root() && ::fchownat(to, name.c_str(), m_ids.uid, m_ids.gid, AT_SYMLINK_NOFOLLOW) != 0)
      throw system_error(errno, path.string());
  }

  void fifo(int from, int to, const std::string& name, const fs::path& path) {
    struct stat info;
    if (::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        ::mkfifoat(to, name.c_str(), 0600) != 0 || ::fchmodat(to, name.c_str(), info.st_mode & permission_bits, 0) != 0)
      throw system_error(errno, path.string());
    if (is_root() && ::fchownat(to, name.c_str(), m_ids.uid, m_ids.gid, AT_SYMLINK_NOFOLLOW) != 0)
      throw system_error(errno, path.string());
  }

  Ids m_ids;
  const std::vector<fs::path>& m_leave_out;
  std::stop_token m_stop;
  std::size_t m_files = 0;
  std::map<std::pair<dev_t, ino_t>, std::size_t> m_linked;
  std::vector<Fd> m_copies;
};

}  // namespace

WorkTree::WorkTree(const fs::path& root, Ids ids) : m_root(root), m_ids(ids) {
  for (const fs::path& path : {layers(), app(), platform(), platform() / "env", temporary()}) make_folders(path);
  for (const fs::path& path : {layers(), app()}) give(path);
  if (::chmod(temporary().c_str(), 01777) != 0) throw system_error(errno, temporary().string());
}

void WorkTree::give(const fs::path& path) const {
  if (is_root() && ::lchown(path.c_str(), m_ids.uid, m_ids.gid) != 0) throw system_error(errno, path.string());
}

void WorkTree::make_folder(const fs::path& path) const {
  if (::mkdir(path.c_str(), 0755) == 0) {
    if (::chmod(path.c_str(), 0755) != 0) throw system_error(errno, path.string());
    give(path);
    return;
  }
  if (errno != EEXIST) throw system_error(errno, path.string());
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    throw Error(ExitCode::build, fmt::format("/{} is not a folder", path.lexically_relative(m_root).string()))
        .why("a buildpack put something else in its place");
}

void WorkTree::write(const fs::path& path, std::string_view text, mode_t mode) const {
  const Fd fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  FdSink(fd.get(), path).write(as_bytes(text));
  if (is_root() && ::fchown(fd.get(), m_ids.uid, m_ids.gid) != 0) throw system_error(errno, path.string());
  if (::fchmod(fd.get(), mode) != 0) throw system_error(errno, path.string());
}

std::size_t WorkTree::stage(const fs::path& source, const std::vector<fs::path>& leave_out, std::stop_token stop) const {
  const Fd from = open_file(source, O_RDONLY | O_DIRECTORY);
  const Fd to = open_file(app(), O_RDONLY | O_DIRECTORY);
  Stager stager(m_ids, leave_out, std::move(stop));
  stager.folder(from.get(), to.get(), fs::canonical(source));
  return stager.files();
}

void WorkTree::open_up() const {
  if (is_root()) return;
  const auto make_readable = [&](const auto& self, int parent, const std::string& name, const fs::path& path) -> void {
    struct stat info;
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) throw system_error(errno, path.string());
    if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) return;
    const mode_t mode = info.st_mode & permission_bits, needed = S_ISDIR(info.st_mode) ? 0500 : 0400;
    if ((mode & needed) != needed && ::fchmodat(parent, name.c_str(), mode | needed, 0) == 0)
      m_modes->try_emplace({info.st_dev, info.st_ino}, mode);
    if (!S_ISDIR(info.st_mode)) return;
    const Fd folder(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) throw system_error(errno, path.string(), ExitCode::export_image);
    for (const FolderEntry& entry : list_folder(fmt::format("/proc/self/fd/{}", folder.get())))
      if (entry.type == DT_DIR || entry.type == DT_REG) self(self, folder.get(), entry.name, path / entry.name);
  };
  const Fd root = open_file(m_root, O_RDONLY | O_DIRECTORY);
  for (const fs::path& path : {layers(), app()}) make_readable(make_readable, root.get(), path.filename(), path);
}

mode_t WorkTree::original_mode(const struct stat& info) const {
  const auto found = m_modes->find({info.st_dev, info.st_ino});
  return found == m_modes->end() ? info.st_mode & permission_bits : found->second;
}

void WorkTree::write_platform_env(const cnb::EnvFiles& env) const {
  for (const auto& [name, value] : env) write_file(platform() / "env" / name, value);
}

}  // namespace cib::build
