#include "build/tree_tar.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "oci/digest.hpp"
#include "oci/tar_reader.hpp"

using namespace cib;
using namespace cib::build;

namespace {

// What a golden says of its layers: none of this needs a privilege.
class TreeTar : public testing::Test {
 protected:
  TempFolder temp;
  WorkTree tree{temp.path(), Ids{1001, 1000}};

  static std::string tar_of(const TarRecipe& recipe) {
    StringSink sink;
    recipe(sink, {});
    return sink.text;
  }
  static std::vector<std::string> names(const std::string& tar) {
    MemorySource source{std::string_view(tar)};
    oci::TarReader reader(source);
    oci::TarEntry entry;
    std::vector<std::string> found;
    while (reader.next(entry)) found.push_back(entry.name);
    return found;
  }
  void folder(const std::string& path) { make_folders(temp.path() / path); }
  void file(const std::string& path, std::string_view text = "x") {
    make_folders((temp.path() / path).parent_path());
    write_file(temp.path() / path, text);
  }
};

}  // namespace

TEST_F(TreeTar, a_layer_of_the_reference_gets_its_diff_id) {
  file("layers/golden_kinds/launch-cache/data", "kept\n");
  const auto expected = nlohmann::json::parse(read_file(fs::path(CIB_GOLDENS) / "expected/kinds.json"));
  std::string diff_id;
  for (const auto& layer : expected["steps"][0]["layers"])
    if (layer["entries"].size() == 4 && layer["entries"][2].get<std::string>().ends_with("launch-cache"))
      diff_id = layer["diff_id"];
  EXPECT_EQ(oci::sha256_of(tar_of(folder_tar(tree, "layers/golden_kinds/launch-cache"))).str(), diff_id);
}

TEST_F(TreeTar, a_folder_is_walked_depth_first_and_a_slice_is_sorted_by_whole_paths) {
  file("workspace/a/x");
  file("workspace/a-b");
  file("layers/b/l/a/x");
  file("layers/b/l/a-b");
  EXPECT_EQ(names(tar_of(folder_tar(tree, "layers/b/l"))),
            (std::vector<std::string>{"/layers", "/layers/b", "/layers/b/l", "/layers/b/l/a", "/layers/b/l/a/x",
                                      "/layers/b/l/a-b"}));
  EXPECT_EQ(names(tar_of(slice_tar(tree, {"a/x", "", "a", "a-b"}))),
            (std::vector<std::string>{"/workspace", "/workspace/a", "/workspace/a-b", "/workspace/a/x"}));
}

TEST_F(TreeTar, an_empty_slice_is_1024_zero_bytes) {
  EXPECT_EQ(oci::sha256_of(tar_of(slice_tar(tree, {}))).str(),
            "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
}

TEST_F(TreeTar, hard_links_become_copies_and_sockets_are_left_out) {
  file("layers/b/l/one", "text");
  fs::create_hard_link(temp.path() / "layers/b/l/one", temp.path() / "layers/b/l/two");
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (temp.path() / "layers/b/l/socket").string();
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  const std::string tar = tar_of(folder_tar(tree, "layers/b/l"));
  EXPECT_EQ(names(tar).size(), 5u);
  MemorySource source{std::string_view(tar)};
  oci::TarReader reader(source);
  oci::TarEntry entry;
  while (reader.next(entry))
    if (entry.name.ends_with("/two")) {
      EXPECT_EQ(entry.size, 4u);
      EXPECT_EQ(entry.type, oci::TarHeader::Type::file);
    }
}

TEST_F(TreeTar, a_link_in_the_place_of_a_folder_is_never_followed) {
  file("secret/file");
  folder("layers/b");
  fs::create_directory_symlink(temp.path() / "secret", temp.path() / "layers/b/l");
  EXPECT_THROW(tar_of(folder_tar(tree, "layers/b/l")), Error);
}

TEST_F(TreeTar, made_entries_are_root_s_with_0755) {
  file("launcher", "elf");
  const std::string tar = tar_of(made_tar({{MadeEntry::Kind::folder, "/cnb", {}, {}},
                                           {MadeEntry::Kind::file, "/cnb/launcher", temp.path() / "launcher", {}},
                                           {MadeEntry::Kind::link, "/cnb/web", {}, "/cnb/launcher"}}));
  MemorySource source{std::string_view(tar)};
  oci::TarReader reader(source);
  oci::TarEntry entry;
  while (reader.next(entry)) {
    EXPECT_EQ(entry.uid, 0u);
    EXPECT_EQ(entry.mode, 0755u);
  }
}
