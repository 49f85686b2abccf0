#include "cnb/restore_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.hpp"

namespace cib::cnb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string sha(char digit) { return "sha256:" + std::string(64, digit); }

LayerMetadata layer(bool launch, bool build, bool cache, char digit = 'a') {
  return {.sha = sha(digit), .data_json = R"({"from":")" + std::string(1, digit) + "\"}", .build = build, .launch = launch, .cache = cache};
}

AppMetadata image_with(const std::string& name, const LayerMetadata& layer) {
  AppMetadata metadata;
  metadata.buildpacks.push_back({.key = "x/bp", .version = "1", .layers = {{name, layer}}});
  return metadata;
}

CacheMetadata cache_with(const std::string& name, const LayerMetadata& layer) {
  CacheMetadata metadata;
  metadata.buildpacks.push_back({.key = "x/bp", .version = "1", .layers = {{name, layer}}});
  return metadata;
}

// "image"/"cache" says where the metadata comes from, "+contents" that the folder is filled, "-" that nothing comes back.
std::string verdict(const RestorePlan& plan) {
  if (plan.layers.empty()) return "-";
  EXPECT_EQ(plan.layers.size(), 1u);
  const RestoredLayer& only = plan.layers.front();
  return std::string(only.from == RestoredLayer::From::cache ? "cache" : "image") + (only.restore_contents ? "+contents" : "");
}

std::string restored(const LayerMetadata& previous, const CacheMetadata& cache = {}) {
  return verdict(plan_restore({"x/bp"}, image_with("l", previous), cache));
}

TEST(RestoreRules, launch_layer_gets_metadata_from_the_image_and_no_contents) {
  EXPECT_EQ(restored(layer(true, false, false)), "image");
}

TEST(RestoreRules, launch_and_cache_layer_needs_the_cache) {
  EXPECT_EQ(restored(layer(true, false, true)), "-");
  EXPECT_EQ(restored(layer(true, false, true), cache_with("l", layer(true, false, true))), "image+contents");
}

TEST(RestoreRules, launch_and_build_layer_without_cache_never_comes_back) {
  EXPECT_EQ(restored(layer(true, true, false)), "-");
}

TEST(RestoreRules, layer_with_all_types_is_treated_like_launch_and_cache) {
  EXPECT_EQ(restored(layer(true, true, true)), "-");
  EXPECT_EQ(restored(layer(true, true, true), cache_with("l", layer(true, true, true))), "image+contents");
}

TEST(RestoreRules, cache_layer_comes_back_from_the_cache_alone) {
  for (const bool build : {false, true})
    EXPECT_EQ(verdict(plan_restore({"x/bp"}, {}, cache_with("l", layer(false, build, true)))), "cache+contents");
}

TEST(RestoreRules, build_layer_never_comes_back) {
  EXPECT_EQ(restored(layer(false, true, false)), "-");
  EXPECT_EQ(verdict(plan_restore({"x/bp"}, {}, cache_with("l", layer(false, true, false)))), "-");
}

TEST(RestoreRules, cached_launch_layer_that_the_image_lacks_stays_away_before_platform_api_0_14) {
  const RestorePlan plan = plan_restore({"x/bp"}, {}, cache_with("l", layer(true, false, true)));
  EXPECT_THAT(plan.layers, IsEmpty());
  EXPECT_THAT(plan.dropped, ElementsAre(DroppedLayer{"x/bp", "l", "the previous image does not have it"}));
}

TEST(RestoreRules, cache_of_another_build_is_not_mixed_with_the_image) {
  const RestorePlan plan = plan_restore({"x/bp"}, image_with("l", layer(true, false, true, 'a')),
                                        cache_with("l", layer(true, false, true, 'b')));
  EXPECT_THAT(plan.layers, IsEmpty());
  ASSERT_EQ(plan.dropped.size(), 1u);
  EXPECT_THAT(plan.dropped[0].reason, HasSubstr("wrong sha"));
}

