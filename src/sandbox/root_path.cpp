// make_target: walking a path inside of a root without the kernel's help, one component at a time.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <vector>

#include "base/error.hpp"
#include "sandbox/mounts.hpp"

namespace cib::sandbox {

namespace {

constexpr int most_links = 40;  // as the kernel

void prepend_components(std::deque<std::string>& components, std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (end > 0) parts.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  components.insert(components.begin(), parts.begin(), parts.end());
}

std::string read_link(int fd, std::string_view path) {
  std::array<char, 4096> buffer{};
  const ssize_t size = readlinkat(fd, "", buffer.data(), buffer.size());
  if (size < 0) throw system_error(errno, path);
  return {buffer.data(), static_cast<std::size_t>(size)};
}

Fd reopen(int fd) {
  Fd copy(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) throw system_error(errno, "dup");
  return copy;
}

}  // namespace

std::string fd_path(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

Fd make_target(int root, std::string_view path, bool folder) {
  std::deque<std::string> components;
  prepend_components(components, path);
  std::vector<Fd> way;  // the folders below the root that we came through; ".." takes one away
  int links = 0;
  while (!components.empty()) {
    const std::string name = std::move(components.front());
    components.pop_front();
    if (name == ".") continue;
    if (name == "..") {
      if (!way.empty()) way.pop_back();
      continue;
    }
    const int parent = way.empty() ? root : way.back().get();
    const bool last = components.empty();
    Fd next(openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next && errno == ENOENT) {
      if (!last || folder) {
        if (mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST)
          throw system_error(errno, fmt::format("making {} in the root", path));
      } else {
        const Fd made(openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
        if (!made) throw system_error(errno, fmt::format("making {} in the root", path));
      }
      next = Fd(openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    }
    if (!next) throw system_error(errno, fmt::format("{} in the root", path));

    struct stat info{};
    if (fstat(next.get(), &info) != 0) throw system_error(errno, path);
    if (S_ISLNK(info.st_mode)) {
      if (++links > most_links) throw system_error(ELOOP, fmt::format("{} in the root", path), ExitCode::configuration);
      const std::string target = read_link(next.get(), path);
      if (target.starts_with('/')) way.clear();
      prepend_components(components, target);
      continue;
    }
    const bool is_folder = S_ISDIR(info.st_mode);
    if (is_folder != (!last || folder)) {
      throw Error(ExitCode::configuration,
                  fmt::format("{} cannot be mounted: {} is {} in the root", path, name,
                              is_folder ? "a folder" : "no folder"));
    }
    way.push_back(std::move(next));
  }
  if (!way.empty()) return std::move(way.back());
  if (!folder) throw Error(ExitCode::configuration, fmt::format("{} is a folder in the root", path));
  return reopen(root);
}

}  // namespace cib::sandbox
