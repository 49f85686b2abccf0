#include "cnb/sbom.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<std::string> all = {"application/vnd.cyclonedx+json", "application/spdx+json", "application/vnd.syft+json"};

SbomFile read(std::string_view file, const std::vector<std::string>& declared = all) {
  return read_sbom_name(file, "x/bp@1", declared);
}

std::string refusal(std::string_view file, const std::vector<std::string>& declared) {
  try {
    read(file, declared);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::build);
    return error.message();
  }
  return "";
}

TEST(Sbom, files_are_told_by_their_name) {
  for (const char* name : {"l.sbom.cdx.json", "launch.sbom.spdx.json", "a.b.sbom.syft.json", "x.sbom.other.json"})
    EXPECT_TRUE(is_sbom_name(name)) << name;
  for (const char* name : {"sbom.cdx.json", "l.sbom.json", "l.sbom.cdx.xml", "l.toml", "l.sbom.cdx.json.bak", "lsbom.cdx.json"})
    EXPECT_FALSE(is_sbom_name(name)) << name;
}

TEST(Sbom, name_says_whose_it_is_and_which_format) {
  EXPECT_EQ(read("/layers/b/l.sbom.cdx.json"), (SbomFile{SbomFile::Of::layer, "l", SbomFormat::cyclonedx}));
  EXPECT_EQ(read("launch.sbom.spdx.json"), (SbomFile{SbomFile::Of::launch, "launch", SbomFormat::spdx}));
  EXPECT_EQ(read("build.sbom.syft.json"), (SbomFile{SbomFile::Of::build, "build", SbomFormat::syft}));
}

TEST(Sbom, layer_name_ends_at_the_first_dot) { EXPECT_EQ(read("a.b.sbom.cdx.json").layer, "a"); }

TEST(Sbom, undeclared_format_fails_the_build) {
  EXPECT_EQ(refusal("/layers/b/x.sbom.cdx.json", {"application/spdx+json"}),
            "validating SBOM file '/layers/b/x.sbom.cdx.json' for buildpack: 'x/bp@1': "
            "undeclared SBOM media type: 'application/vnd.cyclonedx+json'");
  EXPECT_NE(refusal("launch.sbom.cdx.json", {}), "");
}

TEST(Sbom, declared_format_may_have_parameters) {
  EXPECT_EQ(read("l.sbom.spdx.json", {"application/spdx+json;version=2.3"}).format, SbomFormat::spdx);
}

TEST(Sbom, unknown_format_fails_the_build) {
  EXPECT_THAT(refusal("l.sbom.other.json", all), HasSubstr("unsupported SBOM format"));
}

TEST(Sbom, of_a_launch_layer_goes_into_the_image) {
  EXPECT_THAT(sbom_destinations(read("l.sbom.cdx.json"), "x/bp", {.has_toml = true, .launch = true}),
              ElementsAre("launch/x_bp/l/sbom.cdx.json"));
}

TEST(Sbom, of_any_other_layer_stays_with_the_build) {
  EXPECT_THAT(sbom_destinations(read("l.sbom.cdx.json"), "x/bp", {.has_toml = true}), ElementsAre("build/x_bp/l/sbom.cdx.json"));
}

TEST(Sbom, of_a_cached_layer_goes_into_the_cache_besides) {
  EXPECT_THAT(sbom_destinations(read("l.sbom.spdx.json"), "x/bp", {.has_toml = true, .launch = true, .cache = true}),
              ElementsAre("launch/x_bp/l/sbom.spdx.json", "cache/x_bp/l/sbom.spdx.json"));
  EXPECT_THAT(sbom_destinations(read("l.sbom.spdx.json"), "x/bp", {.has_toml = true, .cache = true}),
              ElementsAre("build/x_bp/l/sbom.spdx.json", "cache/x_bp/l/sbom.spdx.json"));
}

TEST(Sbom, of_something_without_a_layer_toml_is_ignored) {
  EXPECT_THAT(sbom_destinations(read("l.sbom.cdx.json"), "x/bp", {}), IsEmpty());
}

TEST(Sbom, of_the_buildpack_itself_has_no_layer_folder) {
  EXPECT_THAT(sbom_destinations(read("launch.sbom.cdx.json"), "x/bp", {}), ElementsAre("launch/x_bp/sbom.cdx.json"));
  EXPECT_THAT(sbom_destinations(read("build.sbom.syft.json"), "x/bp", {}), ElementsAre("build/x_bp/sbom.syft.json"));
}

TEST(Sbom, of_lifecycle_and_launcher_have_folders_of_their_own) {
  EXPECT_EQ(lifecycle_sbom_destination("lifecycle.sbom.cdx.json"), "build/buildpacksio_lifecycle/sbom.cdx.json");
  EXPECT_EQ(lifecycle_sbom_destination("launcher.sbom.syft.json"), "launch/buildpacksio_lifecycle/launcher/sbom.syft.json");
  for (const char* name : {"launcher", "lifecycle.toml", "launcher.sbom.json", "launcher.sbom.xyz.json"})
    EXPECT_FALSE(lifecycle_sbom_destination(name)) << name;
}

TEST(Sbom, of_layers_come_back_from_cache_and_image) {
  EXPECT_EQ(restored_sbom("cache/x_bp/l/sbom.cdx.json", {"x/bp"}), (RestoredSbom{"x/bp", "l.sbom.cdx.json"}));
  EXPECT_EQ(restored_sbom("launch/x_bp/l/sbom.spdx.json", {"x/bp"}), (RestoredSbom{"x/bp", "l.sbom.spdx.json"}));
}

TEST(Sbom, of_buildpacks_builds_and_strangers_do_not_come_back) {
  for (const char* path : {"launch/x_bp/sbom.cdx.json", "build/x_bp/l/sbom.cdx.json", "launch/y_other/l/sbom.cdx.json",
                           "launch/sbom.legacy.json", "launch/x_bp/l/other.json", "launch/x_bp/../sbom.cdx.json",
                           "launch/x_bp/a/b/sbom.cdx.json", "launch/x_bp//sbom.cdx.json", ""})
    EXPECT_FALSE(restored_sbom(path, {"x/bp"})) << path;
}

TEST(Sbom, legacy_file_says_null_when_there_is_no_bom) { EXPECT_EQ(legacy_sbom_json({}), "null\n"); }

TEST(Sbom, legacy_file_lists_the_entries_with_their_buildpack) {
  EXPECT_EQ(legacy_sbom_json({{"jre", R"({"version":"17"})", "x/bp", "1"}}),
            "[{\"name\":\"jre\",\"metadata\":{\"version\":\"17\"},\"buildpack\":{\"id\":\"x/bp\",\"version\":\"1\"}}]\n");
}

}  // namespace
}  // namespace cib::cnb
