#include "report/why.hpp"

#include <gtest/gtest.h>

namespace cib::report {
namespace {

TEST(HumanSize, is_in_megabytes_and_in_kilobytes_when_small) {
  EXPECT_EQ(human_size(0), "0 B");
  EXPECT_EQ(human_size(999), "999 B");
  EXPECT_EQ(human_size(1'000), "1.0 kB");
  EXPECT_EQ(human_size(640'000), "640 kB");
  EXPECT_EQ(human_size(999'499), "999 kB");
  EXPECT_EQ(human_size(999'500), "1.0 MB");
  EXPECT_EQ(human_size(1'234'567), "1.2 MB");
  EXPECT_EQ(human_size(9'960'000), "10 MB");
  EXPECT_EQ(human_size(143'000'000), "143 MB");
  EXPECT_EQ(human_size(2'600'000'000), "2600 MB");
  EXPECT_EQ(human_size(41'200'000'000), "41.2 GB");
}

TEST(HumanPart, has_both_numbers_in_the_unit_of_the_whole) {
  EXPECT_EQ(human_part(212'000'000, 611'000'000), "212 of 611 MB");
  EXPECT_EQ(human_part(500'000, 611'000'000), "0.5 of 611 MB");
  EXPECT_EQ(human_part(0, 611'000'000), "0 of 611 MB");
  EXPECT_EQ(human_part(3, 10), "3 of 10 B");
  EXPECT_EQ(human_part(12'000'000, 0), "12 MB");
}

TEST(HumanSeconds, has_one_decimal_below_a_hundred) {
  EXPECT_EQ(human_seconds(0.04), "0.0 s");
  EXPECT_EQ(human_seconds(13.44), "13.4 s");
  EXPECT_EQ(human_seconds(99.96), "100 s");
  EXPECT_EQ(human_seconds(125.4), "125 s");
  EXPECT_EQ(human_seconds(-1), "0.0 s");
}

TEST(BriefDigest, shortens_digests_only) {
  const std::string digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  EXPECT_EQ(brief_digest(digest), "sha256:e3b0c44298fc…");
  EXPECT_EQ(brief_digest("sha256:short"), "sha256:short");
  EXPECT_EQ(brief_digest("none"), "none");
  EXPECT_EQ(brief_digests("a@" + digest + " and sha256:abc, " + digest), "a@sha256:e3b0c44298fc… and sha256:abc, sha256:e3b0c44298fc…");
}

TEST(ShortName, is_what_follows_the_last_slash_of_the_id) {
  EXPECT_EQ(short_name("paketo-buildpacks/cpython"), "cpython");
  EXPECT_EQ(short_name("paketo-buildpacks/cpython:a/b"), "cpython:a/b");
  EXPECT_EQ(short_name("application"), "application");
  EXPECT_EQ(short_name("odd/"), "odd/");
}

TEST(Padded, counts_characters_not_bytes) {
  EXPECT_EQ(padded("ä…", 4), "ä…  ");
  EXPECT_EQ(padded("long", 2), "long");
}

}  // namespace
}  // namespace cib::report
