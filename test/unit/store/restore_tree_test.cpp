#include "store/restore_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>

#include "helpers.hpp"

namespace cib::store::test {
namespace {

using testing::HasSubstr;

class RestoreTree : public testing::Test {
 protected:
  Restored run(const Tar& tar) {
    const std::string bytes = tar.bytes();
    MemorySource source(bytes);
    m_options.prefix = "/layers";
    m_options.folder = root();
    m_options.name = "layer a:b";
    return restore_tree(source, m_options);
  }
  Error refusal(const Tar& tar) {
    return error_of([&] { run(tar); });
  }
  fs::path root() const { return m_temp.path(); }
  mode_t mode(const fs::path& path) const {
    struct stat info{};
    EXPECT_EQ(::lstat((root() / path).c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }

  TempFolder m_temp;
  RestoreOptions m_options;
};

Tar typical() {
  return Tar()
      .folder("/layers", 0755, 1001, 1000)
      .folder("/layers/bp", 0750, 1001, 1000)
      .folder("/layers/bp/layer", 0555, 1001, 1000)
      .file("/layers/bp/layer/f", "text", 0750, 1001, 1000)
      .symlink("/layers/bp/layer/l", "/absolute/target");
}

TEST_F(RestoreTree, maps_the_prefix_to_the_folder) {
  const mode_t before = mode("");
  const Restored restored = run(typical());
  EXPECT_EQ(read_file(root() / "bp/layer/f"), "text");
  EXPECT_EQ(fs::read_symlink(root() / "bp/layer/l"), "/absolute/target");
  EXPECT_EQ(restored.bytes, 4u);
  EXPECT_EQ(restored.files, 2u);
  EXPECT_EQ(mode("bp"), 0750u);
  EXPECT_EQ(mode("bp/layer"), 0555u) << "read-only, and yet it was filled";
  EXPECT_EQ(mode("bp/layer/f"), 0750u);
  EXPECT_EQ(mode(""), before) << "the prefix itself is not the archive's";
}

TEST_F(RestoreTree, keeps_the_mode_of_folders_that_exist) {
  make_folders(root() / "bp", 0711);
  run(typical());
  EXPECT_EQ(mode("bp"), 0711u);
}

TEST_F(RestoreTree, files_are_of_today) {
  const std::time_t now = std::time(nullptr);
  run(typical());
  struct stat info{};
  ASSERT_EQ(::lstat((root() / "bp/layer/f").c_str(), &info), 0);
  EXPECT_GE(info.st_mtime, now - 1);
}

TEST_F(RestoreTree, gives_everything_to_the_owner_that_the_caller_names) {
  m_options.uid = is_root() ? 1234 : ::geteuid();
  m_options.gid = is_root() ? 4321 : ::getegid();
  run(typical().file("/layers/other/deep/f", "x"));
  for (const char* path : {"bp", "bp/layer", "bp/layer/f", "bp/layer/l", "other", "other/deep"}) {
    struct stat info{};
    ASSERT_EQ(::lstat((root() / path).c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, *m_options.uid) << path;
    EXPECT_EQ(info.st_gid, *m_options.gid) << path;
  }
}

TEST_F(RestoreTree, replaces_files_without_writing_into_them) {
  make_folders(root() / "bp/layer");
  write_file(root() / "bp/layer/f", "old");
  fs::create_hard_link(root() / "bp/layer/f", root() / "other-name");
  run(typical());
  EXPECT_EQ(read_file(root() / "bp/layer/f"), "text");
  EXPECT_EQ(read_file(root() / "other-name"), "old");
}

TEST_F(RestoreTree, refuses_what_lies_outside_of_the_prefix) {
  for (const std::string name : {"/etc/passwd", "/layersX/f", "/layers/../etc/f", "relative", "/layer"}) {
    const Error error = refusal(Tar().file(name, "x"));
    EXPECT_EQ(error.code(), ExitCode::configuration) << name;
    EXPECT_THAT(error.message(), HasSubstr("layer a:b: entry '" + name));
  }
  EXPECT_TRUE(fs::is_empty(root()));
}

TEST_F(RestoreTree, refuses_the_prefix_as_a_file) { EXPECT_EQ(refusal(Tar().file("/layers", "x")).code(), ExitCode::configuration); }

TEST_F(RestoreTree, refuses_existing_links) {
  make_folders(root() / "bp/layer");
  fs::create_symlink("x", root() / "bp/layer/l");
  EXPECT_THAT(refusal(typical()).message(), HasSubstr("exists already"));
}

TEST_F(RestoreTree, never_follows_links) {
  const TempFolder outside;
  EXPECT_THAT(refusal(Tar().symlink("/layers/evil", outside.path().string()).file("/layers/evil/f", "x")).message(),
              HasSubstr("symbolic link"));
  fs::create_symlink(outside.path() / "g", root() / "file");
  EXPECT_EQ(refusal(Tar().file("/layers/file", "x")).code(), ExitCode::configuration);
  EXPECT_TRUE(fs::is_empty(outside.path()));
}

TEST_F(RestoreTree, refuses_other_types) {
  EXPECT_THAT(refusal(Tar().file("/layers/a", "x").link("/layers/b", "/layers/a")).message(), HasSubstr("unknown file type"));
  EXPECT_THAT(refusal(Tar().fifo("/layers/p")).message(), HasSubstr("unknown file type"));
  EXPECT_THAT(refusal(Tar().device("/layers/d", Tar::Type::char_device, 1, 3)).message(), HasSubstr("unknown file type"));
}

TEST_F(RestoreTree, refuses_more_entries_than_the_limit) {
  m_options.max_entries = 3;
  EXPECT_THAT(refusal(typical()).message(), HasSubstr("more than 3 entries"));
}

TEST_F(RestoreTree, reads_caches_of_the_go_lifecycle) {
  const fs::path cache = fs::path(CIB_GOLDENS) / "go-made/cache-dir/committed";
  std::uint64_t files = 0;
  for (const auto& entry : list_folder(cache)) {
    if (!entry.name.ends_with(".tar")) continue;
    FileSource source(cache / entry.name);
    m_options.prefix = "/layers";
    m_options.folder = root();
    files += restore_tree(source, m_options).files;
  }
  EXPECT_GT(files, 0u);
  EXPECT_FALSE(listing(root()).empty());
}

}  // namespace
}  // namespace cib::store::test
