#include "sandbox/user_map.hpp"

#include <gtest/gtest.h>

namespace cib::sandbox {
namespace {

using Map = std::vector<IdMapping>;

TEST(SubordinateRange, belongs_to_the_name_or_the_id) {
  const std::string_view text = "# comment\nother:1:2\nbuilder:100000:65536\n1001:300000:10\n";
  EXPECT_EQ(subordinate_range(text, "builder", 5), (IdRange{100000, 65536}));
  EXPECT_EQ(subordinate_range(text, "", 1001), (IdRange{300000, 10}));
  EXPECT_EQ(subordinate_range(text, "nobody", 5), std::nullopt);
}

TEST(SubordinateRange, is_the_largest) {
  EXPECT_EQ(subordinate_range("a:1:2\na:50:100\na:3:4", "a", 9), (IdRange{50, 100}));
}

TEST(SubordinateRange, leaves_malformed_lines_out) {
  EXPECT_EQ(subordinate_range("a\na:\na:1\na:x:5\na:5:-1\na:5:0\na:5:6x\n:\n\n", "a", 9), std::nullopt);
  EXPECT_EQ(subordinate_range("", "a", 9), std::nullopt);
  EXPECT_EQ(subordinate_range(":1:2\n", "", 9), std::nullopt);
}

TEST(IdMap, has_the_one_id_without_a_range) { EXPECT_EQ(id_map(1000, 500, std::nullopt), (Map{{1000, 500, 1}})); }

TEST(IdMap, puts_the_range_around_it) {
  EXPECT_EQ(id_map(1000, 500, IdRange{100000, 65536}),
            (Map{{0, 100000, 1000}, {1000, 500, 1}, {1001, 101000, 64536}}));
}

TEST(IdMap, for_id_0_the_range_begins_at_1) {
  EXPECT_EQ(id_map(0, 500, IdRange{100000, 65536}), (Map{{0, 500, 1}, {1, 100000, 65536}}));
}

TEST(IdMap, a_short_range_ends_below_it) {
  EXPECT_EQ(id_map(1000, 500, IdRange{7, 10}), (Map{{0, 7, 10}, {1000, 500, 1}}));
  EXPECT_EQ(id_map(10, 500, IdRange{7, 10}), (Map{{0, 7, 10}, {10, 500, 1}}));
}

}  // namespace
}  // namespace cib::sandbox
