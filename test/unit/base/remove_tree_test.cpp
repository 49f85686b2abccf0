#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/file.hpp"

namespace cib {
namespace {

TEST(RemoveTree, removes_everything_also_what_cannot_be_read) {
  TempFolder folder;
  const fs::path tree = folder.path() / "tree";
  make_folders(tree / "a/b");
  write_file(tree / "a/b/file", "x");
  fs::create_symlink("/", tree / "a/link");
  fs::permissions(tree / "a/b", fs::perms::none);
  remove_tree(tree);
  EXPECT_FALSE(exists_no_follow(tree));
  remove_tree(tree);
}

// In a mount namespace of its own; returns what the child found.
enum Found { kept = 0, touched = 1, accepted = 2, not_allowed = 3 };
Found remove_with_a_mount(const fs::path& tree, const char* from, const char* type, unsigned long flags) {
  const fs::path point = tree / "a/point";
  make_folders(point);
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) _exit(not_allowed);
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(not_allowed);
    if (mount(from, point.c_str(), type, flags, nullptr) != 0) _exit(not_allowed);
    try {
      write_file(point / "theirs", "x");
      remove_tree(tree);
    } catch (const Error&) {
      _exit(exists_no_follow(point / "theirs") ? kept : touched);
    }
    _exit(accepted);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return static_cast<Found>(WEXITSTATUS(status));
}

TEST(RemoveTree, touches_nothing_below_a_mount_point) {
  TempFolder folder;
  const fs::path other = folder.path() / "other";
  make_folders(other);
  const Found tmpfs = remove_with_a_mount(folder.path() / "tree", "tmpfs", "tmpfs", 0);
  // Of the same device: only the kernel's mark tells it from a folder of ours.
  const Found bound = remove_with_a_mount(folder.path() / "tree", other.c_str(), nullptr, MS_BIND);
  if (tmpfs == not_allowed || bound == not_allowed) GTEST_SKIP() << "mounts are not allowed here";
  EXPECT_EQ(tmpfs, kept);
  EXPECT_EQ(bound, kept);
  EXPECT_TRUE(exists_no_follow(other / "theirs"));
}

}  // namespace
}  // namespace cib
