#include "cnb/buildpack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/file.hpp"

namespace cib::cnb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string refusal(std::string_view toml, ExitCode code = ExitCode::configuration) {
  try {
    parse_buildpack_toml(toml, "buildpack.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.message();
  }
  return "";
}

std::string with(std::string_view line) {
  return "api = \"0.10\"\n[buildpack]\nid = \"a/b\"\nversion = \"1\"\n" + std::string(line) + "\n";
}

TEST(BuildpackToml, is_read_whole) {
  const Buildpack buildpack = parse_buildpack_toml(R"(
api = "0.12"
[buildpack]
id = "paketo-buildpacks/x"
name = "X"
version = "1.2.3"
homepage = "https://x.test"
clear-env = true
sbom-formats = ["application/vnd.cyclonedx+json", "application/spdx+json"]
exec-env = ["production"]
keywords = ["ignored"]
[[stacks]]
id = "*"
mixins = ["ignored"]
[[targets]]
os = "linux"
arch = "arm64"
arch-variant = "v8"
[[targets.distros]]
name = "ubuntu"
version = "22.04"
[metadata]
any = 2024-01-01
)",
                                                   "buildpack.toml");
  EXPECT_EQ(buildpack.api, BuildpackApi(0, 12));
  EXPECT_EQ(buildpack.full_name(), "paketo-buildpacks/x@1.2.3");
  EXPECT_EQ(buildpack.name, "X");
  EXPECT_EQ(buildpack.homepage, "https://x.test");
  EXPECT_TRUE(buildpack.clear_env);
  EXPECT_THAT(buildpack.sbom_formats, ElementsAre("application/vnd.cyclonedx+json", "application/spdx+json"));
  EXPECT_THAT(buildpack.exec_env, ElementsAre("production"));
  EXPECT_THAT(buildpack.stacks, ElementsAre("*"));
  EXPECT_THAT(buildpack.targets, ElementsAre(Target{"linux", "arm64", "v8", {{"ubuntu", "22.04"}}}));
  EXPECT_FALSE(buildpack.is_composite());
}

TEST(BuildpackToml, with_an_order_is_a_composite) {
  const Buildpack buildpack = parse_buildpack_toml(
      with("[[order]]\n[[order.group]]\nid = \"x\"\nversion = \"2\"\noptional = true"), "buildpack.toml");
  EXPECT_TRUE(buildpack.is_composite());
  EXPECT_EQ(buildpack.order, (Order{{{"x", "2", true}}}));
}

TEST(BuildpackToml, an_unsupported_api_comes_before_every_other_fault) {
  EXPECT_EQ(refusal("api = \"0.99\"\nbuildpack = 3\n", ExitCode::buildpack_api),
            "buildpack 'buildpack.toml': buildpack API version '0.99' is incompatible with the lifecycle");
  EXPECT_THAT(refusal("api = \"0.1\"\n[buildpack]\nid = \"a/b\"\nversion = \"1\"\nname = 3", ExitCode::buildpack_api),
              HasSubstr("buildpack 'a/b@1'"));
  EXPECT_THAT(refusal("[buildpack]\nid = \"a\"\nversion = \"1\"", ExitCode::buildpack_api), HasSubstr("parse buildpack API ''"));
}

TEST(BuildpackToml, id_and_version_are_needed) {
  EXPECT_EQ(refusal("api = \"0.10\"\n"), "buildpack.toml: buildpack.id is missing");
  EXPECT_EQ(refusal("api = \"0.10\"\n[buildpack]\nid = \"a\""), "buildpack.toml: buildpack.version is missing");
}

TEST(BuildpackToml, a_wrong_type_is_named_by_its_key) {
  EXPECT_EQ(refusal(with("clear-env = 1")), "buildpack.toml: buildpack.clear-env must be true or false, not a number");
  EXPECT_EQ(refusal(with("sbom-formats = \"x\"")), "buildpack.toml: buildpack.sbom-formats must be a list, not text");
  EXPECT_EQ(refusal(with("sbom-formats = [1]")), "buildpack.toml: buildpack.sbom-formats must be a list of texts, but holds a number");
  EXPECT_EQ(refusal(with("[[targets]]\nos = true")), "buildpack.toml: targets[0].os must be text, not true or false");
  EXPECT_EQ(refusal("api = 0.10\n"), "buildpack.toml: api must be text, not a number");
}

TEST(BuildpackToml, what_is_no_toml_is_named_by_line_and_column) {
  EXPECT_THAT(refusal("api = \"0.10\"\n[buildpack\n"), HasSubstr("buildpack.toml: line 2, column "));
}

TEST(BuildpackToml, execution_environments_before_their_api_are_ignored) {
  EXPECT_THAT(parse_buildpack_toml(with("exec-env = [{}]"), "x").exec_env, IsEmpty());
}

TEST(BuildpackToml, every_supported_golden_is_read) {
  int read = 0;
  for (const FolderEntry& entry : list_folder(fs::path(CIB_GOLDENS) / "buildpacks")) {
    const std::string toml = read_file(fs::path(CIB_GOLDENS) / "buildpacks" / entry.name / "buildpack.toml");
    if (entry.name == "future") {
      EXPECT_THAT(refusal(toml, ExitCode::buildpack_api), HasSubstr("'golden/future@1.0.0'"));
      continue;
    }
    EXPECT_EQ(parse_buildpack_toml(toml, entry.name).id, "golden/" + entry.name);
    ++read;
  }
  EXPECT_GT(read, 10);
}

TEST(BuildpackId, becomes_a_folder_name_with_underscores_for_slashes) {
  EXPECT_EQ(escaped_id("paketo-buildpacks/cpython"), "paketo-buildpacks_cpython");
  EXPECT_EQ(escaped_id("a/b/c.d_e"), "a_b_c.d_e");
}

TEST(BuildpackId, may_not_be_reserved) {
  for (const char* id : {"app", "config", "generated", "sbom", "SBOM"}) EXPECT_THAT(id_fault(id), HasSubstr("reserved")) << id;
  EXPECT_EQ(id_fault("apps"), "");
  EXPECT_EQ(id_fault("x/app"), "");
}

TEST(BuildpackId, may_not_lead_elsewhere) {
  using namespace std::string_literals;
  for (const std::string& id : {""s, "."s, ".."s, "a/../b"s, "/a"s, "a\0b"s, "a\nb"s, "a\x7f"s, std::string(256, 'a')}) {
    EXPECT_NE(id_fault(id), "") << id;
    EXPECT_NE(version_fault(id), "") << id;
  }
  EXPECT_NE(version_fault("1/2"), "");
  EXPECT_EQ(id_fault("a/b"), "");
  EXPECT_EQ(version_fault("1.2.3-rc.1+x"), "");
  EXPECT_THAT(refusal("api = \"0.10\"\n[buildpack]\nid = \"a/../b\"\nversion = \"1\""), HasSubstr("buildpack.id must not contain"));
  EXPECT_THAT(refusal("api = \"0.10\"\n[buildpack]\nid = \"a\"\nversion = \"1/2\""), HasSubstr("buildpack.version must not contain"));
}

}  // namespace
}  // namespace cib::cnb
