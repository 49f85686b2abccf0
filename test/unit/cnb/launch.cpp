#include "cnb/launch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "cnb/toml.hpp"
#include "oci/digest.hpp"
#include "oci/tar_writer.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr BuildpackApi api_0_7{0, 7}, api_0_8{0, 8}, api_0_9{0, 9}, api_0_10{0, 10}, api_0_12{0, 12};

LaunchToml launch_of(std::string_view text, const BuildpackApi& api = api_0_10) {
  return parse_launch_toml(text, "/layers/b/launch.toml", api);
}

std::string refusal(std::string_view text, const BuildpackApi& api = api_0_10) {
  try {
    launch_of(text, api);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::build) << text;
    return error.message();
  }
  return "";
}

// --- launch.toml

TEST(LaunchToml, command_is_a_list_from_api_0_9_on) {
  const LaunchToml launch = launch_of("[[processes]]\ntype = \"web\"\ncommand = [\"a\", \"b\"]\nargs = [\"c\"]\n", api_0_9);
  ASSERT_EQ(launch.processes.size(), 1u);
  EXPECT_EQ(launch.processes[0], (Process{.type = "web", .command = {"a", "b"}, .args = {{"c"}}, .direct = true}));
  EXPECT_THAT(refusal("[[processes]]\ntype = \"web\"\ncommand = \"a\"\n", api_0_9), HasSubstr("command must be a list"));
}

TEST(LaunchToml, command_is_a_text_before_api_0_9) {
  const LaunchToml launch = launch_of("[[processes]]\ntype = \"web\"\ncommand = \"a b\"\n", api_0_8);
  EXPECT_EQ(launch.processes[0], (Process{.type = "web", .command = {"a b"}}));
  EXPECT_THAT(refusal("[[processes]]\ncommand = [\"a\"]\n", api_0_8), HasSubstr("command must be text"));
  EXPECT_THAT(refusal("[[processes]]\ntype = \"web\"\n", api_0_8), HasSubstr("command is missing"));
}

TEST(LaunchToml, direct_defaults_to_the_shell_before_api_0_9) {
  EXPECT_FALSE(launch_of("[[processes]]\ncommand = \"a\"\n", api_0_7).processes[0].direct);
  EXPECT_TRUE(launch_of("[[processes]]\ncommand = \"a\"\ndirect = true\n", api_0_7).processes[0].direct);
}

TEST(LaunchToml, direct_must_not_be_said_from_api_0_9_on) {
  for (const char* value : {"true", "false"})
    EXPECT_THAT(refusal(std::string("[[processes]]\ncommand = [\"a\"]\ndirect = ") + value, api_0_9),
                HasSubstr("processes[0].direct is not supported"));
}

TEST(LaunchToml, working_dir_is_ignored_with_a_warning_before_api_0_8) {
  constexpr std::string_view text = "[[processes]]\ntype = \"web\"\ncommand = \"a\"\nworking-dir = \"/w\"\n";
  EXPECT_EQ(launch_of(text, api_0_8).processes[0].working_dir, "/w");
  const LaunchToml old = launch_of(text, api_0_7);
  EXPECT_EQ(old.processes[0].working_dir, "");
  EXPECT_THAT(old.warnings, ElementsAre(HasSubstr("'web'")));
}

TEST(LaunchToml, no_args_and_empty_args_are_two_things) {
  EXPECT_FALSE(launch_of("[[processes]]\ncommand = [\"a\"]\n").processes[0].args.has_value());
  EXPECT_EQ(launch_of("[[processes]]\ncommand = [\"a\"]\nargs = []\n").processes[0].args, std::vector<std::string>{});
}

TEST(LaunchToml, two_defaults_of_one_buildpack_fail_the_build) {
  EXPECT_THAT(refusal("[[processes]]\ntype = \"a\"\ncommand = [\"a\"]\ndefault = true\n"
                      "[[processes]]\ntype = \"b\"\ncommand = [\"b\"]\ndefault = true\n"),
              HasSubstr("multiple default process types aren't allowed"));
}

