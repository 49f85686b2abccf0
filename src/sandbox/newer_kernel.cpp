#include "sandbox/newer_kernel.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
#include "sandbox/mounts.hpp"

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace cib::sandbox {

namespace {

struct Attributes {  // struct mount_attr
  std::uint64_t set = 0;
  std::uint64_t clear = 0;
  std::uint64_t propagation = 0;
  std::uint64_t user_namespace = 0;
};

// /proc/self/mountinfo writes blanks and backslashes in octal.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// A remount must name the flags that the mount already has: in a user namespace it may not lose them.
unsigned long flags_of(std::string_view options) {
  unsigned long flags = 0;
  while (!options.empty()) {
    const std::string_view option = options.substr(0, options.find(','));
    options.remove_prefix(std::min(option.size() + 1, options.size()));
    if (option == "ro") flags |= MS_RDONLY;
    if (option == "nosuid") flags |= MS_NOSUID;
    if (option == "nodev") flags |= MS_NODEV;
    if (option == "noexec") flags |= MS_NOEXEC;
    if (option == "noatime") flags |= MS_NOATIME;
    if (option == "nodiratime") flags |= MS_NODIRATIME;
    if (option == "relatime") flags |= MS_RELATIME;
  }
  return flags;
}

// Before Linux 5.12: every mount at or below the path, one by one.
void remount_each(int mount_fd, unsigned long add) {
  std::array<char, PATH_MAX> link{};
  const ssize_t size = readlink(fd_path(mount_fd).c_str(), link.data(), link.size());
  if (size < 0) throw system_error(errno, "mount point");
  const std::string top(link.data(), static_cast<std::size_t>(size));
  const std::string table = read_file("/proc/self/mountinfo");
  std::string_view rest = table;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    std::vector<std::string_view> fields;
    while (!line.empty() && fields.size() < 6) {
      fields.push_back(line.substr(0, line.find(' ')));
      line.remove_prefix(std::min(fields.back().size() + 1, line.size()));
    }
    if (fields.size() < 6) continue;
    const std::string point = unescape(fields[4]);
    if (point != top && !(point.starts_with(top) && point[top.size()] == '/')) continue;
    const unsigned long flags = MS_REMOUNT | MS_BIND | add | flags_of(fields[5]);
    if (mount(nullptr, point.c_str(), nullptr, flags, nullptr) != 0)
      throw system_error(errno, fmt::format("remounting {}", point));
  }
}

// For each open descriptor from `first` on, where close_range is missing.
template <class Action>
void for_each_open(int first, Action&& action) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
  if (!folder) {
    for (int fd = first; fd < 65536; ++fd) action(fd);
    return;
  }
  std::vector<int> open_ones;
  while (const dirent* entry = readdir(folder.get())) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd >= first && fd != dirfd(folder.get())) open_ones.push_back(fd);
  }
  for (const int fd : open_ones) action(fd);
}

constexpr unsigned close_range_cloexec = 4;

}  // namespace

void restrict_mount(int mount, bool read_only) {
  Attributes attributes;
  attributes.set = mount_attribute_nosuid | mount_attribute_nodev | (read_only ? mount_attribute_read_only : 0);
  if (syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == 0)
    return;
  if (errno != ENOSYS) throw system_error(errno, "mount_setattr");
  remount_each(mount, MS_NOSUID | MS_NODEV | (read_only ? MS_RDONLY : 0));
}

void close_from(int first) {
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
  for_each_open(first, [](int fd) { close(fd); });
}

void close_on_exec_from(int first) {
  if (syscall(SYS_close_range, first, ~0U, close_range_cloexec) == 0) return;
  for_each_open(first, [](int fd) { fcntl(fd, F_SETFD, FD_CLOEXEC); });
}

}  // namespace cib::sandbox
