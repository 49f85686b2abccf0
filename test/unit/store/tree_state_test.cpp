#include "store/tree_state.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <functional>

#include "helpers.hpp"

namespace cib::store::test {
namespace {

using testing::ElementsAre;
using Kind = Changes::Kind;

class TreeStateTest : public testing::Test {
 protected:
  void SetUp() override {
    make_folders(tree() / "d/sub");
    write_file(tree() / "a", "12345");
    write_file(tree() / "d/b", "12345");
    fs::create_symlink("a", tree() / "l");
    m_before = snapshot(tree());
    if (!m_before.reliable()) GTEST_SKIP() << "this file system does not keep change times";
    settle(m_before, m_temp.path());
  }
  fs::path tree() const { return m_temp.path() / "tree"; }
  Changes now() const { return changes(tree(), m_before); }

  TempFolder m_temp;
  TreeState m_before;
};

TEST_F(TreeStateTest, an_untouched_tree_has_no_changes) {
  EXPECT_EQ(now().kind, Kind::none);
  EXPECT_EQ(m_before.size(), 6u);
}

TEST_F(TreeStateTest, reading_is_no_change) {
  EXPECT_EQ(read_file(tree() / "a"), "12345");
  list_folder(tree() / "d");
  EXPECT_EQ(now().kind, Kind::none);
}

TEST_F(TreeStateTest, sees_other_contents_of_the_same_size) {
  write_file(tree() / "a", "54321");
  EXPECT_EQ(now().kind, Kind::some);
  EXPECT_THAT(now().paths, ElementsAre("a"));
}

TEST_F(TreeStateTest, sees_contents_whose_time_was_set_back) {
  struct stat info{};
  ASSERT_EQ(::stat((tree() / "a").c_str(), &info), 0);
  write_file(tree() / "a", "54321");
  const timespec times[2] = {info.st_atim, info.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, (tree() / "a").c_str(), times, 0), 0);
  EXPECT_THAT(now().paths, ElementsAre("a"));
}

TEST_F(TreeStateTest, sees_a_write_through_a_mapping) {
  const Fd fd = open_file(tree() / "a", O_RDWR);
  void* memory = ::mmap(nullptr, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  static_cast<char*>(memory)[0] = 'x';
  ::munmap(memory, 5);
  EXPECT_EQ(read_file(tree() / "a"), "x2345");
  EXPECT_THAT(now().paths, ElementsAre("a"));
}

TEST_F(TreeStateTest, sees_another_mode) {
  ASSERT_EQ(::chmod((tree() / "d/b").c_str(), 0600), 0);
  ASSERT_EQ(::chmod((tree() / "d/sub").c_str(), 0700), 0);
  EXPECT_THAT(now().paths, ElementsAre("d/b", "d/sub"));
}

TEST_F(TreeStateTest, sees_the_mode_of_the_tree_itself) {
  ASSERT_EQ(::chmod(tree().c_str(), 0711), 0);
  EXPECT_THAT(now().paths, ElementsAre(""));
}

TEST_F(TreeStateTest, sees_another_owner) {
  if (!is_root()) GTEST_SKIP() << "only root can";
  ASSERT_EQ(::chown((tree() / "d").c_str(), 12, 34), 0);
  EXPECT_THAT(now().paths, ElementsAre("d"));
}

TEST_F(TreeStateTest, sees_what_is_new) {
  write_file(tree() / "d/new", "");
  fs::create_directory(tree() / "empty");
  EXPECT_THAT(now().paths, ElementsAre("d/new", "empty"));
}

TEST_F(TreeStateTest, sees_what_is_gone) {
  fs::remove(tree() / "a");
  fs::remove(tree() / "d/sub");
  EXPECT_THAT(now().paths, ElementsAre("a", "d/sub"));
}

TEST_F(TreeStateTest, sees_a_renamed_file) {
  fs::rename(tree() / "a", tree() / "z");
  EXPECT_THAT(now().paths, ElementsAre("a", "z"));
}

TEST_F(TreeStateTest, sees_a_renamed_folder) {
  fs::rename(tree() / "d", tree() / "e");
  EXPECT_THAT(now().paths, ElementsAre("d", "d/b", "d/sub", "e", "e/b", "e/sub"));
}

TEST_F(TreeStateTest, sees_a_file_replaced_by_an_equal_one) {
  write_file(m_temp.path() / "twin", "12345");
  fs::rename(m_temp.path() / "twin", tree() / "a");
  EXPECT_THAT(now().paths, ElementsAre("a"));
}

TEST_F(TreeStateTest, sees_a_link_with_another_target) {
  fs::remove(tree() / "l");
  fs::create_symlink("d", tree() / "l");
  EXPECT_THAT(now().paths, ElementsAre("l"));
}

TEST_F(TreeStateTest, sees_another_type) {
  fs::remove(tree() / "a");
  fs::create_directory(tree() / "a");
  EXPECT_THAT(now().paths, ElementsAre("a"));
}

TEST_F(TreeStateTest, sees_two_files_exchanged) {
  fs::rename(tree() / "a", m_temp.path() / "x");
  fs::rename(tree() / "d/b", tree() / "a");
  fs::rename(m_temp.path() / "x", tree() / "d/b");
  EXPECT_THAT(now().paths, ElementsAre("a", "d/b"));
}

TEST_F(TreeStateTest, sees_a_write_right_after_settling) {
  for (int i = 0; i < 50; ++i) {
    const TreeState state = snapshot(tree());
    settle(state, m_temp.path());
    write_file(tree() / "a", i % 2 ? "54321" : "12345");
    EXPECT_EQ(changes(tree(), state).kind, Kind::some);
  }
}

TEST_F(TreeStateTest, after_settling_the_clock_has_moved_on) {
  for (int i = 0; i < 50; ++i) {
    write_file(tree() / "a", "12345");
    const TreeState state = snapshot(tree());
    settle(state, m_temp.path());
    const fs::path later = m_temp.path() / ("later" + std::to_string(i));
    write_file(later, "");
    struct stat info{};
    ASSERT_EQ(::stat(later.c_str(), &info), 0);
    EXPECT_GT(std::int64_t{info.st_ctim.tv_sec} * 1'000'000'000 + info.st_ctim.tv_nsec, state.newest());
  }
}

TEST_F(TreeStateTest, names_only_the_first_changes) {
  for (int i = 0; i < 20; ++i) write_file(tree() / ("n" + std::to_string(i)), "");
  EXPECT_EQ(changes(tree(), m_before, 3).paths.size(), 3u);
}

TEST_F(TreeStateTest, names_are_compared_whole) {
  // In byte order "d-x" lies between "d" and "d/b".
  write_file(tree() / "d-x", "");
  EXPECT_THAT(now().paths, ElementsAre("d-x"));
}

TEST_F(TreeStateTest, a_missing_tree_is_a_state_too) {
  const fs::path none = m_temp.path() / "none";
  const TreeState before = snapshot(none);
  EXPECT_EQ(changes(none, before).kind, Kind::none);
  make_folders(none);
  EXPECT_THAT(changes(none, before).paths, ElementsAre(""));
  remove_tree(tree());
  EXPECT_EQ(now().paths.size(), 6u);
}

TEST_F(TreeStateTest, an_unreadable_tree_is_unknown) {
  if (is_root()) GTEST_SKIP() << "root can read everything";
  ASSERT_EQ(::chmod((tree() / "d").c_str(), 0), 0);
  EXPECT_EQ(now().kind, Kind::unknown);
}

TEST(TreeState, is_unknown_where_mapped_writes_leave_no_trace) {
  struct statfs info{};
  if (::statfs("/dev/shm", &info) != 0 || info.f_type != 0x01021994) GTEST_SKIP() << "no tmpfs at hand";
  const TempFolder temp("/dev/shm");
  const TreeState state = snapshot(temp.path());
  settle(state, temp.path());
  EXPECT_EQ(changes(temp.path(), state).kind, Kind::unknown);
}

}  // namespace
}  // namespace cib::store::test
