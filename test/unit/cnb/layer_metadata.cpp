#include "cnb/layer_metadata.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json golden(const std::string& name) { return json::parse(read_file(std::string(CIB_GOLDENS) + "/expected/" + name)); }

TEST(LayerToml, reads_types_and_metadata) {
  const LayerToml layer = parse_layer_toml("[types]\nlaunch = true\ncache = true\n[metadata]\nn = 7\nv = \"1\"\n", "x.toml");
  EXPECT_TRUE(layer.launch);
  EXPECT_FALSE(layer.build);
  EXPECT_TRUE(layer.cache);
  EXPECT_TRUE(layer.has_types);
  EXPECT_EQ(layer.data_json, R"({"n":7,"v":"1"})");
}

TEST(LayerToml, empty_file_is_a_layer_without_types) {
  EXPECT_EQ(parse_layer_toml("", "x.toml"), LayerToml{});
  EXPECT_EQ(parse_layer_toml("[types]\n", "x.toml").has_types, true);
  EXPECT_EQ(parse_layer_toml("[metadata]\n", "x.toml").data_json, "{}");
}

TEST(LayerToml, flags_at_the_top_fail_the_build) {
  for (const char* flag : {"launch", "build", "cache"}) {
    try {
      parse_layer_toml(std::string(flag) + " = false\n", "/layers/b/x.toml");
      ADD_FAILURE() << flag;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::build);
      EXPECT_EQ(error.message(),
                "the launch, cache and build flags should be in the types table of /layers/b/x.toml");
    }
  }
}

TEST(LayerToml, what_is_malformed_fails_the_phase_that_reads_it) {
  for (const ExitCode phase : {ExitCode::build, ExitCode::export_image})
    for (const char* text : {"[types", "[types]\nlaunch = 1\n", "types = 3\n", "[types]\n[types]\n", "launch = true\n"}) {
      try {
        parse_layer_toml(text, "x.toml", phase);
        ADD_FAILURE() << text;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), phase) << text;
        EXPECT_THAT(error.message(), HasSubstr("x.toml"));
      }
    }
}

TEST(LayerToml, restored_file_has_metadata_and_never_types) {
  EXPECT_EQ(restored_layer_toml(R"({"n":7})"), "[metadata]\n  n = 7\n");
  EXPECT_EQ(restored_layer_toml("null"), "");
  const LayerToml layer = parse_layer_toml(restored_layer_toml(R"({"a":{"b":[1,2.0]}})"), "x.toml");
  EXPECT_FALSE(layer.has_types);
  EXPECT_EQ(layer.data_json, R"({"a":{"b":[1,2.0]}})");
}

TEST(LayerToml, restored_file_lets_a_buildpack_append_its_types) {
  const std::string appended = restored_layer_toml(R"({"n":7})") + "[types]\nlaunch = true\n";
  EXPECT_TRUE(parse_layer_toml(appended, "x.toml").launch);
}

TEST(AppMetadata, reads_and_writes_every_label_of_the_reference_unchanged) {
  int compared = 0;
  for (const char* name : {"kinds.json", "plans.json", "names.json", "composite.json", "process-type.json"}) {
    const json document = golden(name);
    for (const json& step : document["steps"]) {
      const json& label = step["image"]["labels"]["io.buildpacks.lifecycle.metadata"];
      const std::optional<AppMetadata> metadata = parse_app_metadata(label.dump());
      ASSERT_TRUE(metadata) << name;
      EXPECT_EQ(json::parse(to_json(*metadata)), label) << name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 9);
}

TEST(AppMetadata, is_byte_for_byte_what_the_reference_writes) {
  const std::string folder = std::string(CIB_GOLDENS) + "/go-made/app/blobs/sha256/";
  const json config = json::parse(read_file(folder + "29e2ddcf331f53f66f45bf1880202748b5b75639b8637d5cfc9b9bb132767157"));
  const std::string label = config["config"]["Labels"]["io.buildpacks.lifecycle.metadata"];
  EXPECT_EQ(to_json(parse_app_metadata(label).value()), label);
}

TEST(AppMetadata, writes_null_for_what_is_empty_and_leaves_out_what_is_absent) {
  EXPECT_EQ(to_json(AppMetadata{}),
            R"({"app":null,"buildpacks":null,"config":{"sha":""},"launcher":{"sha":""},"process-types":{"sha":""},)"
            R"("runImage":{"topLayer":"","reference":""}})");
}

TEST(AppMetadata, lists_every_buildpack_even_without_layers) {
  AppMetadata metadata;
  metadata.buildpacks.push_back({.key = "a/b", .version = "1"});
  EXPECT_THAT(to_json(metadata), HasSubstr(R"("buildpacks":[{"key":"a/b","version":"1","layers":{}}])"));
}

TEST(AppMetadata, escapes_as_go_does) {
  AppMetadata metadata;
  metadata.buildpacks.push_back({.key = "a", .version = "1", .layers = {{"l", {.data_json = R"({"x":"a<b>&c"})"}}}});
  EXPECT_THAT(to_json(metadata), HasSubstr(R"("data":{"x":"a\u003cb\u003e\u0026c"})"));
}

TEST(AppMetadata, keeps_integers_integers) {
  const auto metadata = parse_app_metadata(R"({"buildpacks":[{"key":"a","layers":{"l":{"data":{"i":1,"f":1.5}}}}]})");
  ASSERT_TRUE(metadata);
  EXPECT_EQ(metadata->buildpacks[0].layers.at("l").data_json, R"({"f":1.5,"i":1})");
}

TEST(AppMetadata, tolerates_missing_null_and_unknown_members) {
  EXPECT_EQ(parse_app_metadata("{}"), AppMetadata{});
  EXPECT_EQ(parse_app_metadata(R"({"app":null,"sbom":null,"buildpacks":null,"stack":null,"future":[1]})"), AppMetadata{});
  const auto metadata = parse_app_metadata(R"({"buildpacks":[{"key":"a","layers":null,"store":null},{}]})");
  ASSERT_TRUE(metadata);
  EXPECT_EQ(metadata->find("a")->store_json, "null");
}

TEST(AppMetadata, cannot_be_decoded_when_a_member_has_another_type) {
  for (const char* label : {"", "no json", "[]", "3", R"({"app":{"sha":"x"}})", R"({"app":"x"})", R"({"buildpacks":{}})",
                            R"({"buildpacks":[{"key":1}]})", R"({"buildpacks":[{"layers":{"l":{"launch":"yes"}}}]})",
                            R"({"runImage":[]})", R"({"config":"sha"})"})
    EXPECT_FALSE(parse_app_metadata(label)) << label;
  EXPECT_FALSE(parse_app_metadata(std::string(100000, '[')));
}

TEST(AppMetadata, of_a_buildpack_listed_twice_the_first_counts) {
  const auto metadata = parse_app_metadata(R"({"buildpacks":[{"key":"a","version":"1"},{"key":"a","version":"2"}]})");
  EXPECT_EQ(metadata->find("a")->version, "1");
  EXPECT_EQ(metadata->find("b"), nullptr);
}

}  // namespace
}  // namespace cib::cnb
