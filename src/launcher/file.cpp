#include "launcher/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "launcher/failure.hpp"

namespace cib::launcher {

namespace {

bool is_missing(int error_number) { return error_number == ENOENT || error_number == ENOTDIR; }

bool is_folder_entry(const std::string& folder, const dirent& entry, bool follow_links) {
  if (entry.d_type == DT_DIR) return true;
  if (entry.d_type != DT_UNKNOWN && (entry.d_type != DT_LNK || !follow_links)) return false;
  struct stat status {};
  const std::string path = folder + '/' + entry.d_name;
  return fstatat(AT_FDCWD, path.c_str(), &status, follow_links ? 0 : AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISDIR(status.st_mode);
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    m_fd = other.m_fd;
    other.m_fd = -1;
  }
  return *this;
}

void Fd::reset() {
  if (m_fd >= 0) close(m_fd);
  m_fd = -1;
}

std::string read_all(int fd, const std::string& name, std::size_t limit) {
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count < 0) {
      if (errno == EINTR) continue;
      throw system_failure(errno, "read", name);
    }
    if (count == 0) return text;
    if (text.size() + static_cast<std::size_t>(count) > limit) {
      throw launch_failure("read " + name + ": more than " + std::to_string(limit) + " bytes");
    }
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

std::optional<std::string> read_file_if_exists(const std::string& path, std::size_t limit) {
  // O_NONBLOCK: a named pipe must not hold up the start.
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    if (is_missing(errno)) return std::nullopt;
    throw system_failure(errno, "open", path);
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) throw system_failure(errno, "stat", path);
  if (!S_ISREG(status.st_mode)) throw launch_failure("open " + path + ": not a regular file");
  return read_all(fd.get(), path, limit);
}

bool is_folder(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0) return S_ISDIR(status.st_mode);
  if (is_missing(errno)) return false;
  throw system_failure(errno, "stat", path);
}

bool is_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0) return !S_ISDIR(status.st_mode);
  if (is_missing(errno)) return false;
  throw system_failure(errno, "stat", path);
}

std::vector<std::string> list_folder(const std::string& path, Listed listed) {
  std::vector<std::string> names;
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (fd.get() < 0) {
    if (is_missing(errno)) return names;
    throw system_failure(errno, "open", path);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(fdopendir(fd.get()), closedir);
  if (folder == nullptr) throw system_failure(errno, "open", path);
  fd.release();
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(folder.get());
    if (entry == nullptr) {
      if (errno != 0) throw system_failure(errno, "read", path);
      break;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (is_folder_entry(path, *entry, listed == Listed::files) == (listed == Listed::folders)) names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace cib::launcher
