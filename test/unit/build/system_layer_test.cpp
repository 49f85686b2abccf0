// Layers from whole root file systems.
#include "build/system_layer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "oci/tar_reader.hpp"
#include "oci/tar_writer.hpp"

namespace cib::build {
namespace {

using oci::TarHeader;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t package_time = 1'000'000'000;
constexpr std::int64_t installation = 1'700'000'000;

struct Root {
  std::string text;
  Root& folder(const std::string& name) { return add({.name = name, .type = TarHeader::Type::folder, .mode = 0755}, ""); }
  Root& file(const std::string& name, const std::string& contents, std::int64_t mtime = package_time) {
    return add({.name = name, .mtime = mtime}, contents);
  }
  Root& link(const std::string& name, const std::string& target, TarHeader::Type type = TarHeader::Type::symlink) {
    return add({.name = name, .type = type, .link = target}, "");
  }
  Root& add(TarHeader header, const std::string& contents) {
    header.size = contents.size();
    if (header.type == TarHeader::Type::folder || header.type == TarHeader::Type::symlink) header.mtime = package_time;
    text += oci::encode_header(header) + contents + std::string((512 - contents.size() % 512) % 512, '\0');
    return *this;
  }
};

const SystemRules rules{.installed_at = installation, .extra = {}};

SystemIndex index(const Root& root, const SystemRules& by = rules, std::string* os_release = nullptr) {
  const std::string tar = root.text + std::string(1024, '\0');
  MemorySource source{std::string_view(tar)};
  return index_system(source, by, os_release);
}

std::vector<std::string> layer(const Root& root, const SystemIndex* below = nullptr, const SystemRules& by = rules) {
  const std::string tar = root.text + std::string(1024, '\0');
  MemorySource source{std::string_view(tar)};
  StringSink sink;
  write_system_layer(source, index(root, by), below, by, sink);
  std::vector<std::string> list;
  MemorySource made{std::string_view(sink.text)};
  oci::TarReader reader(made);
  for (oci::TarEntry entry; reader.next(entry);)
    list.push_back(entry.name + (entry.link.empty() ? "" : " -> " + entry.link) +
                   (entry.type == TarHeader::Type::folder ? "/" : "") +
                   (entry.type == TarHeader::Type::file ? " @" + std::to_string(entry.mtime) : ""));
  return list;
}

TEST(SystemLayer, holds_the_root_with_plain_names) {
  EXPECT_THAT(layer(Root().folder("./").folder("./usr/").file("./usr/a", "1").link("./b", "usr/a")),
              ElementsAre("usr/", "usr/a @1000000000", "b -> usr/a"));
}

TEST(SystemLayer, gives_what_the_installation_made_the_fixed_time) {
  EXPECT_THAT(layer(Root().file("./made", "1", installation + 5).file("./packaged", "2")),
              ElementsAre("made @315532801", "packaged @1000000000"));
}

TEST(SystemLayer, leaves_out_what_belongs_to_the_machine) {
  EXPECT_THAT(layer(Root()
                        .folder("./etc")
                        .file("./etc/resolv.conf", "nameserver 10.0.0.1")
                        .file("./etc/hostname", "ci")
                        .file("./etc/machine-id", "1")
                        .folder("./etc/apt")
                        .file("./etc/apt/sources.list", "deb http://site.example/debian x main")
                        .folder("./etc/apt/sources.list.d")
                        .file("./etc/apt/sources.list.d/site.list", "deb …")
                        .folder("./var/log")
                        .file("./var/log/dpkg.log", "today")
                        .folder("./var/log/apt")
                        .file("./var/log/apt/term.log", "today")
                        .folder("./var/cache/apt")
                        .file("./var/cache/apt/pkgcache.bin", "x")
                        .folder("./dev")
                        .add({.name = "./dev/null", .type = TarHeader::Type::char_device}, "")
                        .folder("./tmp")
                        .file("./tmp/x", "1")),
              ElementsAre("etc/", "etc/apt/", "etc/apt/sources.list.d/", "var/log/", "var/log/apt/", "var/cache/apt/",
                          "dev/", "tmp/"));
}

TEST(SystemLayer, holds_only_what_the_layer_below_has_not) {
  const Root base = Root().folder("./usr").folder("./usr/bin").file("./usr/bin/a", "1").file("./usr/bin/b", "1");
  const Root full = Root()
                        .folder("./usr")
                        .folder("./usr/bin")
                        .file("./usr/bin/a", "1")
                        .file("./usr/bin/b", "2")
                        .folder("./usr/lib")
                        .file("./usr/lib/c", "3");
  const SystemIndex below = index(base);
  EXPECT_THAT(layer(full, &below),
              ElementsAre("usr/", "usr/bin/", "usr/bin/b @1000000000", "usr/lib/", "usr/lib/c @1000000000"));
}

TEST(SystemLayer, is_empty_over_an_equal_root) {
  const Root root = Root().folder("./usr").file("./usr/a", "1");
  const SystemIndex below = index(root);
  EXPECT_THAT(layer(root, &below), IsEmpty());
}

TEST(SystemLayer, notices_a_change_of_mode_alone) {
  const SystemIndex below = index(Root().add({.name = "./a", .mode = 0644, .mtime = package_time}, "1"));
  EXPECT_THAT(layer(Root().add({.name = "./a", .mode = 04755, .mtime = package_time}, "1"), &below),
              ElementsAre("a @1000000000"));
}

TEST(SystemLayer, removes_what_is_gone_once_for_a_whole_folder) {
  const SystemIndex below =
      index(Root().folder("./usr").file("./usr/a", "1").folder("./opt").folder("./opt/x").file("./opt/x/y", "1"));
  EXPECT_THAT(layer(Root().folder("./usr"), &below), ElementsAre("usr/", ".wh.opt @315532801", "usr/.wh.a @315532801"));
}

TEST(SystemLayer, takes_the_file_of_a_hard_link_along) {
  const SystemIndex below = index(Root().folder("./bin").file("./bin/perl", "p"));
  EXPECT_THAT(layer(Root().folder("./bin").file("./bin/perl", "p").link("./bin/perl5", "./bin/perl", TarHeader::Type::hard_link), &below),
              ElementsAre("bin/", "bin/perl @1000000000", "bin/perl5 -> bin/perl"));
}

TEST(SystemLayer, adds_the_extra_files_instead_of_the_machines) {
  const SystemRules with{.installed_at = installation, .extra = {{"etc/apt/sources.list.d/debian.sources", "public"}}};
  EXPECT_THAT(layer(Root().folder("./etc/apt/sources.list.d").file("./etc/apt/sources.list.d/debian.sources", "site"), nullptr, with),
              ElementsAre("etc/apt/sources.list.d/", "etc/apt/sources.list.d/debian.sources @315532801"));
}

TEST(SystemLayer, reads_which_distribution_it_is) {
  std::string os_release;
  index(Root().file("./usr/lib/os-release", "ID=debian\n"), rules, &os_release);
  EXPECT_EQ(os_release, "ID=debian\n");
}

TEST(SystemLayer, refuses_a_tar_that_ends_early) {
  const std::string tar = Root().file("./a", std::string(5000, 'x')).text.substr(0, 2000);
  MemorySource source{std::string_view(tar)};
  EXPECT_THROW(index_system(source, rules), Error);
}

}  // namespace
}  // namespace cib::build
