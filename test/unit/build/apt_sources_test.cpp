// The machine's apt sources.
#include "build/apt_sources.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cib::build {
namespace {

using testing::HasSubstr;
using testing::Not;

class AptSources : public testing::Test {
 protected:
  void SetUp() override { make_folders(m_folder.path() / "sources.list.d"); }
  void write(const std::string& name, const std::string& text) { write_file(m_folder.path() / name, text); }
  std::string sources(const std::string& release = "bookworm") { return apt_sources_for(release, m_folder.path()); }

 private:
  TempFolder m_folder;
};

TEST_F(AptSources, are_the_public_ones_on_a_machine_without_any) { EXPECT_EQ(sources(), public_apt_sources("bookworm")); }

TEST_F(AptSources, are_the_public_ones_on_a_machine_of_another_release) {
  write("sources.list", "deb http://site.example/ubuntu noble main universe\n");
  EXPECT_EQ(sources(), public_apt_sources("bookworm"));
}

TEST_F(AptSources, keep_the_sites_mirror_and_its_key) {
  write("sources.list", "# a mirror\ndeb [arch=amd64 signed-by=/k.gpg] https://site.example/debian bookworm main contrib # x\n");
  EXPECT_EQ(sources(),
            "types: deb\nuris: https://site.example/debian\nsuites: bookworm\narchitectures: amd64\nsigned-by: /k.gpg\n"
            "components: main\n\n");
}

TEST_F(AptSources, of_deb822_are_cut_down_to_the_release) {
  write("sources.list.d/debian.sources",
        "Types: deb deb-src\n# a remark\nURIs: http://m/debian\nSuites: bookworm bookworm-updates bookworm-backports trixie\n"
        "Components: main non-free\nSigned-By:\n -----BEGIN\n .\n -----END\n");
  EXPECT_EQ(sources(),
            "types: deb\nuris: http://m/debian\nsuites: bookworm bookworm-updates\ncomponents: main\nsigned-by: \n"
            " -----BEGIN\n .\n -----END\n\n");
}

TEST_F(AptSources, of_other_publishers_are_left_out) {
  write("sources.list", "deb http://m/debian bookworm main\n");
  write("sources.list.d/docker.list", "deb https://download.example/linux/debian bookworm stable\n");
  write("sources.list.d/off.sources", "Enabled: no\nTypes: deb\nURIs: http://off/\nSuites: bookworm\nComponents: main\n");
  write("sources.list.d/old.list.disabled", "deb http://old/ bookworm main\n");
  const std::string text = sources();
  EXPECT_THAT(text, HasSubstr("http://m/debian"));
  EXPECT_THAT(text, Not(HasSubstr("download.example")));
  EXPECT_THAT(text, Not(HasSubstr("http://off/")));
  EXPECT_THAT(text, Not(HasSubstr("http://old/")));
}

TEST_F(AptSources, for_security_updates_belong_to_the_release) {
  write("sources.list", "deb http://m/debian bookworm main\ndeb http://m/debian-security bookworm-security main\n");
  EXPECT_THAT(sources(), HasSubstr("suites: bookworm-security"));
}

}  // namespace
}  // namespace cib::build
