#include "base/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <random>

#include "base/error.hpp"

namespace cib {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    m_fd = other.release();
  }
  return *this;
}

void Fd::reset() {
  if (m_fd >= 0) ::close(m_fd);
  m_fd = -1;
}

Fd open_file(const fs::path& path, int flags, mode_t mode) {
  int fd;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) throw system_error(errno, path.string(), ExitCode::configuration);
  return Fd(fd);
}

std::optional<Fd> open_if_exists(const fs::path& path, int flags) {
  int fd;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC);
  while (fd < 0 && errno == EINTR);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (fd < 0) throw system_error(errno, path.string(), ExitCode::configuration);
  return Fd(fd);
}

FileSource::FileSource(const fs::path& path) : m_fd(open_file(path, O_RDONLY)), m_name(path) {}

std::size_t FileSource::read(std::span<std::byte> buffer) {
  if (buffer.empty()) return 0;
  ssize_t count;
  do count = ::read(m_fd.get(), buffer.data(), buffer.size());
  while (count < 0 && errno == EINTR);
  if (count < 0) throw system_error(errno, m_name.string(), ExitCode::configuration);
  return static_cast<std::size_t>(count);
}

void FdSink::write(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(m_fd, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      throw system_error(errno, m_name.string(), ExitCode::disk);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

namespace {

std::string read_open_file(Fd fd, const fs::path& path, std::size_t limit) {
  FileSource source(std::move(fd), path);
  try {
    return read_all(source, limit);
  } catch (Error& error) {
    if (error.message().starts_with("longer than")) error.within(path.string());
    throw;
  }
}

std::string random_suffix() {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device random;
  std::string suffix(10, ' ');
  for (char& c : suffix) c = letters[random() % (sizeof letters - 1)];
  return suffix;
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t limit) {
  return read_open_file(open_file(path, O_RDONLY), path, limit);
}

std::optional<std::string> read_file_if_exists(const fs::path& path, std::size_t limit) {
  auto fd = open_if_exists(path, O_RDONLY);
  if (!fd) return std::nullopt;
  return read_open_file(std::move(*fd), path, limit);
}

void write_file(const fs::path& path, std::string_view text, mode_t mode) {
  Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  if (::fchmod(fd.get(), mode) != 0) throw system_error(errno, path.string());
  FdSink(fd.get(), path).write(as_bytes(text));
}

void write_file_atomically(const fs::path& path, std::string_view text, mode_t mode) {
  const fs::path partial = path.string() + ".partial-" + random_suffix();
  try {
    write_file(partial, text, mode);
    if (::rename(partial.c_str(), path.c_str()) != 0) throw system_error(errno, path.string());
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
}

void make_folders(const fs::path& path, mode_t mode) {
  if (path.empty() || fs::is_directory(path)) return;
  if (path.has_parent_path() && path.parent_path() != path) make_folders(path.parent_path(), mode);
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST && fs::is_directory(path)) return;
    throw system_error(errno, path.string(), ExitCode::configuration);
  }
  if (::chmod(path.c_str(), mode) != 0) throw system_error(errno, path.string());
}

namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

Folder open_folder_at(int parent, const char* name, const fs::path& path) {
  const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) throw system_error(errno, path.string());
  Folder folder(::fdopendir(fd));
  if (!folder) {
    const int error = errno;
    ::close(fd);
    throw system_error(error, path.string());
  }
  return folder;
}

unsigned char entry_type(int folder, const dirent& entry, const fs::path& path) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type;
  struct stat info;
  if (::fstatat(folder, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
    throw system_error(errno, (path / entry.d_name).string());
  return static_cast<unsigned char>((info.st_mode & S_IFMT) >> 12);
}

std::vector<FolderEntry> read_entries(DIR* folder, const fs::path& path) {
  std::vector<FolderEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder);
    if (!entry) {
      if (errno) throw system_error(errno, path.string());
      return entries;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    entries.push_back({std::string(name), entry_type(::dirfd(folder), *entry, path)});
  }
}

// Is something mounted on this folder? What lies below a mount is somebody else's: a killed program may have left
// this machine's /dev/shm or /sys in a tree of ours.
bool is_mount_point(int parent, const char* name) {
  struct statx folder;
  if (::statx(parent, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &folder) != 0) return false;
  if ((folder.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0)
    return (folder.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  // Before Linux 5.8: another device than that of the folder around it.
  struct statx around;
  if (::statx(parent, "", AT_EMPTY_PATH, STATX_TYPE, &around) != 0) return false;
  return folder.stx_dev_major != around.stx_dev_major || folder.stx_dev_minor != around.stx_dev_minor;
}

void remove_at(int parent, const char* name, bool folder, const fs::path& path) {
  if (!folder) {
    if (::unlinkat(parent, name, 0) != 0 && errno != ENOENT) throw system_error(errno, path.string());
    return;
  }
  if (parent != AT_FDCWD && is_mount_point(parent, name)) throw system_error(EBUSY, path.string());
  {
    Folder contents;
    try {
      contents = open_folder_at(parent, name, path);
    } catch (const Error&) {
      // A folder without r or x for its owner: a buildpack may leave one (and did not mean to keep it).
      ::fchmodat(parent, name, 0700, 0);
      contents = open_folder_at(parent, name, path);
    }
    const auto entries = read_entries(contents.get(), path);
    if (!entries.empty() && ::faccessat(::dirfd(contents.get()), ".", W_OK | X_OK, AT_EACCESS) != 0)
      ::fchmod(::dirfd(contents.get()), 0700);
    for (const auto& entry : entries)
      remove_at(::dirfd(contents.get()), entry.name.c_str(), entry.type == DT_DIR, path / entry.name);
  }
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) throw system_error(errno, path.string());
}

void change_owner_at(int parent, const char* name, bool folder, uid_t uid, gid_t gid, const fs::path& path) {
  if (::fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0) throw system_error(errno, path.string());
  if (!folder) return;
  const Folder contents = open_folder_at(parent, name, path);
  for (const auto& entry : read_entries(contents.get(), path))
    change_owner_at(::dirfd(contents.get()), entry.name.c_str(), entry.type == DT_DIR, uid, gid, path / entry.name);
}

}  // namespace

void remove_tree(const fs::path& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    throw system_error(errno, path.string());
  }
  remove_at(AT_FDCWD, path.c_str(), S_ISDIR(info.st_mode), path);
}

