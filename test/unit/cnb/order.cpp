#include "cnb/order.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

using testing::HasSubstr;

const Order two_groups = {{{"a/b", "1.2.3", false}, {"c", "", true}}, {{"d", "2", false}}};

std::string refusal(std::string_view toml) {
  try {
    parse_order_toml(toml, "order.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    return error.message();
  }
  return "";
}

TEST(Order, is_read_from_order_toml) {
  EXPECT_EQ(parse_order_toml(R"(
[[order]]
[[order.group]]
id = "a/b"
version = "1.2.3"
[[order.group]]
id = "c"
optional = true
[[order]]
[[order.group]]
id = "d"
version = "2"
optional = false
)",
                             "order.toml"),
            two_groups);
  EXPECT_EQ(parse_order_toml("", "order.toml"), Order{});
}

TEST(Order, is_read_from_a_builders_label) {
  EXPECT_EQ(parse_order_json(R"([{"group":[{"id":"a/b","version":"1.2.3"},{"id":"c","optional":true}]},
                                 {"group":[{"id":"d","version":"2","optional":false}]}])",
                             "label"),
            two_groups);
  EXPECT_EQ(parse_order_json("null", "label"), Order{});
  EXPECT_EQ(parse_order_json(R"([{"group":null}])", "label"), Order{Group{}});
}

TEST(Order, what_is_written_reads_back_the_same) {
  EXPECT_EQ(parse_order_json(order_to_json(two_groups), "label"), two_groups);
  EXPECT_EQ(parse_order_toml(order_to_toml(two_groups), "order.toml"), two_groups);
  EXPECT_EQ(order_to_json(two_groups),
            R"([{"group":[{"id":"a/b","version":"1.2.3"},{"id":"c","optional":true}]},{"group":[{"id":"d","version":"2"}]}])");
}

TEST(Order, a_fault_is_named_by_its_place) {
  EXPECT_EQ(refusal("[[order]]\n[[order.group]]\nid = 1\n"), "order.toml: order[0].group[0].id must be text, not a number");
  EXPECT_EQ(refusal("[[order]]\n[[order.group]]\nversion = \"1\"\n"), "order.toml: order[0].group[0].id is missing");
  EXPECT_EQ(refusal("[[order]]\n[[order.group]]\nid = \"a\"\noptional = \"yes\"\n"),
            "order.toml: order[0].group[0].optional must be true or false, not text");
  EXPECT_EQ(refusal("order = 1\n"), "order.toml: order must be a list of tables, not a number");
  EXPECT_EQ(refusal("order = [1]\n"), "order.toml: order[0] must be a table, not a number");
  EXPECT_THROW(parse_order_json("{", "label"), Error);
  EXPECT_THROW(parse_order_json("[[]]", "label"), Error);
}

TEST(Order, ids_and_versions_cannot_leave_their_folder) {
  EXPECT_THAT(refusal("[[order]]\n[[order.group]]\nid = \"../x\"\n"), HasSubstr("order[0].group[0].id must not contain"));
  EXPECT_THAT(refusal("[[order]]\n[[order.group]]\nid = \"a\"\nversion = \"../../x\"\n"), HasSubstr("version must not"));
}

TEST(Order, image_extensions_are_refused) {
  EXPECT_THAT(refusal("[[order-extensions]]\n[[order-extensions.group]]\nid = \"x\"\n"), HasSubstr("image extensions"));
}

}  // namespace
}  // namespace cib::cnb
