#include "store/extract.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "helpers.hpp"
#include "store/entry_name.hpp"

namespace cib::store::test {
namespace {

using Mode = ExtractOptions::Mode;
using testing::ElementsAre;
using testing::HasSubstr;

struct stat info_of(const fs::path& path) {
  struct stat info{};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

bool is_whiteout(const fs::path& path) {
  const auto info = info_of(path);
  return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

bool is_opaque(const fs::path& path) {
  char value = 0;
  const char* name = is_root() ? "trusted.overlay.opaque" : "user.overlay.opaque";
  return ::lgetxattr(path.c_str(), name, &value, 1) == 1 && value == 'y';
}

class ExtractModes : public testing::TestWithParam<Mode> {
 protected:
  Extracted run(const Tar& tar) { return extract_to(root(), tar.bytes(), GetParam()); }
  Error refusal(const Tar& tar) {
    return error_of([&] { run(tar); });
  }
  fs::path root() const { return m_root; }
  fs::path outside() const { return m_temp.path() / "outside"; }
  void SetUp() override {
    fs::create_directory(m_root);
    fs::create_directory(outside());
  }

  TempFolder m_temp;
  fs::path m_root = m_temp.path() / "root";
};

INSTANTIATE_TEST_SUITE_P(All, ExtractModes, testing::Values(Mode::layer, Mode::apply),
                         [](const auto& info) { return info.param == Mode::layer ? "layer" : "apply"; });

TEST_P(ExtractModes, makes_what_the_archive_says) {
  const auto result = run(Tar()
                              .folder("etc/", 0755)
                              .file("etc/passwd", "root", 0640)
                              .folder("/usr", 0555)
                              .folder("./usr/bin", 0500)
                              .file("usr/bin/tool", "#!", 0755)
                              .link("usr/bin/alias", "usr/bin/tool")
                              .symlink("bin", "usr/bin")
                              .fifo("pipe", 0622));
  EXPECT_EQ(read_file(root() / "etc/passwd"), "root");
  EXPECT_EQ(info_of(root() / "etc/passwd").st_mtime, Tar::time);
  EXPECT_EQ(info_of(root() / "etc").st_mtime, Tar::time);
  EXPECT_EQ(info_of(root() / "etc/passwd").st_mode & 07777, 0640u);
  EXPECT_EQ(info_of(root() / "usr").st_mode & 07777, is_root() ? 0555u : 0755u);
  EXPECT_EQ(info_of(root() / "usr/bin").st_mode & 07777, is_root() ? 0500u : 0700u);
  EXPECT_EQ(info_of(root() / "usr/bin/tool").st_ino, info_of(root() / "usr/bin/alias").st_ino);
  EXPECT_EQ(fs::read_symlink(root() / "bin"), "usr/bin");
  EXPECT_EQ(info_of(root() / "bin").st_mtime, Tar::time);
  EXPECT_TRUE(S_ISFIFO(info_of(root() / "pipe").st_mode));
  EXPECT_EQ(result.record.entries, 8u);
  EXPECT_EQ(result.record.bytes, 6u);
  EXPECT_GE(result.record.disk, 8u * 4096 - 4096);
}

TEST_P(ExtractModes, gives_entries_their_owners_as_root) {
  if (!is_root()) GTEST_SKIP() << "only root can";
  run(Tar().folder("home", 0700, 1001, 1002).file("home/f", "x", 04755, 1001, 1002).symlink("l", "home"));
  EXPECT_EQ(info_of(root() / "home").st_uid, 1001u);
  EXPECT_EQ(info_of(root() / "home").st_gid, 1002u);
  EXPECT_EQ(info_of(root() / "home/f").st_uid, 1001u);
  EXPECT_EQ(info_of(root() / "home/f").st_mode & 07777, 04755u) << "set-id bits survive the change of owner";
}

TEST_P(ExtractModes, tells_owners_and_modes_that_a_user_cannot_set) {
  StringSink owners;
  ExtractOptions options;
  options.mode = GetParam();
  options.owners = &owners;
  const std::string tar = Tar().folder("home", 0700, 1001, 1002).file("home/f", "x", 04755, 5, 6).bytes();
  MemorySource source(tar);
  extract(source, root(), options);
  write_file(m_temp.path() / "owners", owners.text);
  const auto read = read_owners(m_temp.path() / "owners");
  EXPECT_EQ(read.size(), 2u);
  EXPECT_EQ(read.at("home"), (Owner{1001, 1002, 0700}));
  EXPECT_EQ(read.at("home/f"), (Owner{5, 6, 04755}));
}

TEST_P(ExtractModes, a_later_entry_replaces_an_earlier_one) {
  run(Tar()
          .file("a", "first", 0600)
          .file("a", "second", 0644)
          .folder("b")
          .file("b/inner", "x")
          .file("b", "now a file")
          .file("c", "file")
          .folder("c", 0711)
          .symlink("d", "a")
          .file("d", "no link any more")
          .folder("e", 0700)
          .folder("e", 0755));
  EXPECT_EQ(read_file(root() / "a"), "second");
  EXPECT_EQ(info_of(root() / "a").st_mode & 0777, 0644u);
  EXPECT_EQ(read_file(root() / "b"), "now a file");
  EXPECT_TRUE(fs::is_directory(root() / "c"));
  EXPECT_EQ(read_file(root() / "d"), "no link any more");
  EXPECT_EQ(read_file(root() / "a"), "second") << "not written through the link";
  EXPECT_EQ(info_of(root() / "e").st_mode & 0777, 0755u);
}

TEST_P(ExtractModes, makes_missing_parents) {
  run(Tar().file("a/b/c", "x"));
  EXPECT_EQ(read_file(root() / "a/b/c"), "x");
  EXPECT_EQ(info_of(root() / "a/b").st_mode & 07777, 0755u);
}

TEST_P(ExtractModes, applies_the_root_entry_to_the_folder) {
  run(Tar().folder("./", 0711).file("./x", "x"));
  EXPECT_EQ(info_of(root()).st_mode & 07777, 0711u);
  EXPECT_EQ(info_of(root()).st_mtime, Tar::time);
}

TEST_P(ExtractModes, takes_absolute_names_as_relative_to_the_root) {
  run(Tar().file("//etc//./shadow", "x"));
  EXPECT_EQ(read_file(root() / "etc/shadow"), "x");
}

TEST_P(ExtractModes, refuses_names_that_lead_out) {
  for (const std::string name : {"../outside/f", "a/../../outside/f", "..", "/..", "a/..", "./../f"}) {
    const Error error = refusal(Tar().file(name, "x"));
    EXPECT_EQ(error.code(), ExitCode::configuration) << name;
    EXPECT_THAT(error.message(), HasSubstr("layer under test: entry '" + name + "'"));
    EXPECT_THAT(error.message(), HasSubstr("'..'"));
  }
  EXPECT_TRUE(fs::is_empty(outside()));
}

TEST_P(ExtractModes, refuses_names_that_are_too_deep_or_too_long) {
  std::string deep;
  for (int i = 0; i < 256; ++i) deep += "d/";
  EXPECT_THAT(refusal(Tar().folder(deep)).message(), HasSubstr("255 folders deep"));
  EXPECT_EQ(refusal(Tar().file(std::string(300, 'n'), "x")).code(), ExitCode::configuration);
  EXPECT_EQ(refusal(Tar().file(std::string(100, 'n') + "/" + std::string(5000, 'n'), "x")).code(), ExitCode::configuration);
}

TEST_P(ExtractModes, quotes_hostile_names_in_messages) {
  EXPECT_THAT(refusal(Tar().file("a\x1b[2J\n/../..", "x")).message(), HasSubstr("'a\\x1b[2J\\x0a/../..'"));
}

TEST_P(ExtractModes, writes_through_links_stay_inside) {
  // Absolute targets start at the root of the tree, as in a chroot.
  run(Tar().symlink("evil", outside().string()).file("evil/pwned", "x"));
  EXPECT_TRUE(fs::is_empty(outside()));
  EXPECT_EQ(read_file(root() / outside().relative_path() / "pwned"), "x");
}

TEST_P(ExtractModes, a_link_as_last_component_is_replaced_not_followed) {
  write_file(outside() / "target", "untouched");
  run(Tar().symlink("f", (outside() / "target").string()).file("f", "x"));
  EXPECT_EQ(read_file(outside() / "target"), "untouched");
  EXPECT_TRUE(S_ISREG(info_of(root() / "f").st_mode));
}

TEST_P(ExtractModes, follows_a_link_to_a_folder_of_the_layer) {
  run(Tar().folder("usr").folder("usr/bin").symlink("bin", "usr/bin").file("bin/tool", "x").symlink("l", "../usr/x"));
  EXPECT_EQ(read_file(root() / "usr/bin/tool"), "x");
  EXPECT_TRUE(fs::is_symlink(root() / "bin"));
}

TEST_P(ExtractModes, links_are_resolved_from_where_they_lie) {
  run(Tar()
          .folder("a/b")
          .folder("target")
          .symlink("a/b/absolute", "/target")
          .symlink("a/b/relative", "../../target/./sub")
          .symlink("a/b/near", "beside")
          .file("a/b/absolute/one", "1")
          .file("a/b/relative/two", "2")
          .file("a/b/near/three", "3"));
  EXPECT_EQ(read_file(root() / "target/one"), "1");
  EXPECT_EQ(read_file(root() / "target/sub/two"), "2");
  EXPECT_EQ(read_file(root() / "a/b/beside/three"), "3");
}

TEST_P(ExtractModes, link_loops_end) {
  EXPECT_THAT(refusal(Tar().symlink("a", "b").symlink("b", "a").file("a/f", "x")).message(), HasSubstr("symbolic links"));
}

TEST(Extract, a_layer_refuses_a_link_above_the_root_on_the_way) {
  const TempFolder temp;
  fs::create_directory(temp.path() / "root");
  const std::string tar = Tar().symlink("up", "../outside").file("up/f", "x").bytes();
  const Error error = error_of([&] { extract_to(temp.path() / "root", tar, Mode::layer); });
  EXPECT_EQ(error.code(), ExitCode::configuration);
  EXPECT_THAT(error.message(), HasSubstr("leads out of the root"));
  EXPECT_FALSE(exists_no_follow(temp.path() / "outside"));
}

TEST(Extract, applying_clamps_a_link_above_the_root) {
  const TempFolder temp;
  fs::create_directory(temp.path() / "root");
  extract_to(temp.path() / "root", Tar().symlink("up", "../../outside").file("up/f", "x").bytes(), Mode::apply);
  EXPECT_FALSE(exists_no_follow(temp.path() / "outside"));
  EXPECT_EQ(read_file(temp.path() / "root/outside/f"), "x");
}

TEST_P(ExtractModes, hard_links_reach_nothing_outside) {
  write_file(outside() / "secret", "s");
  EXPECT_THAT(refusal(Tar().link("l", "../outside/secret")).message(), HasSubstr("'..'"));
  EXPECT_THAT(refusal(Tar().link("l", (outside() / "secret").string())).message(), HasSubstr("does not exist"));
  EXPECT_EQ(refusal(Tar().symlink("s", outside().string()).link("l", "s/secret")).code(), ExitCode::configuration);
  EXPECT_EQ(refusal(Tar().folder("d").link("l", "d")).code(), ExitCode::configuration);
  EXPECT_EQ(info_of(outside() / "secret").st_nlink, 1u);
}

TEST_P(ExtractModes, a_hard_link_to_a_link_is_the_link) {
  write_file(outside() / "secret", "s");
  run(Tar().symlink("s", (outside() / "secret").string()).link("l", "s"));
  EXPECT_TRUE(fs::is_symlink(root() / "l"));
  EXPECT_EQ(info_of(outside() / "secret").st_nlink, 1u);
}

TEST_P(ExtractModes, a_hard_link_to_itself_leaves_the_file) {
  run(Tar().file("f", "x").link("f", "f").link("g", "f").link("g", "./f"));
  EXPECT_EQ(read_file(root() / "f"), "x");
  EXPECT_EQ(info_of(root() / "g").st_nlink, 2u);
}

TEST_P(ExtractModes, a_hard_link_may_not_swallow_its_target) {
  EXPECT_EQ(refusal(Tar().folder("d").file("d/f", "x").link("d", "d/f")).code(), ExitCode::configuration);
}

TEST_P(ExtractModes, skips_devices) {
  const auto result = run(Tar()
                              .device("dev/sda", Tar::Type::block_device, 8, 0)
                              .device("dev/null", Tar::Type::char_device, 1, 3)
                              .device("hidden", Tar::Type::char_device, 0, 0)
                              .file("after", "x"));
  EXPECT_THAT(result.skipped, ElementsAre("dev/sda", "dev/null", "hidden"));
  EXPECT_FALSE(exists_no_follow(root() / "dev/sda"));
  EXPECT_FALSE(exists_no_follow(root() / "hidden"));
  EXPECT_EQ(read_file(root() / "after"), "x");
}

TEST_P(ExtractModes, makes_devices_when_asked_but_never_a_whiteout) {
  if (!is_root()) GTEST_SKIP() << "only root can";
  ExtractOptions options;
  options.mode = GetParam();
  options.devices = true;
  const std::string tar = Tar()
                              .device("null", Tar::Type::char_device, 1, 3)
                              .device("hidden", Tar::Type::char_device, 0, 0)
                              .bytes();
  MemorySource source(tar);
  EXPECT_THAT(extract(source, root(), options).skipped, ElementsAre("hidden"));
  EXPECT_EQ(info_of(root() / "null").st_rdev, makedev(1, 3));
}

TEST_P(ExtractModes, refuses_more_entries_than_the_limit) {
  Tar tar;
  for (int i = 0; i < 101; ++i) tar.file("f" + std::to_string(i), "");
  ExtractOptions options;
  options.mode = GetParam();
  options.limits.entries = 100;
  const std::string bytes = tar.bytes();
  MemorySource source(bytes);
  EXPECT_THAT(error_of([&] { extract(source, root(), options); }).message(), HasSubstr("more than 100 entries"));
}

TEST_P(ExtractModes, refuses_names_that_take_too_much_memory) {
  Tar tar;
  for (int i = 0; i < 200; ++i) tar.folder("f" + std::to_string(i) + std::string(200, 'x'));
  ExtractOptions options;
  options.mode = GetParam();
  options.limits.name_bytes = 20'000;
  const std::string bytes = tar.bytes();
  MemorySource source(bytes);
  EXPECT_THAT(error_of([&] { extract(source, root(), options); }).message(), HasSubstr("too much memory"));
}

TEST_P(ExtractModes, refuses_an_archive_that_ends_early) {
  const std::string tar = Tar().file("f", std::string(2000, 'x')).bytes();
  const Error error = error_of([&] { extract_to(root(), tar.substr(0, 1500), GetParam()); });
  EXPECT_EQ(error.code(), ExitCode::configuration);
}

TEST_P(ExtractModes, stops_when_asked) {
  std::stop_source stop;
  ExtractOptions options;
  options.mode = GetParam();
  options.stop = stop.get_token();
  options.progress = [&](std::uint64_t) { stop.request_stop(); };
  const std::string tar = Tar().file("a", "x").file("b", "y").bytes();
  MemorySource source(tar);
  EXPECT_EQ(error_of([&] { extract(source, root(), options); }).code(), ExitCode::interrupted);
}

TEST_P(ExtractModes, reads_the_source_to_its_end) {
  const std::string tar = Tar().file("a", "x").bytes() + std::string(100'000, '\0');
  MemorySource source(tar);
  ExtractOptions options;
  options.mode = GetParam();
  extract(source, root(), options);
  std::byte rest[1];
  EXPECT_EQ(source.read(rest), 0u);
}

TEST_P(ExtractModes, refuses_whiteouts_of_nothing) {
  for (const std::string name : {".wh.", ".wh..", ".wh...", "a/.wh.."})
    EXPECT_EQ(refusal(Tar().file(name, "")).code(), ExitCode::configuration) << name;
}

TEST(ExtractLayer, marks_whiteouts_and_opaque_folders_for_overlayfs) {
  const TempFolder temp;
  const auto result = extract_to(
      temp.path(), Tar().folder("etc").whiteout("etc", "gone").folder("var").opaque("var").file("var/new", "x").bytes(),
      Mode::layer);
  EXPECT_TRUE(is_whiteout(temp.path() / "etc/gone"));
  EXPECT_TRUE(is_opaque(temp.path() / "var"));
  EXPECT_FALSE(is_opaque(temp.path() / "etc"));
  EXPECT_FALSE(exists_no_follow(temp.path() / "etc/.wh.gone"));
  EXPECT_FALSE(exists_no_follow(temp.path() / "var/.wh..wh..opq"));
  EXPECT_THAT(result.record.marks.whiteouts, ElementsAre("etc/gone"));
  EXPECT_THAT(result.record.marks.opaques, ElementsAre("var"));
  EXPECT_EQ(result.record.made, is_root() ? OverlayMarks::trusted : OverlayMarks::user);
  EXPECT_EQ(info_of(temp.path() / "etc").st_mtime, Tar::time);
}

TEST(ExtractLayer, a_whiteout_and_a_new_folder_of_one_name_are_an_opaque_folder) {
  for (const bool whiteout_first : {true, false}) {
    const TempFolder temp;
    Tar tar;
    if (whiteout_first) tar.whiteout("", "d").folder("d").file("d/f", "x").whiteout("", "e").file("e/f", "x");
    else tar.folder("d").file("d/f", "x").whiteout("", "d").file("e/f", "x").whiteout("", "e");
    const auto result = extract_to(temp.path(), tar.bytes(), Mode::layer);
    EXPECT_TRUE(is_opaque(temp.path() / "d"));
    EXPECT_TRUE(is_opaque(temp.path() / "e"));
    EXPECT_EQ(read_file(temp.path() / "d/f"), "x");
    EXPECT_TRUE(result.record.marks.whiteouts.empty());
  }
}

TEST(ExtractLayer, a_whiteout_leaves_a_file_of_the_same_layer) {
  const TempFolder temp;
  const auto result = extract_to(temp.path(), Tar().file("f", "x").whiteout("", "f").whiteout("", "g").file("g", "y").bytes(),
                                 Mode::layer);
  EXPECT_EQ(read_file(temp.path() / "f"), "x");
  EXPECT_EQ(read_file(temp.path() / "g"), "y");
  EXPECT_TRUE(result.record.marks.whiteouts.empty());
}

TEST(ExtractLayer, forgets_the_marks_of_a_folder_that_is_replaced) {
  const TempFolder temp;
  const auto result = extract_to(
      temp.path(), Tar().folder("d").opaque("d").whiteout("d/sub", "x").file("d", "file").bytes(), Mode::layer);
  EXPECT_TRUE(result.record.marks.opaques.empty());
  EXPECT_TRUE(result.record.marks.whiteouts.empty());
  EXPECT_TRUE(result.record.marks.implicit.empty());
  EXPECT_EQ(read_file(temp.path() / "d"), "file");
}

TEST(ExtractLayer, tells_folders_that_the_archive_does_not_mention) {
  const TempFolder temp;
  const auto result = extract_to(temp.path(), Tar().file("a/b/c/f", "x").folder("a/b", 0700).bytes(), Mode::layer);
  EXPECT_THAT(result.record.marks.implicit, ElementsAre("a", "a/b/c"));
}

TEST(ExtractLayer, refuses_a_file_as_parent) {
  const TempFolder temp;
  const Error error = error_of([&] { extract_to(temp.path(), Tar().file("a", "x").file("a/b", "y").bytes(), Mode::layer); });
  EXPECT_EQ(error.code(), ExitCode::configuration);
  EXPECT_THAT(error.message(), HasSubstr("not a folder"));
}

TEST(ExtractLayer, does_not_believe_overlay_marks_of_the_archive) {
  const TempFolder temp;
  std::string pax;
  for (const std::string key : {"trusted.overlay.opaque=y", "user.overlay.opaque=y", "user.mark=ok"}) {
    const std::string body = " SCHILY.xattr." + key + "\n";
    const std::size_t length = body.size() + 2;  // with its own two digits
    pax += std::to_string(length) + body;
  }
  std::string tar = Tar().file("PaxHeaders/d", pax).bytes();
  tar.resize(tar.size() - 1024);
  tar[156] = 'x';
  unsigned sum = 0;
  std::fill(tar.begin() + 148, tar.begin() + 156, ' ');
  for (int i = 0; i < 512; ++i) sum += static_cast<unsigned char>(tar[i]);
  std::snprintf(tar.data() + 148, 8, "%06o", sum);
  tar += Tar().folder("d").bytes();
  const auto result = extract_to(temp.path(), tar, Mode::layer);
  char value[8];
  EXPECT_LT(::lgetxattr((temp.path() / "d").c_str(), "trusted.overlay.opaque", value, sizeof value), 0);
  EXPECT_LT(::lgetxattr((temp.path() / "d").c_str(), "user.overlay.opaque", value, sizeof value), 0);
  if (is_root()) {
    EXPECT_EQ(::lgetxattr((temp.path() / "d").c_str(), "user.mark", value, sizeof value), 2);
  }
  EXPECT_TRUE(result.record.marks.opaques.empty());
}

TEST(ExtractApply, whiteouts_delete_what_the_layers_below_brought) {
  const TempFolder temp;
  extract_to(temp.path(),
             Tar().folder("d").file("d/old", "o").folder("d/sub").file("d/sub/x", "x").file("f", "f").file("keep", "k").bytes(),
             Mode::apply);
  extract_to(temp.path(), Tar().file("d/new", "n").opaque("d").whiteout("", "f").whiteout("", "absent").bytes(), Mode::apply);
  EXPECT_EQ(listing(temp.path()).find("old"), std::string::npos);
  EXPECT_FALSE(exists_no_follow(temp.path() / "d/sub"));
  EXPECT_FALSE(exists_no_follow(temp.path() / "f"));
  EXPECT_EQ(read_file(temp.path() / "d/new"), "n") << "what the same layer brought stays, wherever the whiteout stands";
  EXPECT_EQ(read_file(temp.path() / "keep"), "k");
}

TEST(ExtractApply, follows_the_links_of_the_layers_below) {
  const TempFolder temp;
  extract_to(temp.path(), Tar().folder("usr/bin").symlink("bin", "usr/bin").file("file", "x").bytes(), Mode::apply);
  extract_to(temp.path(), Tar().file("bin/tool", "t").file("file/now/a/folder", "y").bytes(), Mode::apply);
  EXPECT_EQ(read_file(temp.path() / "usr/bin/tool"), "t");
  EXPECT_EQ(read_file(temp.path() / "file/now/a/folder"), "y");
  extract_to(temp.path(), Tar().folder("bin").file("bin/tool", "other").bytes(), Mode::apply);
  EXPECT_FALSE(fs::is_symlink(temp.path() / "bin")) << "a folder entry is a folder";
  EXPECT_EQ(read_file(temp.path() / "usr/bin/tool"), "t");
}

TEST(ExtractApply, replaces_across_layers) {
  const TempFolder temp;
  extract_to(temp.path(), Tar().folder("d").file("d/x", "x").file("f", "f").symlink("l", "f").bytes(), Mode::apply);
  extract_to(temp.path(), Tar().file("d", "file").folder("f").file("f/y", "y").file("l", "own").bytes(), Mode::apply);
  EXPECT_EQ(read_file(temp.path() / "d"), "file");
  EXPECT_EQ(read_file(temp.path() / "f/y"), "y");
  EXPECT_EQ(read_file(temp.path() / "l"), "own");
}

TEST(EntryName, is_relative_and_clean) {
  EXPECT_EQ(normalise_entry_name("/a//b/./c/"), "a/b/c");
  EXPECT_EQ(normalise_entry_name("./"), "");
  EXPECT_EQ(normalise_entry_name("..a/...b"), "..a/...b");
  EXPECT_THROW(normalise_entry_name(""), Error);
  EXPECT_THROW(normalise_entry_name(std::string_view("a\0b", 3)), Error);
  EXPECT_THROW(normalise_entry_name(std::string(4097, 'a')), Error);
  EXPECT_NO_THROW(normalise_entry_name(std::string(4096, 'a')));
}

TEST(LayerRecord, comes_back_as_it_was_written) {
  LayerRecord record;
  record.marks = {{"a b", "c\nd"}, {"", "x"}, {"i"}};
  record.made = OverlayMarks::user;
  record.bytes = 5;
  record.disk = 4096;
  record.entries = 2;
  const std::string text = format_record(record);
  const auto read = parse_record(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(format_record(*read), text);
  EXPECT_EQ(read->marks.whiteouts, record.marks.whiteouts);
  EXPECT_EQ(read->marks.opaques, record.marks.opaques);
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse_record(text.substr(0, size))) << size;
  EXPECT_FALSE(parse_record(text + "x"));
}

}  // namespace
}  // namespace cib::store::test
