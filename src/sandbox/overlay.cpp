// mount_root: the overlay of many layers, or the flat folder.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "sandbox/mounts.hpp"
#include "sandbox/newer_kernel.hpp"

namespace cib::sandbox {

namespace {

Fd open_folder(const fs::path& path) { return open_file(path, O_PATH | O_DIRECTORY); }

// The folders of an overlay by descriptor: seen from /proc/self/fd each is named by a few digits, so neither the
// length of the store's paths nor a comma in them matters, and no path of the store shows up inside.
struct Folders {
  std::vector<Fd> lowers;
  Fd upper;
  Fd work;
};

std::string name_of(const Fd& fd) { return std::to_string(fd.get()); }

std::string_view common_options(bool user_xattr) {
  // With user.* attributes the kernel turns redirects off itself and refuses to be told to.
  return user_xattr ? "index=off,userxattr" : "index=off,redirect_dir=off,metacopy=off";
}

// What the kernel wrote into the file system context about a failure.
std::string kernel_message(int context) {
  std::array<char, 512> buffer{};
  std::string text;
  ssize_t size = 0;
  while ((size = read(context, buffer.data(), buffer.size())) > 0) {
    std::string_view line(buffer.data(), static_cast<std::size_t>(size));
    if (line.size() > 2 && line[1] == ' ') line.remove_prefix(2);
    while (line.ends_with('\n')) line.remove_suffix(1);
    text = line;
  }
  return text;
}

[[noreturn]] void fail(int error_number, std::string why = {}) {
  throw system_error(error_number, "mounting the overlay").why(std::move(why));
}

[[noreturn]] void fail_with_message(int error_number, const Fd& context) {
  fail(error_number, kernel_message(context.get()));
}

// False when this kernel cannot take the lower folders one by one; nothing is mounted then.
bool mount_by_context(const Folders& folders, bool user_xattr, int target) {
  const Fd context(static_cast<int>(syscall(SYS_fsopen, "overlay", fsopen_cloexec)));
  if (!context) {
    if (errno == ENOSYS) return false;
    fail(errno);
  }
  const auto set = [&](const char* key, const std::string& value) {
    return syscall(SYS_fsconfig, context.get(), fsconfig_set_string, key, value.c_str(), 0) == 0;
  };
  bool first = true;
  for (const Fd& lower : folders.lowers) {
    if (!set("lowerdir+", name_of(lower))) {
      if (first && errno == EINVAL) return false;
      fail_with_message(errno, context);
    }
    first = false;
  }
  if (!set("upperdir", name_of(folders.upper)) || !set("workdir", name_of(folders.work)))
    fail_with_message(errno, context);
  std::string_view options = common_options(user_xattr);
  while (!options.empty()) {
    const std::string_view option = options.substr(0, options.find(','));
    options.remove_prefix(std::min(option.size() + 1, options.size()));
    const std::string key(option.substr(0, option.find('=')));
    const bool done = option.size() == key.size()
                          ? syscall(SYS_fsconfig, context.get(), fsconfig_set_flag, key.c_str(), nullptr, 0) == 0
                          : set(key.c_str(), std::string(option.substr(key.size() + 1)));
    if (!done) fail_with_message(errno, context);
  }
  if (syscall(SYS_fsconfig, context.get(), fsconfig_create, nullptr, nullptr, 0) != 0)
    fail_with_message(errno, context);
  const Fd mount(static_cast<int>(
      syscall(SYS_fsmount, context.get(), fsmount_cloexec, mount_attribute_nosuid | mount_attribute_nodev)));
  if (!mount) fail_with_message(errno, context);
  if (syscall(SYS_move_mount, mount.get(), "", target, "",
              move_mount_from_empty_path | move_mount_to_empty_path) != 0)
    fail(errno);
  return true;
}

void mount_by_syscall(const Folders& folders, bool user_xattr, int target) {
  std::string lowers;
  for (const Fd& lower : folders.lowers) {
    if (!lowers.empty()) lowers += ':';
    lowers += name_of(lower);
  }
  const std::string options =
      fmt::format("lowerdir={},upperdir={},workdir={},{}", lowers, name_of(folders.upper), name_of(folders.work),
                  common_options(user_xattr));
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  if (options.size() >= page) {
    throw Error(ExitCode::configuration, fmt::format("{} layers are too many for one overlay", folders.lowers.size()))
        .why("this kernel takes the lower folders of an overlay only in one page of text")
        .next("use Linux 6.7 or newer, or a builder with fewer layers");
  }
  if (mount("overlay", fd_path(target).c_str(), "overlay", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
    fail(errno);
}

Fd mount_overlay(const store::RootTree& tree, OverlayInterface interface) {
  // Every layer is a descriptor for a moment.
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit before = limit;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);

  Folders folders;
  for (const fs::path& lower : tree.lowers) folders.lowers.push_back(open_folder(lower));
  folders.upper = open_folder(tree.upper);
  folders.work = open_folder(tree.work);
  const Fd target = open_folder(tree.mount_point);
  if (chdir("/proc/self/fd") != 0) throw system_error(errno, "/proc/self/fd");
  if (interface == OverlayInterface::mount_syscall || !mount_by_context(folders, tree.user_xattr, target.get()))
    mount_by_syscall(folders, tree.user_xattr, target.get());
  if (chdir("/") != 0) throw system_error(errno, "/");
  setrlimit(RLIMIT_NOFILE, &before);
  return open_folder(tree.mount_point);
}

}  // namespace

Fd mount_root(const store::RootTree& tree, OverlayInterface interface) {
  if (tree.is_overlay()) return mount_overlay(tree, interface);
  const fs::path& point = tree.mount_point.empty() ? tree.flat : tree.mount_point;
  if (mount(tree.flat.c_str(), point.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    throw system_error(errno, fmt::format("mounting {}", tree.flat.string()));
  Fd root = open_folder(point);
  restrict_mount(root.get(), false);
  return root;
}

}  // namespace cib::sandbox
