// Overlays of many layers, by both interfaces of the kernel.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "sandbox/mounts.hpp"
#include "sandbox/user_map.hpp"
#include "support.hpp"

namespace cib::sandbox::testing {
namespace {

store::RootTree many_layers(const fs::path& folder, int count) {
  // A long path with the characters that mean something in mount options.
  const fs::path store = folder / fmt::format("st,o:r\\e{}", std::string(150, 'x'));
  store::RootTree tree;
  for (int i = 0; i < count; ++i) {
    const fs::path layer = store / fmt::format("{:0>64}", i);
    make_folders(layer);
    write_file(layer / fmt::format("file-{}", i), fmt::format("{}", i));
    write_file(layer / "every", fmt::format("{}", i));
    tree.lowers.push_back(layer);
  }
  tree.upper = store / "upper";
  tree.work = store / "work";
  tree.mount_point = store / "root";
  for (const fs::path* path : {&tree.upper, &tree.work, &tree.mount_point}) make_folders(*path);
  tree.user_xattr = geteuid() != 0;
  return tree;
}

// Mounts in a child with its own mount namespace and looks at the result; returns what is wrong.
std::string mount_and_look(const store::RootTree& tree, OverlayInterface interface) {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe(ends.data()), 0);
  const Fd reading(ends[0]);
  Fd writing(ends[1]);
  const pid_t pid = fork();
  if (pid == 0) {
    std::string wrong;
    try {
      if (geteuid() != 0) enter_user_namespace(1000, 1000, false);
      if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(1);
      const Fd root = mount_root(tree, interface);
      const std::string path = fd_path(root.get());
      for (std::size_t i = 0; i < tree.lowers.size(); ++i)
        if (read_file(fmt::format("{}/file-{}", path, i)) != std::to_string(i)) wrong = fmt::format("file-{}", i);
      if (read_file(path + "/every") != "0") wrong = "the top layer is not on top";
      write_file(path + "/written", "x");
      if (!fs::exists(tree.upper / "written")) wrong = "nothing in the upper folder";
    } catch (const std::exception& error) {
      wrong = error.what();
    }
    (void)!write(writing.get(), wrong.data(), wrong.size());
    _exit(0);
  }
  writing.reset();
  FileSource source(Fd(dup(reading.get())), "pipe");
  std::string wrong = read_all(source, 4096);
  int status = 0;
  waitpid(pid, &status, 0);
  return status == 0 ? wrong : "the child failed";
}

TEST(Overlay, of_one_layer) {
  const TempFolder folder;
  EXPECT_EQ(mount_and_look(many_layers(folder.path(), 1), OverlayInterface::automatic), "");
}

TEST(Overlay, of_127_layers) {
  const TempFolder folder;
  EXPECT_EQ(mount_and_look(many_layers(folder.path(), 127), OverlayInterface::automatic), "");
}

TEST(Overlay, of_300_layers) {
  const TempFolder folder;
  EXPECT_EQ(mount_and_look(many_layers(folder.path(), 300), OverlayInterface::automatic), "");
}

TEST(Overlay, of_127_layers_by_the_old_interface) {
  const TempFolder folder;
  EXPECT_EQ(mount_and_look(many_layers(folder.path(), 127), OverlayInterface::mount_syscall), "");
}

TEST(Overlay, of_one_layer_by_the_old_interface) {
  const TempFolder folder;
  EXPECT_EQ(mount_and_look(many_layers(folder.path(), 1), OverlayInterface::mount_syscall), "");
}

TEST(Overlay, of_more_than_the_kernel_takes_is_an_error) {
  const TempFolder folder;
  EXPECT_THAT(mount_and_look(many_layers(folder.path(), 600), OverlayInterface::automatic),
              ::testing::HasSubstr("mounting the overlay"));
}

}  // namespace
}  // namespace cib::sandbox::testing
