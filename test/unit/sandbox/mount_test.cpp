// Files and folders of the host inside.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.hpp"

namespace cib::sandbox::testing {
namespace {

using ::testing::HasSubstr;

class Mounted : public InRoot {
 protected:
  // A place in the root as the image's layers made it.
  fs::path in_layer(const std::string& path) const {
    return (GetParam().overlay ? m_folder.path() / "bottom" : m_tree.flat) / path;
  }
};
INSTANTIATE_TEST_SUITE_P(, Mounted, all_ways, way_name);

TEST_P(Mounted, folders_appear_where_nothing_was) {
  auto setup = this->setup();
  const fs::path folder = writable_folder("data");
  write_file(folder / "file", "hello\n");
  setup.mounts = {{folder, "/some/where/new", false}};
  const auto sandbox = make(setup);
  EXPECT_EQ(shell(*sandbox, "cat /some/where/new/file; echo x > /some/where/new/made").output, "hello\n");
  EXPECT_EQ(read_file(folder / "made"), "x\n");
}

TEST_P(Mounted, files_appear_where_nothing_was_and_over_others) {
  auto setup = this->setup();
  write_file(m_folder.path() / "file", "mounted\n");
  setup.mounts = {{m_folder.path() / "file", "/a/b/file", true}, {m_folder.path() / "file", "/which", true}};
  EXPECT_EQ(shell(*make(setup), "cat /a/b/file /which").output, "mounted\nmounted\n");
}

TEST_P(Mounted, later_ones_may_lie_inside_earlier_ones) {
  auto setup = this->setup();
  const fs::path outer = writable_folder("outer");
  make_folders(outer / "inner");
  const fs::path inner = writable_folder("inner");
  write_file(inner / "file", "inner\n");
  setup.mounts = {{outer, "/m", true}, {inner, "/m/inner", false}};
  const auto sandbox = make(setup);
  EXPECT_EQ(shell(*sandbox, "cat /m/inner/file; echo x > /m/inner/y && echo written").output, "inner\nwritten\n");
  EXPECT_NE(shell(*sandbox, "echo x > /m/y").exit.code, 0);
}

TEST_P(Mounted, read_only_ones_stay_so) {
  auto setup = this->setup();
  const fs::path folder = writable_folder("data");
  setup.mounts = {{folder, "/data", true}};
  const auto sandbox = make(setup);
  EXPECT_THAT(shell(*sandbox, "echo x > /data/x").output, HasSubstr("Read-only file system"));
  EXPECT_NE(shell(*sandbox, "mount -o remount,rw /data || mount -o remount,bind,rw /data").exit.code, 0);
  EXPECT_THAT(shell(*sandbox, "echo x > /data/x").output, HasSubstr("Read-only file system"));
  EXPECT_FALSE(exists_no_follow(folder / "x"));
}

TEST_P(Mounted, links_of_the_root_lead_nowhere_else) {
  const fs::path outside = m_folder.path() / "outside";
  make_folders(outside);
  fs::create_symlink(outside, in_layer("absolute"));
  fs::create_symlink("../../../../../../../../../../.." + outside.native(), in_layer("relative"));
  const fs::path data = writable_folder("data");
  write_file(data / "file", "data\n");
  auto setup = this->setup();
  setup.mounts = {{data, "/absolute/one", true}, {data / "file", "/relative/two", true}};
  const auto sandbox = make(setup);
  EXPECT_EQ(shell(*sandbox, "cat /absolute/one/file /relative/two").output, "data\ndata\n");
  EXPECT_TRUE(list_folder(outside).empty());
  // Inside, the links mean the same path of the root.
  EXPECT_EQ(shell(*sandbox, "cat " + outside.native() + "/two").output, "data\n");
}

TEST_P(Mounted, a_circle_of_links_is_an_error) {
  fs::create_symlink("two", in_layer("one"));
  fs::create_symlink("one", in_layer("two"));
  auto setup = this->setup();
  setup.mounts = {{writable_folder("data"), "/one/x", true}};
  try {
    make(setup);
    FAIL() << "it was mounted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("/one/x in the root: Too many levels of symbolic links"));
  }
}

TEST_P(Mounted, a_folder_over_a_file_is_an_error) {
  auto setup = this->setup();
  setup.mounts = {{writable_folder("data"), "/which", true}};
  EXPECT_THROW(make(setup), Error);
}

TEST_P(Mounted, a_missing_source_is_named) {
  auto setup = this->setup();
  setup.mounts = {{m_folder.path() / "missing", "/x", true}};
  try {
    make(setup);
    FAIL() << "it was mounted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr((m_folder.path() / "missing").native()));
  }
}

TEST_P(Mounted, name_service_files_replace_dangling_links) {
  fs::create_symlink("../run/systemd/resolve/stub-resolv.conf", in_layer("etc/resolv.conf"));
  EXPECT_EQ(shell(*make(), "cat /etc/resolv.conf").output, read_file("/etc/resolv.conf"));
}

TEST_P(Mounted, tmp_can_be_a_folder_on_disk) {
  const fs::path folder = writable_folder("tmp");
  auto setup = this->setup();
  setup.mounts = {{folder, "/tmp", false}};
  EXPECT_EQ(shell(*make(setup), "stat -c %a /tmp; echo x > /tmp/x").output, "1777\n");
  EXPECT_EQ(read_file(folder / "x"), "x\n");
}

TEST_P(Mounted, devices_and_sockets_of_the_layers_are_not_usable) {
  if (geteuid() != 0 || rootless()) GTEST_SKIP() << "only root can make a device";
  ASSERT_EQ(mknod(in_layer("work/zero").c_str(), S_IFCHR | 0666, (1 << 8) | 5), 0);
  chmod(in_layer("work/zero").c_str(), 0666);
  EXPECT_THAT(shell(*make(), "head -c 1 /work/zero").output, HasSubstr("Permission denied"));
}

TEST_P(Mounted, nothing_is_mounted_on_the_host_and_the_root_can_be_removed) {
  const auto sandbox = make();
  EXPECT_EQ(shell(*sandbox, "true").exit.code, 0);
  EXPECT_EQ(read_file("/proc/self/mounts").find(m_folder.path().native()), std::string::npos);
}

TEST_P(Mounted, the_same_root_can_be_mounted_again_afterwards) {
  for (int i = 0; i < 3; ++i) {
    const auto sandbox = make();
    EXPECT_EQ(shell(*sandbox, "cat /which").output, "top\n");
  }
}

TEST_P(Mounted, two_sandboxes_stand_side_by_side) {
  const auto first = make();
  const TempFolder other;
  auto setup = this->setup();
  setup.root = make_tree(other.path(), GetParam().overlay, rootless());
  setup.hostname = "other";
  const auto second = make(setup);
  EXPECT_EQ(shell(*first, "hostname").output, "build\n");
  EXPECT_EQ(shell(*second, "hostname").output, "other\n");
}

}  // namespace
}  // namespace cib::sandbox::testing
