#include "store/rootfs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helpers.hpp"
#include "store/layer_store.hpp"
#include "store/overlay.hpp"

namespace cib::store::test {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

// In a child: mounts the overlay in namespaces of its own.
void mount_overlay(const RootTree& tree) {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWNS | (uid ? CLONE_NEWUSER : 0)) != 0) throw system_error(errno, "unshare");
  if (uid) {
    const auto say = [](const char* file, const std::string& text) {
      const Fd fd = open_file(file, O_WRONLY);
      FdSink(fd.get(), file).write(as_bytes(text));
    };
    say("/proc/self/setgroups", "deny");
    say("/proc/self/uid_map", fmt::format("{0} {0} 1\n", uid));
    say("/proc/self/gid_map", fmt::format("{0} {0} 1\n", gid));
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) throw system_error(errno, "private mounts");
  std::string lowers;
  if (::chdir(tree.lowers.front().parent_path().parent_path().c_str()) != 0) throw system_error(errno, "chdir");
  for (const auto& lower : tree.lowers)
    lowers += (lowers.empty() ? "" : ":") + lower.lexically_relative(tree.lowers.front().parent_path().parent_path()).string();
  const std::string options = fmt::format("lowerdir={},upperdir={},workdir={}{}", lowers, tree.upper.string(),
                                          tree.work.string(), tree.user_xattr ? ",userxattr" : "");
  if (::mount("overlay", tree.mount_point.c_str(), "overlay", 0, options.c_str()) != 0) throw system_error(errno, "mount " + options);
}

