#include "cnb/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string refusal(std::string_view toml) {
  try {
    parse_build_plan(toml, "plan");
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

const Plan sample = {
    {"python", {{"a/cpython", "1"}}, {{"python", R"({"build":true,"version":"3.12.*"})"}, {"python", "null"}}},
    {"shared", {{"a/cpython", "1"}, {"b", "2"}}, {{"shared", "null"}}},
    {"tool", {{"b", "2"}}, {{"tool", R"({"n":1})"}}},
};

TEST(BuildPlan, has_the_sections_at_the_top_and_those_of_each_or) {
  const BuildPlan plan = parse_build_plan(R"(
[[provides]]
name = "a"
[[requires]]
name = "b"
[requires.metadata]
version = "3.*"
n = 1
[[or]]
[[or.provides]]
name = "c"
[[or]]
[[or.requires]]
name = "d"
)",
                                          "plan");
  ASSERT_EQ(plan.size(), 3u);
  EXPECT_THAT(plan[0].provides, ElementsAre("a"));
  EXPECT_THAT(plan[0].requirements, ElementsAre(Requirement{"b", R"({"n":1,"version":"3.*"})"}));
  EXPECT_THAT(plan[1].provides, ElementsAre("c"));
  EXPECT_THAT(plan[2].requirements, ElementsAre(Requirement{"d", "null"}));
}

TEST(BuildPlan, an_empty_file_is_one_option_of_nothing) {
  const BuildPlan plan = parse_build_plan("", "plan");
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_THAT(plan[0].provides, IsEmpty());
  EXPECT_THAT(plan[0].requirements, IsEmpty());
}

TEST(BuildPlan, a_version_beside_the_metadata_is_an_error) {
  EXPECT_EQ(refusal("[[requires]]\nname = \"a\"\nversion = \"1\"\n"), "plan: requires[0].version must be metadata.version");
  EXPECT_EQ(refusal("[[or]]\n[[or.requires]]\nname = \"a\"\nversion = \"1\"\n"), "plan: or[0].requires[0].version must be metadata.version");
}

TEST(BuildPlan, a_version_in_both_places_is_an_error) {
  EXPECT_THAT(refusal("[[requires]]\nname = \"a\"\nversion = \"1\"\n[requires.metadata]\nversion = \"1\"\n"), HasSubstr("given twice"));
}

TEST(BuildPlan, what_is_malformed_is_an_error) {
  EXPECT_THAT(refusal("[[requires]\n"), HasSubstr("plan: line 1"));
  EXPECT_EQ(refusal("[[requires]]\nmetadata = 1\n"), "plan: requires[0].metadata must be a table, not a number");
  EXPECT_EQ(refusal("requires = \"a\"\n"), "plan: requires must be a list of tables, not text");
}

TEST(Plan, gives_a_buildpack_every_requirement_of_the_entries_it_provides) {
  EXPECT_THAT(entries_for(sample, "a/cpython"),
              ElementsAre(Requirement{"python", R"({"build":true,"version":"3.12.*"})"}, Requirement{"python", "null"},
                          Requirement{"shared", "null"}));
  EXPECT_THAT(entries_for(sample, "c"), IsEmpty());
}

TEST(Plan, entries_that_a_buildpack_met_are_gone_afterwards) {
  EXPECT_THAT(without_met(sample, entries_for(sample, "a/cpython"), {}), ElementsAre(sample[2]));
}

TEST(Plan, unmet_entries_stay_for_later_buildpacks) {
  EXPECT_THAT(without_met(sample, entries_for(sample, "a/cpython"), {"shared"}), ElementsAre(sample[1], sample[2]));
  EXPECT_EQ(without_met(sample, entries_for(sample, "c"), {}), sample);
}

TEST(Plan, an_unmet_name_must_be_one_of_the_buildpacks_own_plan) {
  for (const char* name : {"", "tool"}) {
    try {
      without_met(sample, entries_for(sample, "a/cpython"), {name});
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::build);
    }
  }
}

TEST(BuildpackPlan, is_written_with_name_and_metadata) {
  EXPECT_EQ(buildpack_plan_toml({{"a", R"({"n":1,"t":{"x":[1.0]}})"}, {"b", "null"}}),
            "[[entries]]\n  name = \"a\"\n\n  [entries.metadata]\n    n = 1\n\n    [entries.metadata.t]\n      x = [1.0]\n\n"
            "[[entries]]\n  name = \"b\"\n");
  EXPECT_EQ(buildpack_plan_toml({}), "");
}

TEST(Plan, is_written_as_json_and_toml) {
  const Plan one = {{"x", {{"a", "1"}}, {{"x", R"({"k":"v"})"}}}};
  EXPECT_EQ(plan_to_json(one), R"({"entries":[{"providers":[{"id":"a","version":"1"}],"requires":[{"metadata":{"k":"v"},"name":"x"}]}]})");
  EXPECT_EQ(plan_to_toml(one),
            "[[entries]]\n\n  [[entries.providers]]\n    id = \"a\"\n    version = \"1\"\n\n  [[entries.requires]]\n    name = \"x\"\n\n"
            "    [entries.requires.metadata]\n      k = \"v\"\n");
  EXPECT_EQ(plan_to_json({}), "{}");
  EXPECT_EQ(plan_to_toml({}), "");
}

TEST(DetectedGroup, is_written_as_json_and_toml) {
  const DetectedGroup group = {{"a/b", "1", "0.10", "https://x"}, {"c", "2", "0.7", ""}};
  EXPECT_EQ(group_to_json(group), R"({"group":[{"api":"0.10","homepage":"https://x","id":"a/b","version":"1"},{"api":"0.7","id":"c","version":"2"}]})");
  EXPECT_EQ(group_to_toml(group),
            "[[group]]\n  api = \"0.10\"\n  homepage = \"https://x\"\n  id = \"a/b\"\n  version = \"1\"\n\n"
            "[[group]]\n  api = \"0.7\"\n  id = \"c\"\n  version = \"2\"\n");
}

}  // namespace
}  // namespace cib::cnb
