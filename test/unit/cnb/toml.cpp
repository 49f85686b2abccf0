#include "cnb/toml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

using testing::HasSubstr;

std::string refusal(std::string_view toml) {
  try {
    toml_to_json(toml, "x.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    return error.message();
  }
  return "";
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(TomlToJson, sorts_keys_and_writes_no_whitespace) {
  EXPECT_EQ(toml_to_json("b = 1\na = [true, \"x\"]\n[t]\nz = {y = 2}\n", "x"), R"({"a":[true,"x"],"b":1,"t":{"z":{"y":2}}})");
  EXPECT_EQ(toml_to_json("", "x"), "{}");
}

TEST(TomlToJson, keeps_integers_and_floats_apart) {
  EXPECT_EQ(toml_to_json("i = 9007199254740993\nf = 1.0\nn = -0\n", "x"), R"({"f":1.0,"i":9007199254740993,"n":0})");
}

TEST(TomlToJson, writes_dates_as_go_does) {
  EXPECT_EQ(toml_to_json("a = 2024-02-03T04:05:06Z", "x"), R"({"a":"2024-02-03T04:05:06Z"})");
  EXPECT_EQ(toml_to_json("a = 2024-02-03T04:05:06.120-07:30", "x"), R"({"a":"2024-02-03T04:05:06.12-07:30"})");
  EXPECT_EQ(toml_to_json("a = 2024-02-03T04:05:06", "x"), R"({"a":"2024-02-03T04:05:06Z"})");
  EXPECT_EQ(toml_to_json("a = 2024-02-03", "x"), R"({"a":"2024-02-03T00:00:00Z"})");
  EXPECT_EQ(toml_to_json("a = 04:05:06", "x"), R"({"a":"0000-01-01T04:05:06Z"})");
}

TEST(TomlToJson, names_file_line_and_column_of_a_fault) {
  EXPECT_THAT(refusal("a = 1\nb = = 2\n"), HasSubstr("x.toml: line 2, column 5: "));
  EXPECT_THAT(refusal("a = 1\na = 2\n"), HasSubstr("x.toml: line 2"));
}

TEST(TomlToJson, refuses_numbers_that_json_has_not) {
  EXPECT_EQ(refusal("x = 1\na = nan\n"), "x.toml: line 2, column 5: nan and inf cannot be stored in an image");
  EXPECT_THAT(refusal("a = [-inf]"), HasSubstr("nan and inf"));
}

TEST(TomlToJson, accepts_a_hundred_levels_and_no_more) {
  EXPECT_EQ(refusal("a = " + repeated("[", 99) + repeated("]", 99)), "");
  EXPECT_THAT(refusal("a = " + repeated("[", 100) + repeated("]", 100)), HasSubstr("nested more than 100 levels deep"));
}

TEST(TomlToJson, refuses_megabytes_of_nesting_without_recursion) {
  EXPECT_THAT(refusal("[a" + repeated(".a", 1'000'000) + "]\n"), HasSubstr("nested more than"));
  EXPECT_THAT(refusal("a" + repeated(".a", 1'000'000) + " = 1\n"), HasSubstr("nested more than"));
  EXPECT_THAT(refusal("x = \"\"\"\n\"\"\"\"\"\na" + repeated(".a", 1'000'000) + " = 1\n"), HasSubstr("line 3"));
  EXPECT_THAT(refusal("a = " + repeated("{a.a=", 500'000)), HasSubstr("nested more than"));
  EXPECT_THAT(refusal("a = " + repeated("[", 2'000'000)), HasSubstr("nested more than"));
  EXPECT_THAT(refusal("[a" + repeated(".a", 150) + "]\nb" + repeated(".b", 150) + " = 1\n"), HasSubstr("nested more than"));
}

TEST(TomlToJson, dots_in_texts_comments_and_long_lists_are_no_nesting) {
  const std::string dots = repeated(".", 1000);
  EXPECT_EQ(refusal("a = \"\\\"" + dots + "\" # " + dots + "\nb = '" + dots + "'\nc = '''\n" + dots + "''''\n"), "");
  EXPECT_EQ(refusal("a = [" + repeated("1.5,\n", 1000) + "]\n" + repeated("[[a1.b]]\nc.d = 1.5\n", 1000)), "");
}

TEST(TomlToJson, refuses_more_than_four_mebibytes) {
  EXPECT_THAT(refusal("a = '" + std::string(4 << 20, 'x') + "'"), HasSubstr("longer than 4 MiB"));
}

TEST(TomlToJson, letters_beyond_ascii_are_part_of_texts_and_of_nothing_else) {
  EXPECT_EQ(toml_to_json("a = \"\"\"\\\n  é\"\"\" # é\n\"ü\" = 'é'\n", "x"), "{\"a\":\"é\",\"ü\":\"é\"}");
  EXPECT_THAT(refusal("a = 1\né = 1\n"), HasSubstr("x.toml: line 2, column 1"));
  EXPECT_THAT(refusal("a = \"\"\"\\é\"\"\""), HasSubstr("line 1"));
}

TEST(TomlToJson, refuses_what_is_no_utf8) { EXPECT_THAT(refusal("a = \"\xff\""), HasSubstr("line 1")); }

TEST(JsonToToml, writes_values_before_tables_in_the_order_of_keys_indented_as_shell_buildpacks_expect) {
  EXPECT_EQ(json_to_toml(R"({"z":1,"t":{"y":2,"n":{"k":"v"}},"a":[1,2],"e":{}})"),
            "a = [1, 2]\nz = 1\n\n[e]\n\n[t]\n  y = 2\n\n  [t.n]\n    k = \"v\"\n");
}

TEST(JsonToToml, leaves_null_out) {
  EXPECT_EQ(json_to_toml(R"({"a":null,"b":[null,1],"c":[null,{"d":null}]})"), "b = [1]\n\n[[c]]\n");
  EXPECT_EQ(json_to_toml("null"), "");
  EXPECT_EQ(json_to_toml(""), "");
}

TEST(JsonToToml, integers_stay_integers_and_floats_floats) {
  EXPECT_EQ(json_to_toml(R"({"a":1,"b":1.0,"c":1e20,"d":18446744073709551615})"),
            "a = 1\nb = 1.0\nc = 1e+20\nd = 1.8446744073709552e+19\n");
}

TEST(JsonToToml, quotes_keys_and_escapes_texts) {
  EXPECT_EQ(json_to_toml(R"({"a.b":{"":"q\"\\\n\u0001\u007fé"}})"), "[\"a.b\"]\n  \"\" = \"q\\\"\\\\\\n\\u0001\\u007Fé\"\n");
}

TEST(JsonToToml, mixed_lists_are_written_inline) {
  EXPECT_EQ(json_to_toml(R"({"a":[1,{"b":[{"c":2}],"n":null},[]]})"), "a = [1, {b = [{c = 2}]}, []]\n");
}

TEST(JsonToToml, what_it_writes_reads_back_the_same) {
  const std::string json =
      R"({"":[],"a b":{"x":[{"y":[[1,2.5],[]]},{"y":{"z":true}}]},"m":[[{"k":"\u0000'''\"\"\""}]],"n":-9223372036854775808,"s":"\r\n\t\b\f"})";
  EXPECT_EQ(canonical_json(json, "x"), json);
  EXPECT_EQ(toml_to_json(json_to_toml(json), "x"), json);
}

TEST(JsonToToml, refuses_anything_but_an_object) {
  EXPECT_THROW(json_to_toml("[1]"), Error);
  EXPECT_THROW(json_to_toml("{"), Error);
  EXPECT_THROW(json_to_toml(R"({"a":)" + repeated("[", 3'000'000)), Error);
}

TEST(CanonicalJson, sorts_keys_and_drops_whitespace) {
  EXPECT_EQ(canonical_json(" { \"b\" : 1.0, \"a\" : [ 1 ] } ", "x"), R"({"a":[1],"b":1.0})");
  EXPECT_THROW(canonical_json("{\"a\":\"\xff\"}", "x"), Error);
}

}  // namespace
}  // namespace cib::cnb
