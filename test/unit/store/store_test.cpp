#include "store/store.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "helpers.hpp"

namespace cib::store::test {
namespace {

using testing::HasSubstr;

mode_t mode_of(const fs::path& path) {
  struct stat info{};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

TEST(Store, makes_a_private_folder) {
  const TempFolder temp;
  const Store store(temp.path() / "new/store");
  EXPECT_EQ(mode_of(store.root()), 0700u);
  for (const auto& folder : {store.layers(), store.builds(), store.caches(), store.images(), store.builders(), store.temporary()})
    EXPECT_TRUE(fs::is_directory(folder)) << folder;
  EXPECT_EQ(read_file(store.root() / "version"), "ci-image-builder store 1\n");
}

TEST(Store, opens_again) {
  const TempFolder temp;
  { const Store store(temp.path() / "s"); }
  write_file(temp.path() / "s/caches/mine", "x");
  const Store store(temp.path() / "s");
  EXPECT_EQ(read_file(store.caches() / "mine"), "x");
}

TEST(Store, takes_an_empty_volume) {
  const TempFolder temp;
  make_folders(temp.path() / "s/lost+found", 0755);
  const Store store(temp.path() / "s");
  EXPECT_EQ(mode_of(store.root()), 0700u);
}

TEST(Store, refuses_a_folder_of_other_things) {
  const TempFolder temp;
  write_file(temp.path() / "thesis.txt", "x");
  const Error error = error_of([&] { Store store(temp.path()); });
  EXPECT_EQ(error.code(), ExitCode::configuration);
  EXPECT_THAT(error.message(), HasSubstr(temp.path().string()));
  EXPECT_THAT(error.why(), HasSubstr("thesis.txt"));
  EXPECT_EQ(list_folder(temp.path()).size(), 1u) << "nothing was made in it";
}

TEST(Store, refuses_another_version) {
  const TempFolder temp;
  { const Store store(temp.path() / "s"); }
  write_file(temp.path() / "s/version", "ci-image-builder store 2\n");
  EXPECT_THAT(error_of([&] { Store store(temp.path() / "s"); }).message(), HasSubstr("another version"));
}

TEST(Store, refuses_a_file) {
  const TempFolder temp;
  write_file(temp.path() / "f", "x");
  EXPECT_EQ(error_of([&] { Store store(temp.path() / "f"); }).code(), ExitCode::configuration);
}

TEST(Store, says_what_to_do_when_it_cannot_be_written) {
  const fs::path place = is_root() ? "/proc/cib-store" : "/cib-store";
  const Error error = error_of([&] { Store store{place}; });
  EXPECT_THAT(error.message(), HasSubstr(place.string()));
  if (!is_root()) {
    EXPECT_EQ(error.code(), ExitCode::permission);
    EXPECT_THAT(error.next(), HasSubstr("CI_IMAGE_BUILDER_STORE"));
  }
}

TEST(Store, refuses_the_folder_of_another_user) {
  if (!is_root()) GTEST_SKIP() << "only root can make one";
  const TempFolder temp;
  make_folders(temp.path() / "s");
  ASSERT_EQ(::chown((temp.path() / "s").c_str(), 1234, 1234), 0);
  EXPECT_THAT(error_of([&] { Store store(temp.path() / "s"); }).message(), HasSubstr("uid 1234"));
}

TEST(Store, removes_what_crashed_runs_left) {
  const TempFolder temp;
  { const Store store(temp.path() / "s"); }
  make_folders(temp.path() / "s/builds/dead/root/upper");
  make_folders(temp.path() / "s/tmp/layer-dead/tree/locked");
  ASSERT_EQ(::chmod((temp.path() / "s/tmp/layer-dead/tree").c_str(), 0500), 0);
  write_file(temp.path() / "s/tmp/file", "x");
  const Store store(temp.path() / "s");
  EXPECT_TRUE(fs::is_empty(store.builds()));
  EXPECT_TRUE(fs::is_empty(store.temporary()));
}

TEST(Store, leaves_what_running_builds_have) {
  const TempFolder temp;
  const Store store(temp.path() / "s");
  const BuildFolder build(store);
  write_file(build.path() / "f", "x");
  const LockedFolder partial(store.temporary(), "layer-");
  {
    const Store again(temp.path() / "s");
  }
  EXPECT_EQ(in_child([&] {
              const Store other(temp.path() / "s");
              return std::string("opened");
            }),
            "opened");
  EXPECT_EQ(read_file(build.path() / "f"), "x");
  EXPECT_TRUE(fs::is_directory(partial.path()));
}

TEST(BuildFolder, is_private_and_goes_with_the_scope) {
  const TempFolder temp;
  const Store store(temp.path() / "s");
  fs::path path;
  {
    const BuildFolder build(store);
    path = build.path();
    EXPECT_EQ(mode_of(path), 0700u);
    make_folders(path / "deep/er");
    ASSERT_EQ(::chmod((path / "deep").c_str(), 0500), 0);
    const BuildFolder other(store);
    EXPECT_NE(other.path(), path);
  }
  EXPECT_FALSE(exists_no_follow(path));
}

TEST(BuildFolder, of_a_killed_process_is_removed_by_the_next) {
  const TempFolder temp;
  const Store store(temp.path() / "s");
  const pid_t child = ::fork();
  if (child == 0) {
    const BuildFolder build(store);
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(list_folder(store.builds()).size(), 1u);
  const Store again(temp.path() / "s");
  EXPECT_TRUE(fs::is_empty(store.builds()));
}

class Environment : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : names) {
      const char* value = std::getenv(name);
      m_before.emplace_back(name, value ? std::optional<std::string>(value) : std::nullopt);
      ::unsetenv(name);
    }
  }
  void TearDown() override {
    for (const auto& [name, value] : m_before)
      if (value) ::setenv(name.c_str(), value->c_str(), 1);
      else ::unsetenv(name.c_str());
  }
  static constexpr const char* names[] = {"CI_IMAGE_BUILDER_STORE", "XDG_CACHE_HOME", "HOME"};
  std::vector<std::pair<std::string, std::optional<std::string>>> m_before;
};

using DefaultStorePath = Environment;

TEST_F(DefaultStorePath, is_the_first_that_is_set) {
  const TempFolder temp;
  EXPECT_EQ(default_store_path(), "/var/cache/ci-image-builder");
  ::setenv("HOME", (temp.path() / "home").c_str(), 1);
  EXPECT_EQ(default_store_path(), temp.path() / "home/.cache/ci-image-builder");
  ::setenv("XDG_CACHE_HOME", (temp.path() / "xdg").c_str(), 1);
  EXPECT_EQ(default_store_path(), temp.path() / "xdg/ci-image-builder");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(default_store_path(), temp.path() / "home/.cache/ci-image-builder");
  ::setenv("CI_IMAGE_BUILDER_STORE", "/some/where", 1);
  EXPECT_EQ(default_store_path(), "/some/where");
  EXPECT_TRUE(fs::is_empty(temp.path())) << "nothing is made";
}

TEST_F(DefaultStorePath, passes_over_a_home_that_cannot_be_written) {
  const TempFolder temp;
  write_file(temp.path() / "home", "a file");
  ::setenv("HOME", (temp.path() / "home").c_str(), 1);
  EXPECT_EQ(default_store_path(), "/var/cache/ci-image-builder");
}

}  // namespace
}  // namespace cib::store::test
