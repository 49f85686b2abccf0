#include "cnb/store_toml.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

TEST(StoreToml, takes_the_metadata_and_nothing_else) {
  EXPECT_EQ(parse_store_toml("other = 1\n[metadata]\nruns = 2\n", "store.toml"), R"({"metadata":{"runs":2}})");
  EXPECT_EQ(parse_store_toml("", "store.toml"), R"({"metadata":null})");
}

TEST(StoreToml, comes_back_as_it_was) {
  EXPECT_EQ(write_store_toml(R"({"metadata":{"runs":2}})"), "[metadata]\n  runs = 2\n");
  for (const char* store : {R"({"metadata":{"a":{"b":[{"c":"d"}]},"f":1.0}})", R"({"metadata":{}})"})
    EXPECT_EQ(parse_store_toml(write_store_toml(store), "store.toml"), store);
}

TEST(StoreToml, of_nothing_is_empty) {
  EXPECT_EQ(write_store_toml("null"), "");
  EXPECT_EQ(write_store_toml(R"({"metadata":null})"), "");
}

TEST(StoreToml, malformed_fails_the_phase_that_reads_it) {
  for (const char* text : {"[metadata", "metadata = 3\n"}) try {
      parse_store_toml(text, "store.toml");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::export_image);
    }
}

}  // namespace
}  // namespace cib::cnb