TEST(LaunchToml, reads_labels_and_slices_in_order) {
  const LaunchToml launch = launch_of("[[labels]]\nkey = \"k\"\nvalue = \"1\"\n[[labels]]\nkey = \"k\"\nvalue = \"2\"\n"
                                      "[[slices]]\npaths = [\"a\", \"b/*\"]\n[[slices]]\n");
  EXPECT_THAT(launch.labels, ElementsAre(ImageLabel{"k", "1"}, ImageLabel{"k", "2"}));
  EXPECT_THAT(launch.slices, ElementsAre(Slice{{{"a", "b/*"}}}, Slice{}));
}

TEST(LaunchToml, legacy_bom_is_taken_but_not_with_a_version_of_its_own) {
  EXPECT_THAT(launch_of("[[bom]]\nname = \"x\"\n[bom.metadata]\nversion = \"1\"\n").bom,
              ElementsAre(LegacyBom{"x", R"({"version":"1"})", "", ""}));
  EXPECT_THAT(refusal("[[bom]]\nname = \"x\"\nversion = \"1\"\n"), HasSubstr("metadata.version"));
}

TEST(LaunchToml, empty_is_fine_and_unknown_keys_are_ignored) {
  EXPECT_THAT(launch_of("").processes, IsEmpty());
  EXPECT_THAT(launch_of("future = 1\n[[processes]]\ncommand = [\"a\"]\nfuture = 2\n").processes, testing::SizeIs(1));
}

TEST(LaunchToml, what_is_malformed_fails_the_build_and_names_the_file) {
  for (const char* text : {"[[processes]", "processes = 1\n", "[[processes]]\ntype = 1\ncommand = []\n",
                           "[[processes]]\ncommand = [\"a\", 1]\n", "[[labels]]\nkey = []\n", "[[slices]]\npaths = \"a\"\n",
                           "[[processes]]\ncommand = [\"a\"]\ndefault = \"yes\"\n"})
    EXPECT_THAT(refusal(text), HasSubstr("/layers/b/launch.toml")) << text;
}

// --- build.toml

TEST(BuildToml, unmet_must_name_an_entry_of_the_plan) {
  const std::vector<std::string> plan = {"a", "b"};
  EXPECT_THAT(parse_build_toml("[[unmet]]\nname = \"b\"\n", "build.toml", plan).unmet, ElementsAre("b"));
  EXPECT_THAT(parse_build_toml("", "build.toml", plan).unmet, IsEmpty());
  for (const auto& [text, message] : {std::pair{"[[unmet]]\nname = \"c\"\n", "'c' must match a requested dependency"},
                                      std::pair{"[[unmet]]\nname = \"\"\n", "is required"}, std::pair{"[[unmet]]\n", "is required"}})
    try {
      parse_build_toml(text, "build.toml", plan);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::build);
      EXPECT_THAT(error.message(), HasSubstr(message));
    }
}

TEST(BuildToml, legacy_bom_must_not_have_a_version_of_its_own) {
  EXPECT_THROW(parse_build_toml("[[bom]]\nname = \"x\"\nversion = \"1\"\n", "build.toml", {}), Error);
  EXPECT_THAT(parse_build_toml("[[bom]]\nname = \"x\"\n", "build.toml", {}).bom, ElementsAre(LegacyBom{"x", "null", "", ""}));
}

// --- merging

Process process(std::string type, std::string command, bool is_default = false) {
  return {.type = std::move(type), .command = {std::move(command)}, .direct = true, .is_default = is_default};
}

TEST(AddLaunch, sorts_processes_by_type_and_names_their_buildpack) {
  LaunchMetadata metadata;
  EXPECT_THAT(add_launch(metadata, {"x/a", "1", "0.10", ""}, {.processes = {process("worker", "w"), process("task", "t")}}), IsEmpty());
  ASSERT_THAT(metadata.processes, testing::SizeIs(2));
  EXPECT_EQ(metadata.processes[0].type, "task");
  EXPECT_EQ(metadata.processes[0].buildpack_id, "x/a");
}