mode_t mode_of(const fs::path& path) {
  struct stat info{};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

class RootfsTest : public testing::Test {
 protected:
  std::vector<UnpackedLayer> unpack(const std::vector<Tar>& tars) {
    std::vector<UnpackedLayer> layers;
    for (const auto& tar : tars) layers.push_back(m_layers.get(MemoryLayer(tar), "test"));
    return layers;
  }

  // What processes would see: of the root itself and below.
  std::string overlay_listing(const std::vector<Tar>& tars) {
    const BuildFolder build(m_store);
    const auto rootfs = make_rootfs(RootfsKind::overlay, unpack(tars), build);
    return in_child([&] {
      mount_overlay(rootfs->tree());
      return fmt::format("/ {:o}\n{}", mode_of(rootfs->tree().mount_point), listing(rootfs->tree().mount_point));
    });
  }
  std::string flat_listing(const std::vector<Tar>& tars) {
    const BuildFolder build(m_store);
    const auto rootfs = make_rootfs(RootfsKind::flat, unpack(tars), build);
    return fmt::format("/ {:o}\n{}", mode_of(rootfs->tree().flat), listing(rootfs->tree().flat));
  }
  // Gives the listing that both have.
  std::string same(const std::vector<Tar>& tars) {
    const std::string flat = flat_listing(tars);
    EXPECT_EQ(flat, overlay_listing(tars));
    return flat;
  }

  TempFolder m_temp;
  Store m_store{m_temp.path() / "s"};
  LayerStore m_layers{m_store};
};

class SameTree : public RootfsTest {
 protected:
  void SetUp() override {
    if (const auto reason = overlay_unavailable(m_store.root())) GTEST_SKIP() << *reason;
  }
};

Tar base() {
  return Tar()
      .folder("./", 0755)
      .folder("etc", 0755)
      .file("etc/passwd", "root:x:0:0", 0644)
      .file("etc/shadow", "secret", 0640, 0, 42)
      .folder("usr", 0755)
      .folder("usr/bin", 0755)
      .file("usr/bin/perl", "perl", 0755)
      .link("usr/bin/perl5", "usr/bin/perl")
      .file("usr/bin/sudo", "sudo", 04755)
      .file("usr/bin/shared", "s", 0664, 0, 50)
      .symlink("bin", "usr/bin")
      .folder("tmp", 01777)
      .folder("var", 0755)
      .folder("var/lib", 0755)
      .file("var/lib/old", "old")
      .folder("var/lib/deep", 0750)
      .file("var/lib/deep/f", "f")
      .folder("home", 0755)
      .folder("home/cnb", 0750, 1001, 1000)
      .file("home/cnb/.profile", "p", 0600, 1001, 1000)
      .fifo("var/pipe");
}

TEST_F(SameTree, of_one_layer) {
  const std::string seen = same({base()});
  EXPECT_THAT(seen, HasSubstr("usr/bin/perl5 - 0755"));
  EXPECT_THAT(seen, HasSubstr("bin l 0777"));
  EXPECT_THAT(seen, HasSubstr("var/pipe p 0644"));
  if (is_root()) {
    EXPECT_THAT(seen, HasSubstr("home/cnb/.profile - 0600 1001:1000 'p' 1000000000"));
    EXPECT_THAT(seen, HasSubstr("usr/bin/sudo - 4755"));
  }
}

TEST_F(SameTree, with_whiteouts) {
  const std::string seen = same({base(), Tar().whiteout("etc", "passwd").whiteout("var/lib", "deep").whiteout("", "tmp").whiteout("usr/bin", "perl"),
                                 Tar().folder("etc").file("etc/group", "g")});
  EXPECT_THAT(seen, Not(HasSubstr("passwd")));
  EXPECT_THAT(seen, Not(HasSubstr("deep")));
  EXPECT_THAT(seen, Not(HasSubstr("tmp")));
  EXPECT_THAT(seen, HasSubstr("usr/bin/perl5"));
  EXPECT_THAT(seen, HasSubstr("etc/group"));
  EXPECT_THAT(seen, HasSubstr("etc/shadow"));
}

TEST_F(SameTree, with_a_whiteout_and_the_name_again_above) {
  const std::string seen = same({base(), Tar().whiteout("var", "lib"), Tar().folder("var").folder("var/lib").file("var/lib/new", "n")});
  EXPECT_THAT(seen, HasSubstr("var/lib/new"));
  EXPECT_THAT(seen, Not(HasSubstr("var/lib/old")));
}

TEST_F(SameTree, with_opaque_folders) {
  const std::string seen = same({base(), Tar().folder("var").folder("var/lib", 0711).opaque("var/lib").file("var/lib/new", "n"),
                                 Tar().folder("var").folder("var/lib", 0755).file("var/lib/newer", "n")});
  EXPECT_THAT(seen, HasSubstr("var/lib/newer"));
  EXPECT_THAT(seen, HasSubstr("var/lib/new "));
  EXPECT_THAT(seen, Not(HasSubstr("var/lib/old")));
  EXPECT_THAT(seen, Not(HasSubstr("deep")));
}

TEST_F(SameTree, with_a_whiteout_and_a_folder_of_the_same_name_in_one_layer) {
  const std::string seen = same({base(), Tar().folder("var").whiteout("var", "lib").folder("var/lib").file("var/lib/new", "n")});
  EXPECT_THAT(seen, Not(HasSubstr("var/lib/old")));
  EXPECT_THAT(seen, HasSubstr("var/lib/new"));
}

TEST_F(SameTree, with_a_folder_replaced_by_a_file) {
  const std::string seen = same({base(), Tar().folder("var").file("var/lib", "now a file")});
  EXPECT_THAT(seen, HasSubstr("var/lib - "));
  EXPECT_THAT(seen, Not(HasSubstr("var/lib/")));
}

TEST_F(SameTree, with_a_file_replaced_by_a_folder_and_back) {
  const Tar folder = Tar().folder("etc").folder("etc/passwd").file("etc/passwd/x", "x");
  EXPECT_THAT(same({base(), folder}), HasSubstr("etc/passwd/x"));
  const Tar file = Tar().folder("etc").file("etc/passwd", "file again");
  EXPECT_THAT(same({base(), folder, file}), HasSubstr("'file again'"));
  // The middle file cuts the lower folder off.
  const std::string seen = same({base(), Tar().folder("var").file("var/lib", "f"), Tar().folder("var").folder("var/lib").file("var/lib/z", "z")});
  EXPECT_THAT(seen, HasSubstr("var/lib/z"));
  EXPECT_THAT(seen, Not(HasSubstr("var/lib/old")));
}

TEST_F(SameTree, with_links_replaced) {
  const std::string seen = same({base(), Tar().symlink("bin", "other/place").folder("usr").symlink("usr/bin", "../bin2"),
                                 Tar().file("bin", "a file now")});
  EXPECT_THAT(seen, HasSubstr("bin - 0644"));
  EXPECT_THAT(seen, HasSubstr("usr/bin l"));
  EXPECT_THAT(seen, Not(HasSubstr("perl")));
}

TEST_F(SameTree, with_hard_links_in_several_layers) {
  const std::string seen = same({base(), Tar().folder("usr").folder("usr/bin").file("usr/bin/a", "a", 0664).link("usr/bin/b", "usr/bin/a").link("usr/c", "usr/bin/a"),
                                 Tar().folder("usr").folder("usr/bin").file("usr/bin/perl", "other", 0755)});
  EXPECT_THAT(seen, HasSubstr("usr/c - 0664"));
  EXPECT_THAT(seen, HasSubstr("usr/bin/perl - 0755"));
}

TEST_F(SameTree, with_merged_usr) {
  // A folder entry `bin` over the link hides it, as everywhere; one through the link does not exist in layers.
  const std::string seen = same({base(), Tar().folder("bin").file("bin/tool", "t")});
  EXPECT_THAT(seen, HasSubstr("bin d 0755"));
  EXPECT_THAT(seen, HasSubstr("bin/tool"));
  EXPECT_THAT(seen, HasSubstr("usr/bin/perl"));
}

TEST_F(SameTree, keeps_owner_and_mode_of_folders_that_a_layer_does_not_mention) {
  const std::string seen = same({base(), Tar().file("home/cnb/x", "x").file("tmp/y", "y").file("new/z", "z")});
  EXPECT_THAT(seen, HasSubstr(is_root() ? "tmp d 1777 0:0" : "tmp d 1777"));
  EXPECT_THAT(seen, HasSubstr(is_root() ? "home/cnb d 0750 1001:1000" : "home/cnb d 0750"));
  EXPECT_THAT(seen, HasSubstr("new d 0755"));
}

TEST_F(SameTree, with_the_mode_of_the_root) { EXPECT_THAT(same({base(), Tar().folder("./", 0711)}), HasSubstr("/ 711\n")); }

TEST_F(SameTree, with_a_root_that_hides_everything) {
  const std::string seen = same({base(), Tar().opaque("").file("only", "x")});
  EXPECT_THAT(seen, HasSubstr("only"));
  EXPECT_THAT(seen, Not(HasSubstr("etc")));
}

TEST_F(SameTree, with_the_same_layer_twice) {
  const Tar twice = Tar().folder("etc").file("etc/passwd", "twice").whiteout("", "tmp");
  const std::string seen = same({base(), twice, Tar().folder("etc").file("etc/passwd", "between").folder("tmp"), twice});
  EXPECT_THAT(seen, HasSubstr("'twice'"));
  EXPECT_THAT(seen, Not(HasSubstr("tmp")));
}

TEST_F(SameTree, of_many_layers) {
  std::vector<Tar> tars{base()};
  for (int i = 0; i < 40; ++i)
    tars.push_back(Tar().folder("cnb").folder("cnb/buildpacks").folder(fmt::format("cnb/buildpacks/b{}", i)).file(fmt::format("cnb/buildpacks/b{}/f", i), "f"));
  EXPECT_THAT(same(tars), HasSubstr("cnb/buildpacks/b39/f"));
}

TEST_F(SameTree, of_layers_whose_owner_cannot_read_them) {
  const std::string seen = same({Tar().folder("locked", 0).file("locked/f", "f", 0).folder("half", 0100)});
  EXPECT_THAT(seen, HasSubstr("locked/f"));
}

TEST_F(SameTree, whose_names_are_strange) {
  same({Tar().folder("a b\n").file("a b\n/c:d,e\\f", "x"), Tar().folder("a b\n").whiteout("a b\n", "nothing").file("\xff\xfe", "y")});
}

class Lookup : public RootfsTest, public testing::WithParamInterface<RootfsKind> {
 protected:
  void SetUp() override {
    if (GetParam() != RootfsKind::overlay) return;
    if (const auto reason = overlay_unavailable(m_store.root())) GTEST_SKIP() << *reason;
  }
  void make(const std::vector<Tar>& tars) { m_rootfs = make_rootfs(GetParam(), unpack(tars), m_build); }
  std::optional<std::string> text(std::string_view path) const {
    const auto place = m_rootfs->locate(path);
    if (!place) return std::nullopt;
    return read_file(*place);
  }
  BuildFolder m_build{m_store};
  std::unique_ptr<Rootfs> m_rootfs;
};

INSTANTIATE_TEST_SUITE_P(Kinds, Lookup, testing::Values(RootfsKind::overlay, RootfsKind::flat),
                         [](const auto& info) { return info.param == RootfsKind::overlay ? "overlay" : "flat"; });

TEST_P(Lookup, finds_what_processes_would_see) {
  make({base(), Tar().folder("etc").file("etc/passwd", "changed").whiteout("var/lib", "old").folder("home").folder("home/cnb").opaque("home/cnb")});
  EXPECT_EQ(m_rootfs->kind(), GetParam() == RootfsKind::overlay ? "overlay" : "flat");
  EXPECT_EQ(text("/etc/passwd"), "changed");
  EXPECT_EQ(text("/bin/perl"), "perl") << "through the link";
  EXPECT_EQ(text("//usr/./bin/../bin/perl5"), "perl");
  EXPECT_EQ(text("/../../etc/passwd"), "changed");
  EXPECT_FALSE(m_rootfs->locate("/var/lib/old"));
  EXPECT_FALSE(m_rootfs->locate("/home/cnb/.profile"));
  EXPECT_TRUE(m_rootfs->locate("/home/cnb"));
  EXPECT_FALSE(m_rootfs->locate("/etc/passwd/x"));
  EXPECT_FALSE(m_rootfs->locate("/etc/passwd/"));
  EXPECT_FALSE(m_rootfs->locate("/no/such"));
  EXPECT_FALSE(m_rootfs->locate("/" + std::string(300, 'x')));
  EXPECT_TRUE(m_rootfs->locate("/"));
}

TEST_P(Lookup, links_never_lead_out) {
  const TempFolder outside;
  write_file(outside.path() / "secret", "s");
  make({base(), Tar()
                    .symlink("absolute", outside.path().string())
                    .symlink("up", "../../../../../../../../.." + outside.path().string())
                    .symlink("root", "/")
                    .symlink("one", "two")
                    .symlink("two", "/one")
                    .symlink("chain", "root/etc/passwd")});
  EXPECT_FALSE(m_rootfs->locate("/absolute/secret"));
  EXPECT_FALSE(m_rootfs->locate("/up/secret"));
  EXPECT_FALSE(m_rootfs->locate("/one")) << "a loop ends";
  EXPECT_EQ(text("/chain"), "root:x:0:0");
}

TEST_P(Lookup, lists_merged_folders) {
  make({base(), Tar().folder("var").file("var/new", "x").whiteout("var", "pipe"), Tar().folder("var").folder("var/lib").file("var/lib/z", "z")});
  EXPECT_THAT(m_rootfs->list("/var"), ElementsAre("lib", "new"));
  EXPECT_THAT(m_rootfs->list("/var/lib"), ElementsAre("deep", "old", "z"));
  EXPECT_THAT(m_rootfs->list("/bin"), ElementsAre("perl", "perl5", "shared", "sudo"));
  EXPECT_TRUE(m_rootfs->list("/etc/passwd").empty());
  EXPECT_TRUE(m_rootfs->list("/none").empty());
}

TEST_P(Lookup, knows_the_owners_of_the_image) {
  make({base(), Tar().file("home/cnb/x", "x", 04755, 5, 6)});
  EXPECT_EQ(m_rootfs->owner("/home/cnb"), (Owner{1001, 1000, 0750})) << "the upper layer does not speak about it";
  EXPECT_EQ(m_rootfs->owner("/home/cnb/.profile"), (Owner{1001, 1000, 0600}));
  EXPECT_EQ(m_rootfs->owner("/home/cnb/x"), (Owner{5, 6, 04755}));
  EXPECT_EQ(m_rootfs->owner("/"), (Owner{0, 0, 0755}));
  EXPECT_FALSE(m_rootfs->owner("/none"));
}

TEST_P(Lookup, sees_what_a_process_wrote) {
  make({base()});
  if (GetParam() == RootfsKind::flat) {
    write_file(m_rootfs->tree().flat / "tmp/made", "m");
    fs::remove(m_rootfs->tree().flat / "etc/passwd");
    remove_tree(m_rootfs->tree().flat / "var");
    make_folders(m_rootfs->tree().flat / "var");
  } else {
    in_child([&] {
      const fs::path root = m_rootfs->tree().mount_point;
      mount_overlay(m_rootfs->tree());
      write_file(root / "tmp/made", "m");
      fs::remove(root / "etc/passwd");
      fs::remove_all(root / "var");
      fs::create_directory(root / "var");
      return std::string();
    });
  }
  EXPECT_EQ(text("/tmp/made"), "m");
  EXPECT_FALSE(m_rootfs->locate("/etc/passwd"));
  EXPECT_TRUE(m_rootfs->list("/var").empty());
  EXPECT_THAT(m_rootfs->list("/etc"), ElementsAre("shadow"));
}

TEST_P(Lookup, holds_its_layers) {
  const MemoryLayer layer(base());
  m_rootfs = make_rootfs(GetParam(), {m_layers.get(layer, "i")}, m_build);
  const fs::path lock = m_store.layers() / (layer.diff_id().hex() + ".lock");
  EXPECT_FALSE(FileLock::try_lock(lock, FileLock::Kind::exclusive));
  m_rootfs.reset();
  EXPECT_TRUE(FileLock::try_lock(lock, FileLock::Kind::exclusive));
}

TEST_P(Lookup, refuses_an_image_without_layers) {
  EXPECT_EQ(error_of([&] { make_rootfs(GetParam(), {}, m_build); }).code(), ExitCode::configuration);
}

TEST_F(RootfsTest, overlay_has_its_folders) {
  if (const auto reason = overlay_unavailable(m_store.root())) GTEST_SKIP() << *reason;
  const auto layers = unpack({base(), Tar().file("top", "x")});
  const BuildFolder build(m_store);
  const auto rootfs = make_rootfs(RootfsKind::overlay, layers, build);
  const RootTree& tree = rootfs->tree();
  EXPECT_TRUE(tree.is_overlay());
  EXPECT_THAT(tree.lowers, ElementsAre(layers[1].path, layers[0].path)) << "top first";
  EXPECT_EQ(tree.user_xattr, !is_root());
  for (const auto& folder : {tree.upper, tree.work, tree.mount_point}) {
    EXPECT_TRUE(fs::is_directory(folder) && fs::is_empty(folder));
    EXPECT_TRUE(folder.string().starts_with(build.path().string()));
  }
}

TEST_F(RootfsTest, flat_files_of_root_are_links_and_those_that_others_can_change_are_copies) {
  if (!is_root()) GTEST_SKIP() << "all are copies";
  const auto layers = unpack({base()});
  const BuildFolder build(m_store);
  const auto rootfs = make_rootfs(RootfsKind::flat, layers, build);
  const auto is_link = [&](const fs::path& path) { return fs::equivalent(rootfs->tree().flat / path, layers[0].path / path); };
  EXPECT_TRUE(is_link("usr/bin/perl"));
  EXPECT_TRUE(is_link("usr/bin/sudo"));
  EXPECT_FALSE(is_link("usr/bin/shared")) << "its group can write";
  EXPECT_FALSE(is_link("home/cnb/.profile")) << "another user's";
  EXPECT_FALSE(is_link("etc/passwd")) << "sandboxes write to /etc";
}

TEST_F(RootfsTest, flat_keeps_hard_links_among_copies) {
  const auto layers = unpack({Tar().file("a", "a", 0666, 7, 7).link("d/b", "a").link("c", "a")});
  const BuildFolder build(m_store);
  const fs::path flat = make_rootfs(RootfsKind::flat, layers, build)->tree().flat;
  EXPECT_TRUE(fs::equivalent(flat / "a", flat / "d/b"));
  EXPECT_TRUE(fs::equivalent(flat / "a", flat / "c"));
  EXPECT_FALSE(fs::equivalent(flat / "a", layers[0].path / "a"));
}

TEST_F(RootfsTest, writing_into_a_flat_root_leaves_the_store) {
  const auto layers = unpack({base()});
  const BuildFolder build(m_store);
  const fs::path flat = make_rootfs(RootfsKind::flat, layers, build)->tree().flat;
  write_file(flat / "etc/passwd", "overwritten");
  EXPECT_EQ(read_file(layers[0].path / "etc/passwd"), "root:x:0:0");
}

TEST_F(RootfsTest, overlay_refuses_more_layers_than_the_kernel_takes) {
  auto layer = m_layers.get(MemoryLayer(base()), "i");
  std::vector<UnpackedLayer> many;
  for (int i = 0; i < 501; ++i) {
    layer.diff_id = oci::sha256_of(std::to_string(i));
    many.push_back(layer);
  }
  const BuildFolder build(m_store);
  EXPECT_THAT(error_of([&] { make_rootfs(RootfsKind::overlay, many, build); }).message(), HasSubstr("501 layers"));
}

TEST_F(RootfsTest, an_overlay_marks_layers_that_others_unpacked_without_marks) {
  if (const auto reason = overlay_unavailable(m_store.root())) GTEST_SKIP() << *reason;
  // As unpacked where no whiteout can be made: the record has them, the tree has not.
  const auto base_layer = m_layers.get(MemoryLayer(base()), "i");
  auto top = m_layers.get(MemoryLayer(Tar().folder("etc").file("etc/x", "x")), "i");
  LayerRecord record = *top.record;
  record.marks.whiteouts = {"etc/passwd"};
  record.made = OverlayMarks::none;
  top.record = std::make_shared<const LayerRecord>(record);
  const BuildFolder build(m_store);
  const auto rootfs = make_rootfs(RootfsKind::overlay, {base_layer, top}, build);
  const std::string seen = in_child([&] {
    mount_overlay(rootfs->tree());
    return listing(rootfs->tree().mount_point);
  });
  EXPECT_THAT(seen, HasSubstr("etc/x"));
  EXPECT_THAT(seen, Not(HasSubstr("passwd")));
}

TEST_F(RootfsTest, flat_needs_no_marks_in_the_tree) {
  auto base_layer = m_layers.get(MemoryLayer(base()), "i");
  auto top = m_layers.get(MemoryLayer(Tar().folder("etc").folder("var").file("var/x", "x")), "i");
  LayerRecord record = *top.record;
  record.marks.whiteouts = {"etc/passwd", "tmp"};
  record.marks.opaques = {"var"};
  record.made = OverlayMarks::none;
  top.record = std::make_shared<const LayerRecord>(record);
  const BuildFolder build(m_store);
  const auto rootfs = make_rootfs(RootfsKind::flat, {base_layer, top}, build);
  const std::string seen = listing(rootfs->tree().flat);
  EXPECT_THAT(seen, Not(HasSubstr("passwd")));
  EXPECT_THAT(seen, Not(HasSubstr("tmp")));
  EXPECT_THAT(seen, Not(HasSubstr("var/lib")));
  EXPECT_THAT(seen, HasSubstr("var/x"));
}

// As under kernels before 5.6, and under seccomp filters that are older than the call.
void forbid_openat2() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{4, program};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
    throw system_error(errno, "seccomp");
}