TEST(RestoreRules, layer_that_became_cache_only_is_the_caches) {
  const RestorePlan plan = plan_restore({"x/bp"}, image_with("l", layer(true, false, false, 'a')),
                                        cache_with("l", layer(false, false, true, 'b')));
  EXPECT_THAT(plan.layers, ElementsAre(RestoredLayer{"x/bp", "l", R"({"from":"b"})", sha('b'), RestoredLayer::From::cache, true}));
  EXPECT_THAT(plan.dropped, IsEmpty());
}

TEST(RestoreRules, cache_entry_without_the_cache_flag_counts_as_absent) {
  EXPECT_EQ(restored(layer(true, false, true), cache_with("l", layer(true, false, false))), "-");
}

TEST(RestoreRules, another_version_of_the_buildpack_gets_the_same_layers) {
  AppMetadata previous = image_with("l", layer(true, false, false));
  previous.buildpacks[0].version = "0.0.1";
  EXPECT_EQ(verdict(plan_restore({"x/bp"}, previous, {})), "image");
}

TEST(RestoreRules, layers_of_a_buildpack_outside_of_the_group_do_not_come_back) {
  const RestorePlan plan = plan_restore({"y/other"}, image_with("l", layer(true, false, false)),
                                        cache_with("m", layer(false, false, true)));
  EXPECT_THAT(plan.layers, IsEmpty());
  EXPECT_THAT(plan.stores, IsEmpty());
}

TEST(RestoreRules, store_comes_back_even_when_layers_are_skipped) {
  AppMetadata previous = image_with("l", layer(true, false, false));
  previous.buildpacks[0].store_json = R"({"metadata":{"runs":1}})";
  const RestorePlan plan = plan_restore({"x/bp"}, previous, cache_with("m", layer(false, false, true)), true);
  EXPECT_THAT(plan.stores, ElementsAre(RestoredStore{"x/bp", R"({"metadata":{"runs":1}})"}));
  EXPECT_THAT(plan.layers, IsEmpty());
}

TEST(RestoreRules, cached_layer_without_a_digest_has_no_contents_to_restore) {
  LayerMetadata nameless = layer(false, false, true);
  nameless.sha = "";
  EXPECT_EQ(verdict(plan_restore({"x/bp"}, {}, cache_with("l", nameless))), "cache");
}

TEST(RestoreRules, names_that_would_leave_the_buildpacks_folder_do_not_come_back) {
  for (const std::string name : {"../../etc/cron", "..", ".", "", "a/b", "/etc/x"}) {
    const RestorePlan plan = plan_restore({"x/bp"}, image_with(name, layer(true, false, false)),
                                          cache_with(name, layer(false, false, true)));
    EXPECT_THAT(plan.layers, IsEmpty()) << name;
    EXPECT_EQ(plan.dropped.size(), 1u) << name;
  }
}

TEST(RestoreRules, restores_what_the_reference_restored) {
  const auto golden = nlohmann::json::parse(read_file(std::string(CIB_GOLDENS) + "/expected/kinds.json"));
  const auto& first = golden["steps"][0];
  const auto previous = parse_app_metadata(first["image"]["labels"]["io.buildpacks.lifecycle.metadata"].dump());
  const RestorePlan plan = plan_restore({"golden/kinds"}, previous.value(), parse_cache_metadata(first["cache"].dump()));
  std::vector<std::string> lines;
  for (const RestoredLayer& layer : plan.layers) {
    const char* from = layer.from == RestoredLayer::From::cache ? "cache" : "app image";
    lines.push_back("Restoring metadata for \"" + layer.buildpack + ":" + layer.layer + "\" from " + from);
    if (layer.restore_contents) lines.push_back("Restoring data for \"" + layer.buildpack + ":" + layer.layer + "\" from cache");
  }
  std::vector<std::string> expected;
  for (const std::string line : golden["steps"][1]["output"])
    if (line.starts_with("Restoring ") && line.find("SBOM") == line.npos) expected.push_back(line);
  EXPECT_THAT(lines, testing::UnorderedElementsAreArray(expected));
  EXPECT_THAT(plan.stores, ElementsAre(RestoredStore{"golden/kinds", R"({"metadata":{"runs":1}})"}));
}

}  // namespace
}  // namespace cib::cnb