TEST(AddLaunch, later_definition_of_a_type_replaces_the_earlier_one) {
  LaunchMetadata metadata;
  add_launch(metadata, {"x/a", "1", "0.10", ""}, {.processes = {process("web", "old")}});
  add_launch(metadata, {"x/b", "1", "0.10", ""}, {.processes = {process("web", "new")}});
  ASSERT_THAT(metadata.processes, testing::SizeIs(1));
  EXPECT_THAT(metadata.processes[0].command, ElementsAre("new"));
  EXPECT_EQ(metadata.processes[0].buildpack_id, "x/b");
}

TEST(AddLaunch, last_default_wins_and_the_flag_itself_is_dropped) {
  LaunchMetadata metadata;
  add_launch(metadata, {"x/a", "1", "0.10", ""}, {.processes = {process("web", "w", true)}});
  add_launch(metadata, {"x/b", "1", "0.10", ""}, {.processes = {process("task", "t", true)}});
  EXPECT_EQ(metadata.default_process_type, "task");
  EXPECT_FALSE(metadata.processes[0].is_default || metadata.processes[1].is_default);
}

TEST(AddLaunch, redefining_the_default_without_default_takes_it_away_and_warns) {
  LaunchMetadata metadata;
  add_launch(metadata, {"x/a", "1", "0.10", ""}, {.processes = {process("web", "w", true)}});
  EXPECT_THAT(add_launch(metadata, {"x/b", "1", "0.10", ""}, {.processes = {process("web", "n")}}), ElementsAre(HasSubstr("'web'")));
  EXPECT_EQ(metadata.default_process_type, "");
}

TEST(AddLaunch, new_default_after_a_lost_one_needs_no_warning) {
  LaunchMetadata metadata;
  add_launch(metadata, {"x/a", "1", "0.10", ""}, {.processes = {process("web", "w", true)}});
  EXPECT_THAT(add_launch(metadata, {"x/b", "1", "0.10", ""}, {.processes = {process("web", "n"), process("task", "t", true)}}), IsEmpty());
  EXPECT_EQ(metadata.default_process_type, "task");
}

TEST(AddLaunch, labels_and_slices_are_put_one_after_the_other) {
  LaunchMetadata metadata;
  add_launch(metadata, {"x/a", "1", "0.10", ""}, {.labels = {{"k", "1"}}, .slices = {{{{"a"}}}}});
  add_launch(metadata, {"x/b", "1", "0.10", ""}, {.labels = {{"k", "2"}}, .slices = {{{{"b"}}}}});
  EXPECT_THAT(metadata.labels, ElementsAre(ImageLabel{"k", "1"}, ImageLabel{"k", "2"}));
  EXPECT_THAT(metadata.slices, ElementsAre(Slice{{{"a"}}}, Slice{{{"b"}}}));
}

TEST(AddLaunch, buildpack_without_anything_to_launch_is_still_listed) {
  LaunchMetadata metadata;
  add_launch(metadata, {"x/a", "1", "0.10", "h"}, {});
  EXPECT_THAT(metadata.buildpacks, ElementsAre(LaunchBuildpack{"x/a", "1", "0.10", "h"}));
}

// --- metadata.toml

TEST(MetadataToml, is_byte_for_byte_what_the_reference_writes) {
  LaunchMetadata metadata;
  metadata.buildpacks = {{"x/bp", "1.0", "0.10", "https://h"}};
  metadata.labels = {{"k", "v<&>"}};
  metadata.processes = {{.type = "web", .command = {"bash", "-c", "a && b > c"}, .args = {{"x && y"}}, .direct = true, .buildpack_id = "x/bp"}};
  metadata.slices = {{{{"static"}}}};
  metadata.default_process_type = "web";
  EXPECT_EQ(write_metadata_toml(metadata), R"(buildpack-default-process-type = "web"

[[buildpacks]]
  id = "x/bp"
  version = "1.0"
  api = "0.10"
  homepage = "https://h"

[[labels]]
  key = "k"
  value = "v<&>"

[[processes]]
  type = "web"
  command = ["bash", "-c", "a \u0026\u0026 b \u003e c"]
  args = ["x && y"]
  direct = true
  buildpack-id = "x/bp"

[[slices]]
  paths = ["static"]
)");
}

