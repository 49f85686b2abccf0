#include "cnb/target.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cnb/buildpack.hpp"

namespace cib::cnb {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const TargetInfo jammy = {"linux", "amd64", "", "", {"ubuntu", "22.04"}};

Buildpack with_targets(std::vector<Target> targets) {
  Buildpack buildpack;
  buildpack.api = BuildpackApi(0, 10);
  buildpack.targets = std::move(targets);
  return buildpack;
}

Buildpack with_stacks(std::vector<std::string> stacks, BuildpackApi api = {0, 10}) {
  Buildpack buildpack;
  buildpack.api = api;
  buildpack.stacks = std::move(stacks);
  return buildpack;
}

bool fits(const Target& target, const TargetInfo& info = jammy) { return target_matches(with_targets({target}), true, info); }

TEST(Target, os_architecture_and_variant_must_be_equal_or_open) {
  EXPECT_TRUE(fits({"linux", "amd64", "", {}}));
  EXPECT_TRUE(fits({"", "", "", {}}));
  EXPECT_FALSE(fits({"windows", "amd64", "", {}}));
  EXPECT_FALSE(fits({"linux", "arm64", "", {}}));
  EXPECT_TRUE(fits({"linux", "arm64", "v8", {}}, {.os = "linux", .arch = "arm64"}));
  EXPECT_FALSE(fits({"linux", "arm64", "v8", {}}, {.os = "linux", .arch = "arm64", .arch_variant = "v7"}));
  EXPECT_TRUE(fits({"linux", "arm64", "", {}}, {}));
}

TEST(Target, one_distribution_must_fit) {
  EXPECT_TRUE(fits({"linux", "", "", {{"ubuntu", "18.04"}, {"ubuntu", "22.04"}}}));
  EXPECT_TRUE(fits({"linux", "", "", {{"ubuntu", ""}}}));
  EXPECT_TRUE(fits({"linux", "", "", {{"", "22.04"}}}));
  EXPECT_FALSE(fits({"linux", "", "", {{"ubuntu", "18.04"}}}));
  EXPECT_FALSE(fits({"linux", "", "", {{"debian", "22.04"}}}));
}

TEST(Target, a_distribution_is_asked_for_and_none_is_known) {
  EXPECT_FALSE(fits({"linux", "", "", {{"ubuntu", ""}}}, {.os = "linux", .arch = "amd64"}));
  EXPECT_TRUE(fits({"linux", "", "", {}}, {.os = "linux", .arch = "amd64"}));
}

TEST(Target, one_of_several_is_enough) {
  EXPECT_TRUE(target_matches(with_targets({{.os = "windows"}, {.os = "linux"}}), true, jammy));
}

TEST(Target, the_key_variant_decides_nothing) {
  const std::string toml = "api = \"0.10\"\n[buildpack]\nid = \"a\"\nversion = \"1\"\n[[targets]]\nos = \"linux\"\narch = \"amd64\"\n";
  TargetInfo info = jammy;
  info.arch_variant = "v2";
  EXPECT_TRUE(target_matches(parse_buildpack_toml(toml + "variant = \"v3\"", "x"), true, info));
  EXPECT_FALSE(target_matches(parse_buildpack_toml(toml + "arch-variant = \"v3\"", "x"), true, info));
}

TEST(Target, stack_star_means_anything) {
  EXPECT_THAT(effective_targets(with_stacks({"*"}), true), ElementsAre(Target{}));
  EXPECT_TRUE(target_matches(with_stacks({"io.buildpacks.stacks.bionic", "*"}), true, jammy));
}

TEST(Target, stack_bionic_means_ubuntu_18_04_on_amd64) {
  const Target bionic{"linux", "amd64", "", {{"ubuntu", "18.04"}}};
  EXPECT_THAT(effective_targets(with_stacks({"io.buildpacks.stacks.bionic"}, {0, 9}), true), ElementsAre(bionic));
  EXPECT_THAT(effective_targets(with_stacks({"io.buildpacks.stacks.bionic", "other"}, {0, 10}), true), ElementsAre(bionic));
  EXPECT_FALSE(target_matches(with_stacks({"io.buildpacks.stacks.bionic"}), true, jammy));
}

TEST(Target, stack_bionic_beside_others_means_nothing_before_0_10) {
  EXPECT_THAT(effective_targets(with_stacks({"io.buildpacks.stacks.bionic", "other"}, {0, 9}), true),
              ElementsAre(Target{.os = "linux"}));
}

TEST(Target, other_stacks_impose_nothing_but_linux_where_there_is_a_bin_build) {
  EXPECT_THAT(effective_targets(with_stacks({"io.buildpacks.stacks.jammy"}), true), ElementsAre(Target{.os = "linux"}));
  EXPECT_THAT(effective_targets(with_stacks({"io.buildpacks.stacks.jammy"}), false), IsEmpty());
  EXPECT_TRUE(target_matches(with_stacks({}), false, {.os = "windows"}));
  EXPECT_FALSE(target_matches(with_stacks({}), true, {.os = "windows"}));
}

TEST(Target, stacks_are_not_asked_where_there_are_targets) {
  Buildpack buildpack = with_stacks({"*"});
  buildpack.targets = {{.os = "windows"}};
  EXPECT_FALSE(target_matches(buildpack, true, jammy));
}

TEST(OsRelease, gives_name_and_version) {
  EXPECT_EQ(distro_of_os_release("NAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\nID=ubuntu\nID_LIKE=debian\n"), (Distro{"ubuntu", "22.04"}));
  EXPECT_EQ(distro_of_os_release("ID='alpine'\r\nVERSION_ID=3.20"), (Distro{"alpine", "3.20"}));
  EXPECT_EQ(distro_of_os_release("# nothing\n\n"), Distro{});
  EXPECT_EQ(distro_of_os_release("ID=\""), (Distro{"\"", ""}));
}

}  // namespace
}  // namespace cib::cnb
