#include "cnb/cache_metadata.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.hpp"

namespace cib::cnb {
namespace {

TEST(CacheMetadata, is_byte_for_byte_what_the_reference_writes) {
  std::string text = read_file(std::string(CIB_GOLDENS) + "/go-made/cache-dir/committed/io.buildpacks.lifecycle.cache.metadata");
  ASSERT_EQ(text.back(), '\n');
  text.pop_back();
  EXPECT_EQ(to_json(parse_cache_metadata(text)), text);
}

TEST(CacheMetadata, without_layers_still_lists_the_buildpacks) {
  CacheMetadata metadata;
  EXPECT_EQ(to_json(metadata), R"({"sbom":{"sha":""},"buildpacks":null})");
  metadata.buildpacks.push_back({.key = "a/b", .version = "1"});
  EXPECT_EQ(to_json(metadata), R"({"sbom":{"sha":""},"buildpacks":[{"key":"a/b","version":"1","layers":{}}]})");
}

TEST(CacheMetadata, never_holds_a_store) {
  const CacheMetadata metadata = parse_cache_metadata(R"({"buildpacks":[{"key":"a","store":{"metadata":{"k":1}}}]})");
  EXPECT_EQ(metadata.buildpacks.at(0).store_json, "null");
  EXPECT_THAT(to_json(metadata), testing::Not(testing::HasSubstr("store")));
}

TEST(CacheMetadata, that_cannot_be_decoded_is_an_empty_cache) {
  for (const char* text : {"", "{", "[]", R"({"buildpacks":[{"layers":[]}]})", R"({"sbom":"x"})"})
    EXPECT_EQ(parse_cache_metadata(text), CacheMetadata{}) << text;
}

TEST(CacheMetadata, finds_a_layer_by_buildpack_and_name) {
  const CacheMetadata metadata = parse_cache_metadata(R"({"buildpacks":[{"key":"a","layers":{"l":{"sha":"s","cache":true}}}]})");
  ASSERT_NE(metadata.find("a", "l"), nullptr);
  EXPECT_EQ(metadata.find("a", "l")->sha, "s");
  EXPECT_EQ(metadata.find("a", "m"), nullptr);
  EXPECT_EQ(metadata.find("b", "l"), nullptr);
}

}  // namespace
}  // namespace cib::cnb