TEST(MetadataToml, of_a_process_has_args_when_given_and_working_dir_when_not_empty) {
  LaunchMetadata metadata;
  metadata.processes = {{.type = "a", .command = {}, .args = std::vector<std::string>{}, .working_dir = "/w"}, {.type = "b", .command = {"c"}}};
  EXPECT_EQ(write_metadata_toml(metadata), R"([[processes]]
  type = "a"
  command = []
  args = []
  direct = false
  buildpack-id = ""
  working-dir = "/w"

[[processes]]
  type = "b"
  command = ["c"]
  direct = false
  buildpack-id = ""
)");
}

TEST(MetadataToml, reads_back_whatever_the_texts_are) {
  LaunchMetadata metadata;
  const std::string odd = "q\" b\\ n\n t\t e\x1b \xc3\xa9 \xe2\x80\xa8 <>&";
  metadata.labels = {{odd, odd}};
  metadata.processes = {{.type = odd, .command = {odd}, .args = {{odd}}, .buildpack_id = odd, .working_dir = odd}};
  metadata.slices = {{{{odd}}}};
  const json document = json::parse(toml_to_json(write_metadata_toml(metadata), "metadata.toml"));
  EXPECT_EQ(document["labels"][0]["value"], odd);
  EXPECT_EQ(document["processes"][0]["command"][0], odd);
  EXPECT_EQ(document["processes"][0]["args"][0], odd);
  EXPECT_EQ(document["processes"][0]["working-dir"], odd);
  EXPECT_EQ(document["slices"][0]["paths"][0], odd);
}

// The config layer of an image as the reference packs it: its digest proves every byte of the file.
std::string config_layer_diff_id(const std::string& metadata_toml) {
  oci::Sha256 hash;
  oci::TarWriter tar(hash);
  const auto header = [](const char* name, oci::TarHeader::Type type, std::uint32_t mode, std::uint64_t size) {
    return oci::TarHeader{.name = name, .type = type, .mode = mode, .uid = 1001, .gid = 1000, .size = size};
  };
  tar.header(header("/layers", oci::TarHeader::Type::folder, 0755, 0));
  tar.header(header("/layers/config", oci::TarHeader::Type::folder, 0755, 0));
  tar.header(header("/layers/config/metadata.toml", oci::TarHeader::Type::file, 0644, metadata_toml.size()));
  tar.contents(as_bytes(metadata_toml));
  tar.finish();
  return hash.finish().str();
}

// Buildpacks of the goldens that leave a launch.toml, as printed by their bin/build.
std::string launch_toml_of(const std::string& buildpack) {
  const std::string script = read_file(std::string(CIB_GOLDENS) + "/buildpacks/" + buildpack + "/bin/build");
  const std::string here = "cat > \"$L/launch.toml\" <<'X'\n";
  if (const std::size_t begin = script.find(here); begin != script.npos) {
    const std::size_t from = begin + here.size();
    return script.substr(from, script.find("\nX", from) + 1 - from);
  }
  if (buildpack == "last") return "[[processes]]\ntype = \"web\"\ncommand = [\"redefined\"]\n";
  return "";
}

TEST(MetadataToml, gives_the_config_layers_of_the_reference) {
  int compared = 0;
  for (const char* name : {"kinds", "plans", "names", "composite", "process-type", "optional", "epoch", "odd-history"}) {
    const json golden = json::parse(read_file(std::string(CIB_GOLDENS) + "/expected/" + name + ".json"));
    for (const json& step : golden["steps"]) {
      LaunchMetadata metadata;
      for (const json& element : step["group"]["group"]) {
        const std::string id = element["id"];
        const std::string api = element["api"];
        add_launch(metadata, {id, element["version"], api, element["homepage"]},
                   launch_of(launch_toml_of(id.substr(id.find('/') + 1)), BuildpackApi::parse(api).value()));
      }
      for (const json& layer : step["layers"])
        for (const std::string entry : layer["entries"])
          if (entry.ends_with("/config/metadata.toml")) {
            EXPECT_EQ(config_layer_diff_id(write_metadata_toml(metadata)), layer["diff_id"]) << name;
            ++compared;
          }
    }
  }
  EXPECT_EQ(compared, 12);
}

}  // namespace
}  // namespace cib::cnb
