#include "base/beneath.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

using namespace cib;

namespace {

class Beneath : public testing::Test {
 protected:
  TempFolder temp;
  fs::path folder = temp.path() / "folder";
  void SetUp() override {
    make_folders(folder / "sub");
    write_file(temp.path() / "secret", "secret");
    write_file(folder / "sub/file", "text");
  }
  std::optional<std::string> read(const std::string& path) {
    return read_file_beneath(folder, path, ExitCode::build, 10);
  }
};

}  // namespace

TEST_F(Beneath, files_are_read_and_missing_ones_are_nothing) {
  EXPECT_EQ(read("sub/file"), "text");
  EXPECT_FALSE(read("sub/none"));
  EXPECT_FALSE(read("none/file"));
  EXPECT_FALSE(read_file_beneath(temp.path() / "none", "file", ExitCode::build));
}

TEST_F(Beneath, links_are_followed_inside_and_never_out) {
  fs::create_symlink("sub/file", folder / "inside");
  fs::create_symlink("../secret", folder / "outside");
  fs::create_symlink(temp.path() / "secret", folder / "absolute");
  fs::create_directory_symlink("..", folder / "up");
  EXPECT_EQ(read("inside"), "text");
  for (const char* path : {"outside", "absolute", "up/secret", "../secret", "sub/../../secret"})
    EXPECT_THROW(read(path), Error) << path;
}

TEST_F(Beneath, what_is_no_file_or_too_long_is_refused) {
  EXPECT_THROW(read("sub"), Error);
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_THROW(read("fifo"), Error);
  write_file(folder / "long", "more than ten bytes");
  EXPECT_THROW(read("long"), Error);
}
