#include "build/work_tree.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.hpp"

using namespace cib;
using namespace cib::build;

namespace {

class Stage : public testing::Test {
 protected:
  TempFolder temp;
  fs::path app = temp.path() / "app";
  WorkTree tree{temp.path() / "tree", Ids{1001, 1000}};
  void SetUp() override { make_folders(app); }
  static mode_t mode(const fs::path& path) {
    struct stat info;
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }
};

}  // namespace

TEST_F(Stage, files_keep_their_modes_and_the_root_gets_0755) {
  fs::permissions(app, fs::perms::owner_all);
  write_file(app / "secret", "s", 0600);
  write_file(app / "run", "r", 0755);
  tree.stage(app, {}, {});
  EXPECT_EQ(mode(tree.app()), 0755u);
  EXPECT_EQ(mode(tree.app() / "secret"), 0600u);
  EXPECT_EQ(mode(tree.app() / "run"), 0755u);
  EXPECT_EQ(read_file(tree.app() / "run"), "r");
}

TEST_F(Stage, links_stay_links_and_lead_nowhere_here) {
  fs::create_symlink("/etc/passwd", app / "link");
  fs::create_symlink("missing", app / "dangling");
  tree.stage(app, {}, {});
  EXPECT_EQ(fs::read_symlink(tree.app() / "link"), "/etc/passwd");
  EXPECT_EQ(fs::read_symlink(tree.app() / "dangling"), "missing");
}

TEST_F(Stage, hard_links_are_kept_among_files) {
  write_file(app / "a", "one");
  fs::create_hard_link(app / "a", app / "b");
  tree.stage(app, {}, {});
  EXPECT_EQ(fs::hard_link_count(tree.app() / "b"), 2u);
}

TEST_F(Stage, the_source_is_never_changed) {
  make_folders(app / "sub");
  write_file(app / "sub/file", "x", 0400);
  const auto before = fs::last_write_time(app / "sub");
  tree.stage(app, {}, {});
  EXPECT_EQ(fs::last_write_time(app / "sub"), before);
  EXPECT_EQ(mode(app / "sub/file"), 0400u);
}

TEST_F(Stage, outputs_in_the_application_s_folder_are_no_part_of_it) {
  make_folders(app / "image/blobs");
  make_folders(app / ".image.partial-abc");
  make_folders(app / "sub/image");
  write_file(app / "imagery", "stays");
  tree.stage(app, {fs::canonical(app) / "image"}, {});
  EXPECT_FALSE(fs::exists(tree.app() / "image"));
  EXPECT_FALSE(fs::exists(tree.app() / ".image.partial-abc"));
  EXPECT_TRUE(fs::exists(tree.app() / "imagery"));
  EXPECT_TRUE(fs::exists(tree.app() / "sub/image"));
}

TEST_F(Stage, a_stop_request_ends_it) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(tree.stage(app, {}, stop.get_token()), Error);
}

TEST_F(Stage, a_folder_that_a_buildpack_replaced_by_a_link_is_refused) {
  fs::create_directory_symlink("/", tree.layers() / "x_bp");
  EXPECT_THROW(tree.make_folder(tree.layers() / "x_bp"), Error);
  EXPECT_THROW(tree.write(tree.layers() / "x_bp", ""), Error);
}
