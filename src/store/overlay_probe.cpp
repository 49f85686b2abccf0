#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "store/layer_record.hpp"
#include "store/overlay.hpp"
#include "store/store.hpp"

namespace cib::store {

namespace {

// What the child says when it ends: the step that failed, and why.
struct Verdict {
  const char* step;  // a literal: the same address in both processes
  int error;
};

struct Plan {
  const char* folder;
  const char* options;
  bool user_namespace;
  std::string uid_map;
  std::string gid_map;
};

bool write_text(const char* path, const char* text, std::size_t size) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool good = ::write(fd, text, size) == static_cast<ssize_t>(size);
  ::close(fd);
  return good;
}

// In the child of a process that may have threads: system calls only, no memory is allocated.
Verdict try_overlay(const Plan& plan) {
  const auto failed = [](const char* step) { return Verdict{step, errno}; };
  if (::unshare(CLONE_NEWNS | (plan.user_namespace ? CLONE_NEWUSER : 0)) != 0)
    return failed(plan.user_namespace ? "unshare of user and mount namespace" : "unshare of the mount namespace");
  if (plan.user_namespace) {
    if (!write_text("/proc/self/setgroups", "deny", 4)) return failed("setgroups of the user namespace");
    if (!write_text("/proc/self/uid_map", plan.uid_map.data(), plan.uid_map.size())) return failed("uid_map of the user namespace");
    if (!write_text("/proc/self/gid_map", plan.gid_map.data(), plan.gid_map.size())) return failed("gid_map of the user namespace");
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return failed("mount propagation");
  if (::chdir(plan.folder) != 0) return failed("the store");
  if (::mount("overlay", "merged", "overlay", 0, plan.options) != 0) return failed("mount of an overlay");
  Verdict verdict{nullptr, 0};
  if (::access("merged/kept", F_OK) != 0) verdict = failed("reading through the overlay");
  else if (::access("merged/hidden", F_OK) == 0) verdict = {"whiteouts of the overlay", 0};
  else if (::access("merged/folder/hidden", F_OK) == 0) verdict = {"opaque folders of the overlay", 0};
  else if (::mkdir("merged/folder/new", 0755) != 0) verdict = failed("writing through the overlay");
  else if (::rename("merged/kept", "merged/folder/new/kept") != 0) verdict = failed("renaming in the overlay");
  ::umount2("merged", MNT_DETACH);
  return verdict;
}

}  // namespace

std::optional<std::string> overlay_unavailable(const fs::path& folder) {
  const LockedFolder probe(folder, "overlay-");
  for (const char* name : {"low", "high", "upper", "work", "merged", "low/folder", "high/folder"})
    make_folders(probe.path() / name, 0755);
  write_file(probe.path() / "low/kept", "");
  write_file(probe.path() / "low/hidden", "");
  write_file(probe.path() / "low/folder/hidden", "");
  const OverlayMarks kind = possible_overlay_marks(probe.path() / "high");
  const LayerMarks marks{{"hidden"}, {"folder"}, {}};
  if (kind == OverlayMarks::none || make_overlay_marks(probe.path() / "high", marks, kind) != kind)
    return "whiteouts cannot be made in the store's file system";

  const bool user = kind == OverlayMarks::user;
  const std::string options = fmt::format("lowerdir=high:low,upperdir=upper,workdir=work{}", user ? ",userxattr" : "");
  const std::string path = probe.path().string();
  const Plan plan{path.c_str(), options.c_str(), ::geteuid() != 0, fmt::format("{0} {0} 1\n", ::geteuid()),
                  fmt::format("{0} {0} 1\n", ::getegid())};
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, "pipe");
  const Fd in(ends[0]);
  Fd out(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return fmt::format("fork: {}", std::strerror(errno));
  if (child == 0) {
    const Verdict verdict = try_overlay(plan);
    const ssize_t written = ::write(out.get(), &verdict, sizeof verdict);
    ::_exit(written == sizeof verdict ? 0 : 1);
  }
  out.reset();
  Verdict verdict{};
  ssize_t got;
  do got = ::read(in.get(), &verdict, sizeof verdict);
  while (got < 0 && errno == EINTR);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (got != sizeof verdict) return "the attempt to mount an overlay was killed";
  if (!verdict.step) return std::nullopt;
  if (verdict.error == 0) return fmt::format("{}: without effect", verdict.step);
  return fmt::format("{}: {}", verdict.step, std::strerror(verdict.error));
}

}  // namespace cib::store
