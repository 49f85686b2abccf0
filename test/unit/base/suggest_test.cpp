#include "base/suggest.hpp"

#include <gtest/gtest.h>

namespace cib {
namespace {

constexpr std::string_view flags[] = {"--builder", "--buildpack", "--output", "--cache-dir", "--no-color"};

TEST(EditDistance, counts_a_swap_as_one) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("biuld", "build"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("ca", "abc"), 3u);
}

TEST(Suggest, finds_the_nearest) {
  EXPECT_EQ(suggest("--buildr", flags), "--builder");
  EXPECT_EQ(suggest("--bulidpack", flags), "--buildpack");
  EXPECT_EQ(suggest("--OUTPUT", flags), "--output");
  EXPECT_EQ(suggest("--nocolor", flags), "--no-color");
}

TEST(Suggest, finds_the_only_one_that_begins_so) {
  EXPECT_EQ(suggest("--cache", flags), "--cache-dir");
  EXPECT_EQ(suggest("--bu", flags), std::nullopt);
}

TEST(Suggest, keeps_quiet_when_nothing_is_near) {
  EXPECT_EQ(suggest("--privileged", flags), std::nullopt);
  EXPECT_EQ(suggest("", flags), std::nullopt);
  EXPECT_EQ(suggest("x", flags), std::nullopt);
  EXPECT_EQ(suggest(std::string(100'000, 'x'), flags), std::nullopt);
}

TEST(DidYouMean, is_a_clause_or_nothing) {
  EXPECT_EQ(did_you_mean("--buildr", flags), " (did you mean \"--builder\"?)");
  EXPECT_EQ(did_you_mean("zzz", flags), "");
}

}  // namespace
}  // namespace cib