void change_owner(const fs::path& path, uid_t uid, gid_t gid) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) throw system_error(errno, path.string());
  change_owner_at(AT_FDCWD, path.c_str(), S_ISDIR(info.st_mode), uid, gid, path);
}

bool exists_no_follow(const fs::path& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0;
}

std::vector<FolderEntry> list_folder(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw system_error(errno, path.string(), ExitCode::configuration);
  Folder folder(::fdopendir(fd));
  if (!folder) {
    const int error = errno;
    ::close(fd);
    throw system_error(error, path.string());
  }
  auto entries = read_entries(folder.get(), path);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

TempFolder::TempFolder(const fs::path& parent, std::string_view prefix) {
  std::string name = (parent / fmt::format("{}XXXXXX", prefix)).string();
  if (!::mkdtemp(name.data())) throw system_error(errno, name);
  m_path = name;
}

TempFolder::TempFolder(TempFolder&& other) noexcept : m_path(std::move(other.m_path)) { other.m_path.clear(); }

TempFolder::~TempFolder() {
  if (m_path.empty()) return;
  try {
    remove_tree(m_path);
  } catch (const std::exception&) {
    // A destructor may run while another failure is on its way; what is left is garbage that the
    // store's next start removes.
  }
}

fs::path TempFolder::release() {
  fs::path path = std::move(m_path);
  m_path.clear();
  return path;
}

FileLock::FileLock(const fs::path& path, Kind kind) : m_fd(open_file(path, O_RDWR | O_CREAT, 0644)) {
  while (::flock(m_fd.get(), kind == Kind::shared ? LOCK_SH : LOCK_EX) != 0)
    if (errno != EINTR) throw system_error(errno, path.string());
}

std::optional<FileLock> FileLock::try_lock(const fs::path& path, Kind kind) {
  Fd fd = open_file(path, O_RDWR | O_CREAT, 0644);
  while (::flock(fd.get(), (kind == Kind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return std::nullopt;
    throw system_error(errno, path.string());
  }
  return FileLock(std::move(fd));
}

}  // namespace cib