TEST_F(RootfsTest, works_without_openat2) {
  const Tar top = Tar().file("deep/er/and/deeper", "x").symlink("l", "deep/er").file("l/through", "y").whiteout("etc", "passwd");
  const auto seen = [&](const Store& store) {
    const BuildFolder build(store);
    const LayerStore layers(store);
    return listing(make_rootfs(RootfsKind::flat, {layers.get(MemoryLayer(base()), "i"), layers.get(MemoryLayer(top), "i")}, build)
                       ->tree()
                       .flat);
  };
  const std::string with = seen(m_store);
  EXPECT_THAT(with, HasSubstr("deep/er/through"));
  EXPECT_EQ(with, in_child([&] {
              forbid_openat2();
              return seen(Store(m_temp.path() / "other"));
            }));
  EXPECT_THAT(in_child([&] {
                forbid_openat2();
                const Store store(m_temp.path() / "other");
                const TempFolder outside(m_temp.path());
                const Tar evil = Tar().symlink("e", "../../../../.." + outside.path().string()).file("e/f", "x");
                std::string said = error_of([&] { LayerStore(store).get(MemoryLayer(evil), "i"); }).message();
                return said + (fs::is_empty(outside.path()) ? "" : " ESCAPED");
              }),
              EndsWith("leads out of the root"));
}

TEST(OverlayUnavailable, leaves_nothing_behind) {
  const TempFolder temp;
  const auto reason = overlay_unavailable(temp.path());
  EXPECT_TRUE(fs::is_empty(temp.path()));
  EXPECT_NE(reason, "");
}

TEST(OverlayUnavailable, says_why) {
  if (!is_root()) GTEST_SKIP() << "needs to mount an overlay";
  const TempFolder temp;
  EXPECT_EQ(overlay_unavailable(temp.path()), std::nullopt);
  // An overlay on an overlay: the kernel takes no whiteouts there.
  EXPECT_THAT(in_child([&] {
                for (const char* name : {"low", "up", "work", "merged"}) make_folders(temp.path() / name);
                RootTree tree;
                tree.lowers = {temp.path() / "low/x/y"};
                make_folders(tree.lowers.front());
                tree.upper = temp.path() / "up";
                tree.work = temp.path() / "work";
                tree.mount_point = temp.path() / "merged";
                mount_overlay(tree);
                return overlay_unavailable(tree.mount_point).value_or("works");
              }),
              HasSubstr("whiteouts cannot be made"));
}

}  // namespace
}  // namespace cib::store::test
