#include "sandbox/mounts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

#include "base/error.hpp"
#include "sandbox/newer_kernel.hpp"

namespace cib::sandbox {

namespace {

void mount_at(const char* type, int target, unsigned long flags, const std::string& options, std::string_view name) {
  if (mount(type, fd_path(target).c_str(), type, flags, options.c_str()) != 0)
    throw system_error(errno, fmt::format("mounting {}", name));
}

void bind_at(const std::string& source, int target, std::string_view name) {
  if (mount(source.c_str(), fd_path(target).c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    throw system_error(errno, fmt::format("mounting {}", name));
}

Fd make_file(int folder, const char* name) {
  Fd fd(openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) throw system_error(errno, name);
  return fd;
}

void mount_devices(int root) {
  const Fd point = make_target(root, "/dev", true);
  mount_at("tmpfs", point.get(), MS_NOSUID | MS_NOEXEC, "mode=755,size=64k", "/dev");
  const Fd dev = make_target(root, "/dev", true);
  for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
    make_file(dev.get(), name);
    const Fd file(openat(dev.get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    bind_at(fmt::format("/dev/{}", name), file.get(), fmt::format("/dev/{}", name));
  }
  for (const auto& [name, target] : std::initializer_list<std::pair<const char*, const char*>>{
           {"fd", "/proc/self/fd"},
           {"stdin", "/proc/self/fd/0"},
           {"stdout", "/proc/self/fd/1"},
           {"stderr", "/proc/self/fd/2"}}) {
    if (symlinkat(target, dev.get(), name) != 0) throw system_error(errno, name);
  }

  const Fd shm = make_target(root, "/dev/shm", true);
  mount_at("tmpfs", shm.get(), MS_NOSUID | MS_NODEV, "mode=1777", "/dev/shm");

  // Terminals of its own, where the kernel lets us; group 5 (tty) does not exist with a single mapped id.
  const Fd pts = make_target(root, "/dev/pts", true);
  const std::string path = fd_path(pts.get());
  const char* without_group = "newinstance,ptmxmode=0666,mode=0620";
  const std::string with_group = fmt::format("{},gid=5", without_group);
  if (mount("devpts", path.c_str(), "devpts", MS_NOSUID | MS_NOEXEC, with_group.c_str()) == 0 ||
      mount("devpts", path.c_str(), "devpts", MS_NOSUID | MS_NOEXEC, without_group) == 0) {
    if (symlinkat("pts/ptmx", dev.get(), "ptmx") != 0) throw system_error(errno, "/dev/ptmx");
  }
  // With a single mapped id the folder belongs to the user inside: only a read-only mount keeps it as it is.
  if (mount(nullptr, fd_path(dev.get()).c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC,
            nullptr) != 0)
    throw system_error(errno, "remounting /dev");
}

// Makes the host's kernel settings visible but not writable. What is not there, or not ours to bind, is left out.
void mount_sys(int root) {
  const Fd point = make_target(root, "/sys", true);
  if (mount("/sys", fd_path(point.get()).c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) return;
  const Fd sys = make_target(root, "/sys", true);
  try {
    restrict_mount(sys.get(), true);
  } catch (const Error&) {
    umount2(fd_path(sys.get()).c_str(), MNT_DETACH);
    return;
  }
  for (const char* hidden : {"firmware", "devices/virtual/powercap"}) {
    const Fd folder(openat(sys.get(), hidden, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (folder) mount_at("tmpfs", folder.get(), MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0", hidden);
  }
}

// The names of this machine, and our own: programs that look up their own host name expect an answer.
void mount_hosts(int root, const std::string& hostname) {
  const std::string text = fmt::format("{}\n127.0.1.1 {}\n",
                                       read_file_if_exists("/etc/hosts").value_or("127.0.0.1 localhost\n"), hostname);
  // A file that exists only in this mount namespace: written on a memory file system that is bound by one of
  // its files and then taken away.
  const Fd target = make_target(root, "/etc/hosts", false);
  const Fd point = make_target(root, "/tmp", true);
  mount_at("tmpfs", point.get(), MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755", "/etc/hosts");
  const Fd scratch = make_target(root, "/tmp", true);
  {
    const Fd file = make_file(scratch.get(), "hosts");
    FdSink(file.get(), "/etc/hosts").write(as_bytes(text));
  }
  const Fd file(openat(scratch.get(), "hosts", O_PATH | O_NOFOLLOW | O_CLOEXEC));
  bind_at(fd_path(file.get()), target.get(), "/etc/hosts");
  restrict_mount(make_target(root, "/etc/hosts", false).get(), true);
  if (umount2(fd_path(scratch.get()).c_str(), MNT_DETACH) != 0) throw system_error(errno, "/etc/hosts");
}

}  // namespace

void bind_into(int root, const fs::path& source, std::string_view target, bool read_only) {
  const Fd from = open_file(source, O_PATH);
  struct stat info{};
  if (fstat(from.get(), &info) != 0) throw system_error(errno, source.string());
  const bool folder = S_ISDIR(info.st_mode);
  const Fd point = make_target(root, target, folder);
  bind_at(fd_path(from.get()), point.get(), fmt::format("{} at {}", source.string(), target));
  restrict_mount(make_target(root, target, folder).get(), read_only);
}

void mount_system(int root, const std::string& hostname, bool own_tmp) {
  mount_hosts(root, hostname);
  if (access("/etc/resolv.conf", F_OK) == 0) bind_into(root, "/etc/resolv.conf", "/etc/resolv.conf", true);
  mount_devices(root);
  mount_sys(root);
  const Fd point = make_target(root, "/tmp", true);
  if (own_tmp) mount_at("tmpfs", point.get(), MS_NOSUID | MS_NODEV, "mode=1777", "/tmp");
  make_target(root, "/proc", true);
}

void mount_proc(int root) {
  constexpr unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  const Fd null = make_target(root, "/dev/null", false);
  const Fd point = make_target(root, "/proc", true);
  mount_at("proc", point.get(), flags, "", "/proc");
  const Fd proc = make_target(root, "/proc", true);
  const auto each = [&](std::initializer_list<const char*> names, auto&& action) {
    for (const char* name : names) {
      const Fd entry(openat(proc.get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (entry) action(name, entry.get());
    }
  };
  each({"kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug"},
       [&](const char* name, int entry) { bind_at(fd_path(null.get()), entry, name); });
  each({"acpi", "scsi", "asound"},
       [&](const char* name, int entry) { mount_at("tmpfs", entry, flags | MS_RDONLY, "size=0", name); });
  each({"bus", "fs", "irq", "sys", "sysrq-trigger"}, [&](const char* name, int entry) {
    bind_at(fd_path(entry), entry, name);
    const Fd bound(openat(proc.get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    restrict_mount(bound.get(), true);
  });
}

void pivot_into(int root) {
  if (fchdir(root) != 0) throw system_error(errno, "the root");
  if (syscall(SYS_pivot_root, ".", ".") != 0) throw system_error(errno, "pivot_root");
  // The old root now lies over the new one, at the same place.
  if (umount2(".", MNT_DETACH) != 0) throw system_error(errno, "leaving the old root");
  if (chdir("/") != 0) throw system_error(errno, "the root");
}

}  // namespace cib::sandbox
