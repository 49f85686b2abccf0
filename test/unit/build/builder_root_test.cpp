#include "build/builder_root.hpp"

#include <gtest/gtest.h>

using namespace cib;
using namespace cib::build;

namespace {

// A root that is a plain folder.
class PlainRoot : public store::Rootfs {
 public:
  explicit PlainRoot(fs::path root) { m_tree.flat = std::move(root); }
  const store::RootTree& tree() const override { return m_tree; }
  std::string_view kind() const override { return "plain"; }
  std::optional<fs::path> locate(std::string_view path) const override {
    const fs::path place = m_tree.flat.string() + std::string(path);
    return fs::exists(place) ? std::optional(place) : std::nullopt;
  }
  std::vector<std::string> list(std::string_view path) const override {
    std::vector<std::string> names;
    if (const auto place = locate(path))
      for (const FolderEntry& entry : list_folder(*place)) names.push_back(entry.name);
    return names;
  }
  std::optional<store::Owner> owner(std::string_view) const override { return std::nullopt; }

 private:
  store::RootTree m_tree;
};

}  // namespace

TEST(HomeOf, is_the_sixth_field_of_the_user_s_line) {
  TempFolder temp;
  make_folders(temp.path() / "etc");
  write_file(temp.path() / "etc/passwd",
             "root:x:0:0:root:/root:/bin/sh\nbroken line\ncnb:x:1001:1000:a comment that is longer than a short string:/home/cnb:/bin/sh\n");
  const PlainRoot root(temp.path());
  EXPECT_EQ(home_of(root, 1001), "/home/cnb");
  EXPECT_EQ(home_of(root, 0), "/root");
  EXPECT_EQ(home_of(root, 7), "/");
}

TEST(HomeOf, is_the_root_folder_where_nobody_is_listed) {
  TempFolder temp;
  EXPECT_EQ(home_of(PlainRoot(temp.path()), 1001), "/");
}

TEST(RootEnv, is_every_file_of_the_folder_byte_for_byte) {
  TempFolder temp;
  make_folders(temp.path() / "platform/env/folder");
  write_file(temp.path() / "platform/env/A", "a\n");
  EXPECT_EQ(read_root_env(PlainRoot(temp.path()), "/platform/env"), (cnb::EnvFiles{{"A", "a\n"}}));
}
