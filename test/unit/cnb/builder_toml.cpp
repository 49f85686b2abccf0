#include "cnb/builder_toml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// The least that a builder needs.
const std::string base = "[build]\nimage = \"b\"\n[[run.images]]\nimage = \"r\"\n";

Error refusal(std::string_view text) {
  try {
    parse_builder_toml(text, "builder.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    return error;
  }
  ADD_FAILURE() << "accepted: " << text;
  return Error(ExitCode::ok, "");
}

TEST(BuilderToml, reads_what_pack_reads) {
  const BuilderToml builder = parse_builder_toml(R"(
description = "text"
[[buildpacks]]
id = "a/b"
version = "1"
uri = "../b"
[[buildpacks]]
uri = "docker://r/c:1"
[[buildpacks]]
image = "r/d"
[[order]]
[[order.group]]
id = "a/b"
version = "1"
optional = true
[[order.group]]
id = "c"
[stack]
id = "s"
build-image = "build:1"
run-image = "run:1"
run-image-mirrors = ["m/run:1"]
[lifecycle]
version = "0.20.8"
[[build.env]]
name = "N"
value = "v"
suffix = "append"
delim = ":"
[[system.pre.buildpacks]]
id = "s/a"
version = "2"
[[system.post.buildpacks]]
id = "s/b"
optional = true
[[targets]]
os = "linux"
arch = "amd64"
distros = [{name = "ubuntu", version = "22.04"}]
)", "builder.toml");
  EXPECT_EQ(builder.description, "text");
  ASSERT_EQ(builder.buildpacks.size(), 3u);
  EXPECT_EQ(builder.buildpacks[0].id, "a/b");
  EXPECT_EQ(builder.buildpacks[0].uri, "../b");
  EXPECT_EQ(builder.buildpacks[1].uri, "docker://r/c:1");
  EXPECT_EQ(builder.buildpacks[2].image, "r/d");
  EXPECT_THAT(builder.order, ElementsAre(ElementsAre(GroupElement{"a/b", "1", true}, GroupElement{"c", "", false})));
  EXPECT_EQ(builder.stack_id, "s");
  EXPECT_EQ(builder.build_image, "build:1");
  EXPECT_THAT(builder.run_images, ElementsAre(RunImage{"run:1", {"m/run:1"}}));
  EXPECT_EQ(builder.lifecycle_version, "0.20.8");
  ASSERT_EQ(builder.build_env.size(), 1u);
  EXPECT_EQ(builder.build_env[0].name, "N");
  EXPECT_EQ(builder.build_env[0].delim, ":");
  EXPECT_THAT(builder.system_pre, ElementsAre(GroupElement{"s/a", "2", false}));
  EXPECT_THAT(builder.system_post, ElementsAre(GroupElement{"s/b", "", true}));
  EXPECT_THAT(builder.targets, ElementsAre(Target{"linux", "amd64", "", {{"ubuntu", "22.04"}}}));
}

TEST(BuilderToml, reads_the_newer_tables) {
  const BuilderToml builder = parse_builder_toml(
      "[build]\nimage = \"b\"\n[[run.images]]\nimage = \"r\"\nmirrors = [\"m\"]\n[[run.images]]\nimage = \"r2\"\n"
      "[lifecycle]\nuri = \"lifecycle.tgz\"\n", "builder.toml");
  EXPECT_EQ(builder.build_image, "b");
  EXPECT_THAT(builder.run_images, ElementsAre(RunImage{"r", {"m"}}, RunImage{"r2", {}}));
  EXPECT_EQ(builder.lifecycle_uri, "lifecycle.tgz");
}

TEST(BuilderToml, base_can_be_made_of_debian_packages) {
  const BuilderToml builder = parse_builder_toml(
      "[build.debian]\nsuite = \"bookworm\"\npackages = [\"git\", \"libstdc++6\"]\n[run.debian]\nsuite = \"bookworm\"\n"
      "[lifecycle]\nlauncher = \"bin/launcher\"\n", "builder.toml");
  ASSERT_TRUE(builder.build_debian && builder.run_debian);
  EXPECT_EQ(builder.build_debian->suite, "bookworm");
  EXPECT_THAT(builder.build_debian->packages, ElementsAre("git", "libstdc++6"));
  EXPECT_THAT(builder.run_debian->packages, IsEmpty());
  EXPECT_EQ(builder.launcher, "bin/launcher");
}

TEST(BuilderToml, names_of_packages_are_words_and_never_options) {
  for (const char* name : {"", "--aptopt=x", "a b", "a;b", "$(x)", "a/b"})
    EXPECT_THAT(refusal(std::string("[build.debian]\nsuite = \"s\"\npackages = [\"") + name + "\"]\n").message(), HasSubstr("no name of a package"));
  EXPECT_THAT(refusal("[build.debian]\nsuite = \"-s\"\n").message(), HasSubstr("no name of a release"));
  EXPECT_THAT(refusal("[build.debian]\n").message(), HasSubstr("build.debian.suite is missing"));
}

TEST(BuilderToml, image_and_debian_exclude_each_other) {
  EXPECT_THAT(refusal("[build]\nimage = \"b\"\n[build.debian]\nsuite = \"s\"\n").message(), HasSubstr("exclude each other"));
  EXPECT_THAT(refusal("[build]\nimage = \"b\"\n[[run.images]]\nimage = \"r\"\n[run.debian]\nsuite = \"s\"\n").message(), HasSubstr("exclude each other"));
}

TEST(BuilderToml, unknown_key_has_line_column_and_the_key_that_was_meant) {
  const Error error = refusal(base + "[[buildpacks]]\nuri = \"u\"\nversoin = \"1\"\n");
  EXPECT_EQ(error.message(), "builder.toml: line 7, column 1: unknown key \"versoin\" (did you mean \"version\"?)");
  EXPECT_EQ(error.next(), "keys allowed under buildpacks: id, version, uri, image");
  EXPECT_EQ(refusal("  descripton = \"x\"\n").message(), "builder.toml: line 1, column 3: unknown key \"descripton\" (did you mean \"description\"?)");
  EXPECT_EQ(refusal("[zzzz]\n").message(), "builder.toml: line 1, column 2: unknown key \"zzzz\"");
}

TEST(BuilderToml, is_strict_in_every_table) {
  for (const char* text : {"[build]\nx = 1\n", "[[build.env]]\nx = 1\n", "[run]\nx = 1\n", "[[run.images]]\nimage = \"r\"\nx = 1\n",
                           "[stack]\nx = 1\n", "[lifecycle]\nx = 1\n", "[system]\nx = 1\n", "[system.pre]\nx = 1\n",
                           "[[system.pre.buildpacks]]\nx = 1\n", "[[order]]\nx = 1\n", "[[order]]\n[[order.group]]\nx = 1\n",
                           "[[targets]]\nx = 1\n", "[[targets]]\n[[targets.distros]]\nx = 1\n", "[build.debian]\nx = 1\n", "[[buildpacks]]\nx = 1\n"})
    EXPECT_THAT(refusal(text).message(), HasSubstr("unknown key \"x\"")) << text;
}

TEST(BuilderToml, wrong_type_has_line_and_column) {
  EXPECT_EQ(refusal("description = 1\n").message(), "builder.toml: line 1, column 15: description must be text");
  EXPECT_THAT(refusal("[build]\nimage = [1]\n").message(), HasSubstr("line 2, column 9: build.image must be text"));
  EXPECT_THAT(refusal("build = 1\n").message(), HasSubstr("build must be a table"));
  EXPECT_THAT(refusal("[buildpacks]\nuri = \"x\"\n").message(), HasSubstr("buildpacks must be a list of tables"));
  EXPECT_THAT(refusal("[[order]]\n[[order.group]]\nid = \"a\"\noptional = \"yes\"\n").message(), HasSubstr("line 4, column 12"));
  EXPECT_THAT(refusal("[[run.images]]\nimage = \"r\"\nmirrors = [\"a\", 1]\n").message(), HasSubstr("run.images.mirrors must be a list of texts"));
}

TEST(BuilderToml, that_is_no_toml_has_line_and_column) {
  EXPECT_THAT(refusal("[build]\nimage = \n").message(), StartsWith("builder.toml: line 2, column "));
}

TEST(BuilderToml, needs_a_build_image_and_a_run_image) {
  EXPECT_THAT(refusal("[[run.images]]\nimage = \"r\"\n").message(), HasSubstr("build.image is missing"));
  EXPECT_THAT(refusal("[build]\nimage = \"b\"\n").message(), HasSubstr("run.images is missing"));
  EXPECT_THAT(refusal("[build]\nimage = \"b\"\n[[run.images]]\nmirrors = []\n").message(), HasSubstr("run.images.image is missing"));
}

TEST(BuilderToml, stack_may_repeat_the_newer_tables_but_not_contradict_them) {
  EXPECT_EQ(parse_builder_toml(base + "[stack]\nbuild-image = \"b\"\nrun-image = \"r\"\n", "x").build_image, "b");
  EXPECT_THAT(refusal(base + "[stack]\nbuild-image = \"other\"\n").message(), HasSubstr("contradicts"));
  EXPECT_THAT(refusal(base + "[stack]\nrun-image = \"other\"\n").message(), HasSubstr("contradicts"));
}

TEST(BuilderToml, buildpack_has_a_uri_or_an_image) {
  EXPECT_THAT(refusal(base + "[[buildpacks]]\nid = \"a\"\n").message(), HasSubstr("line 5, column 1: a buildpack needs a uri"));
  EXPECT_THAT(refusal(base + "[[buildpacks]]\nuri = \"a\"\nimage = \"b\"\n").message(), HasSubstr("not both"));
}

TEST(BuilderToml, order_names_buildpacks_by_usable_ids) {
  EXPECT_THAT(refusal(base + "[[order]]\n").message(), HasSubstr("names no buildpack"));
  EXPECT_THAT(refusal(base + "[[order]]\n[[order.group]]\nversion = \"1\"\n").message(), HasSubstr("id is missing"));
  EXPECT_THAT(refusal(base + "[[order]]\n[[order.group]]\nid = \"config\"\n").message(), HasSubstr("line 7, column 6"));
}

TEST(BuilderToml, lifecycle_has_a_version_or_a_uri) {
  EXPECT_THAT(refusal(base + "[lifecycle]\nversion = \"1\"\nuri = \"u\"\n").message(), HasSubstr("exclude each other"));
}

TEST(BuilderToml, build_environment_has_known_suffixes_and_plain_names) {
  EXPECT_THAT(refusal("[[build.env]]\nname = \"N\"\nsuffix = \"apend\"\n").message(), HasSubstr("\"apend\" is no suffix"));
  EXPECT_THAT(refusal("[[build.env]]\nvalue = \"v\"\n").message(), HasSubstr("build.env.name is missing"));
  for (const char* name : {"../x", "A.append", "A=B"})
    EXPECT_THAT(refusal(std::string("[[build.env]]\nname = \"") + name + "\"\n").message(), HasSubstr("no name of a variable"));
}

TEST(BuilderToml, image_extensions_are_refused) {
  EXPECT_THAT(refusal("[[extensions]]\nid = \"e\"\n").message(), HasSubstr("image extensions are not supported"));
  EXPECT_THAT(refusal("[[order-extensions]]\n").message(), HasSubstr("image extensions are not supported"));
}

TEST(BuilderToml, hostile_nesting_is_refused) {
  EXPECT_THAT(refusal("a = " + std::string(100000, '[')).message(), HasSubstr("nested"));
}

}  // namespace
}  // namespace cib::cnb
