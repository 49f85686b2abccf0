#include "cnb/detect_trial.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = event::DetectVerdict::Kind;

std::string provides(const std::string& name) { return fmt::format("[[provides]]\nname = \"{}\"\n", name); }
std::string requires_(const std::string& name) { return fmt::format("[[requires]]\nname = \"{}\"\n", name); }
std::string or_provides(const std::string& name) { return fmt::format("[[or.provides]]\nname = \"{}\"\n", name); }
std::string or_requires(const std::string& name) { return fmt::format("[[or.requires]]\nname = \"{}\"\n", name); }

GroupElement need(const std::string& id, const std::string& version = "1") { return {id, version, false}; }
GroupElement may(const std::string& id, const std::string& version = "1") { return {id, version, true}; }

// Buildpacks with what their bin/detect does, and a record of what was run.
class Shop {
 public:
  Buildpack& leaf(const std::string& id, int code = 0, const std::string& plan = "", const std::string& version = "1") {
    Buildpack& buildpack = m_buildpacks[id + "@" + version];
    buildpack.api = BuildpackApi(0, 10);
    buildpack.id = id;
    buildpack.version = version;
    m_runs[id + "@" + version] = {code, "output of " + id, plan};
    return buildpack;
  }
  void composite(const std::string& id, Order order) { leaf(id).order = std::move(order); }

  DetectResult detect(const Order& order) {
    return cnb::detect(order, {[&](const std::string& id, const std::string& version) -> const Buildpack& {
                                 const auto found = m_buildpacks.find(id + "@" + version);
                                 if (found == m_buildpacks.end()) throw Error(ExitCode::detect, "no buildpack " + id);
                                 return found->second;
                               },
                               [&](const std::vector<const Buildpack*>& buildpacks) {
                                 std::vector<DetectRun> runs;
                                 batches.emplace_back();
                                 for (const Buildpack* buildpack : buildpacks) {
                                   batches.back().push_back(buildpack->full_name());
                                   runs.push_back(m_runs.at(buildpack->full_name()));
                                 }
                                 return runs;
                               },
                               [](const Buildpack&) { return true; }, target});
  }

  TargetInfo target = {"linux", "amd64", "", "", {"ubuntu", "22.04"}};
  std::vector<std::vector<std::string>> batches;

 private:
  std::map<std::string, Buildpack> m_buildpacks;
  std::map<std::string, DetectRun> m_runs;
};

// "id@version" of those that take part.
std::vector<std::string> group(const DetectResult& result) {
  std::vector<std::string> names;
  for (const DetectedBuildpack& buildpack : result.group) names.push_back(buildpack.id + "@" + buildpack.version);
  return names;
}

// "name: providers <- count of requirements"
std::vector<std::string> plan(const DetectResult& result) {
  std::vector<std::string> lines;
  for (const PlanEntry& entry : result.plan) {
    std::string line = entry.name + ":";
    for (const Provider& provider : entry.providers) line += " " + provider.id;
    lines.push_back(fmt::format("{} <- {}", line, entry.requirements.size()));
  }
  return lines;
}

const event::DetectVerdict& verdict(const DetectResult& result, const std::string& id) {
  for (const event::DetectVerdict& one : result.verdicts)
    if (one.id == id) return one;
  throw Error(ExitCode::bug, "no verdict of " + id);
}

TEST(Detect, one_buildpack_that_passes_is_the_group) {
  Shop shop;
  shop.leaf("a").homepage = "https://a";
  const DetectResult result = shop.detect({{need("a")}});
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.exit_code, ExitCode::ok);
  EXPECT_EQ(result.group, (DetectedGroup{{"a", "1", "0.10", "https://a"}}));
  EXPECT_EQ(verdict(result, "a").kind, Kind::pass);
  EXPECT_EQ(verdict(result, "a").output, "output of a");
}

TEST(Detect, groups_are_tried_in_order_and_the_first_that_passes_wins) {
  Shop shop;
  shop.leaf("a", 100);
  shop.leaf("b");
  shop.leaf("c");
  const DetectResult result = shop.detect({{need("a"), need("b")}, {need("c")}, {need("b")}});
  EXPECT_THAT(group(result), ElementsAre("c@1"));
  EXPECT_THAT(shop.batches, ElementsAre(ElementsAre("a@1", "b@1"), ElementsAre("c@1")));
}

TEST(Detect, every_version_runs_once_whatever_number_of_groups_it_is_in) {
  Shop shop;
  shop.leaf("a");
  shop.leaf("b", 100);
  shop.leaf("a", 0, "", "2");
  const DetectResult result = shop.detect({{need("a"), need("b")}, {need("b"), need("a")}, {need("a", "2"), need("b")}, {need("a")}});
  EXPECT_THAT(group(result), ElementsAre("a@1"));
  EXPECT_THAT(shop.batches, ElementsAre(ElementsAre("a@1", "b@1"), ElementsAre("a@2")));
}

TEST(Detect, nothing_passes_when_all_opt_out_with_100) {
  Shop shop;
  shop.leaf("a", 100);
  shop.leaf("b", 100);
  const DetectResult result = shop.detect({{need("a")}, {may("b")}});
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.exit_code, ExitCode::not_detected);
  EXPECT_EQ(static_cast<int>(result.exit_code), 20);
  EXPECT_THAT(result.group, IsEmpty());
  ASSERT_EQ(result.verdicts.size(), 2u);
  EXPECT_EQ(verdict(result, "a").kind, Kind::fail);
  EXPECT_EQ(verdict(result, "b").kind, Kind::skipped);
}

TEST(Detect, exit_1_is_an_error_and_not_a_fail) {
  for (const int code : {1, 7, -1}) {
    Shop shop;
    shop.leaf("a", code);
    shop.leaf("b", 100);
    const DetectResult result = shop.detect({{need("a")}, {need("b")}});
    EXPECT_FALSE(result.passed);
    EXPECT_EQ(result.exit_code, ExitCode::detect_errored);
    EXPECT_EQ(static_cast<int>(result.exit_code), 21);
    EXPECT_EQ(verdict(result, "a").kind, Kind::error);
    EXPECT_EQ(verdict(result, "a").exit_code, code);
    EXPECT_EQ(verdict(result, "a").output, "output of a");
  }
}

TEST(Detect, an_empty_order_or_group_detects_nothing) {
  Shop shop;
  EXPECT_EQ(shop.detect({}).exit_code, ExitCode::not_detected);
  EXPECT_EQ(shop.detect({{}}).exit_code, ExitCode::not_detected);
  EXPECT_THAT(shop.batches, IsEmpty());
}

TEST(Detect, optional_buildpacks_that_fail_or_break_are_left_out) {
  Shop shop;
  shop.leaf("fails", 100);
  shop.leaf("breaks", 7);
  shop.leaf("a");
  const DetectResult result = shop.detect({{may("fails"), may("breaks"), need("a")}});
  EXPECT_THAT(group(result), ElementsAre("a@1"));
  EXPECT_EQ(result.candidates, 3u);
  EXPECT_EQ(verdict(result, "fails").kind, Kind::skipped);
  EXPECT_EQ(verdict(result, "breaks").kind, Kind::error);
}

TEST(Detect, a_broken_optional_buildpack_shows_when_the_group_fails_for_another) {
  Shop shop;
  shop.leaf("breaks", 7);
  shop.leaf("fails", 100);
  EXPECT_EQ(shop.detect({{may("breaks"), need("fails")}}).exit_code, ExitCode::detect_errored);
  EXPECT_EQ(shop.detect({{may("breaks")}}).exit_code, ExitCode::detect_errored);
}

TEST(Detect, a_broken_optional_buildpack_does_not_show_when_the_plan_fails) {
  Shop shop;
  shop.leaf("breaks", 7);
  shop.leaf("asks", 0, requires_("x"));
  EXPECT_EQ(shop.detect({{may("breaks"), need("asks")}}).exit_code, ExitCode::not_detected);
}

TEST(Detect, an_error_in_one_group_does_not_spoil_a_later_one) {
  Shop shop;
  shop.leaf("breaks", 1);
  shop.leaf("a");
  const DetectResult result = shop.detect({{need("breaks")}, {need("a")}});
  EXPECT_TRUE(result.passed);
  ASSERT_EQ(result.verdicts.size(), 1u);
}

TEST(Detect, a_buildpack_that_cannot_be_had_ends_it_even_when_optional) {
  Shop shop;
  shop.leaf("a");
  try {
    shop.detect({{may("missing"), need("a")}, {need("a")}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::detect);
  }
  EXPECT_THAT(shop.batches, IsEmpty());
}

TEST(Detect, buildpacks_of_groups_behind_the_one_that_passes_are_never_asked_for) {
  Shop shop;
  shop.leaf("a");
  EXPECT_TRUE(shop.detect({{need("a")}, {need("missing")}}).passed);
}

TEST(Detect, a_buildpack_that_lies_about_its_id_is_refused) {
  Shop shop;
  shop.leaf("a").id = "b";
  EXPECT_THROW(shop.detect({{need("a")}}), Error);
}

TEST(Detect, the_first_of_an_id_wins_whatever_the_version) {
  Shop shop;
  shop.leaf("a", 0, "", "1");
  shop.leaf("a", 0, "", "2");
  shop.leaf("b");
  EXPECT_THAT(group(shop.detect({{need("a", "2"), need("b"), need("a", "1")}})), ElementsAre("a@2", "b@1"));
  EXPECT_THAT(shop.batches, ElementsAre(ElementsAre("a@2", "b@1")));
}

TEST(Detect, the_composites_version_of_a_duplicate_comes_first) {
  Shop shop;
  shop.composite("python", {{need("cpython"), may("labels", "4.5")}});
  shop.leaf("cpython");
  shop.leaf("labels", 0, "", "4.5");
  shop.leaf("labels", 0, "", "4.9");
  EXPECT_THAT(group(shop.detect({{need("python"), need("labels", "4.9")}})), ElementsAre("cpython@1", "labels@4.5"));
}

TEST(Detect, an_earlier_optional_failure_still_hides_a_later_duplicate) {
  Shop shop;
  shop.leaf("a", 100, "", "1");
  shop.leaf("a", 0, "", "2");
  shop.leaf("b");
  EXPECT_THAT(group(shop.detect({{may("a", "1"), need("b"), need("a", "2")}})), ElementsAre("b@1"));
}

TEST(Composite, stands_for_its_groups_with_the_rest_of_the_parent_behind_each) {
  Shop shop;
  shop.composite("c", {{need("x")}, {need("y")}});
  for (const char* id : {"x", "y", "before", "after"}) shop.leaf(id);
  shop.leaf("x", 100);
  const DetectResult result = shop.detect({{need("before"), need("c"), need("after")}});
  EXPECT_THAT(group(result), ElementsAre("before@1", "y@1", "after@1"));
  EXPECT_THAT(shop.batches, ElementsAre(ElementsAre("before@1", "x@1", "after@1"), ElementsAre("y@1")));
}

TEST(Composite, and_its_parent_are_resolved_as_one_plan) {
  Shop shop;
  shop.composite("c", {{need("x")}, {need("y")}});
  shop.leaf("x", 0, provides("x-only"));
  shop.leaf("y", 0, provides("tool"));
  shop.leaf("user", 0, requires_("tool"));
  EXPECT_THAT(group(shop.detect({{need("c"), need("user")}})), ElementsAre("y@1", "user@1"));
}

TEST(Composite, when_optional_is_left_out_where_none_of_its_groups_works) {
  Shop shop;
  shop.composite("c", {{need("x")}, {need("y")}});
  shop.leaf("x", 100);
  shop.leaf("y", 1);
  shop.leaf("a");
  EXPECT_THAT(group(shop.detect({{may("c"), need("a")}})), ElementsAre("a@1"));
  EXPECT_EQ(shop.detect({{need("c"), need("a")}}).exit_code, ExitCode::detect_errored);
}

TEST(Composite, when_optional_forgets_the_errors_of_its_groups) {
  Shop shop;
  shop.composite("c", {{need("x")}});
  shop.leaf("x", 1);
  shop.leaf("a", 100);
  EXPECT_EQ(shop.detect({{may("c"), need("a")}}).exit_code, ExitCode::not_detected);
}

TEST(Composite, that_fails_leaves_nothing_behind_for_the_next_group) {
  Shop shop;
  shop.composite("c", {{need("a", "1"), need("fails")}, {need("a", "2")}});
  shop.leaf("a", 0, "", "1");
  shop.leaf("a", 0, "", "2");
  shop.leaf("fails", 100);
  EXPECT_THAT(group(shop.detect({{need("c")}})), ElementsAre("a@2"));
}

TEST(Composite, may_be_nested) {
  Shop shop;
  shop.composite("level-1", {{need("level-2"), may("after-2")}});
  shop.composite("level-2", {{need("fails")}, {need("leaf")}});
  shop.leaf("leaf");
  shop.leaf("fails", 100);
  shop.leaf("after-2");
  shop.leaf("after-1");
  EXPECT_THAT(group(shop.detect({{need("level-1"), need("after-1")}})), ElementsAre("leaf@1", "after-2@1", "after-1@1"));
}

TEST(Composite, inside_of_itself_is_refused) {
  Shop shop;
  shop.composite("c", {{need("d")}});
  shop.composite("d", {{need("c")}});
  try {
    shop.detect({{need("c")}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::detect);
    EXPECT_THAT(error.message(), HasSubstr("nested more than 100 deep"));
  }
}

TEST(Composite, a_row_of_thousands_in_one_group_is_refused) {
  Shop shop;
  Group all;
  for (int i = 0; i < 5000; ++i) {
    shop.composite(fmt::format("c{}", i), {{need("x")}});
    all.push_back(need(fmt::format("c{}", i)));
  }
  shop.leaf("x");
  EXPECT_THROW(shop.detect({all}), Error);
}

TEST(Composite, orders_that_multiply_without_end_are_given_up) {
  Shop shop;
  for (int i = 0; i < 60; ++i) shop.composite(fmt::format("c{}", i), {{need(fmt::format("c{}", i + 1))}, {need(fmt::format("c{}", i + 1))}});
  shop.leaf("c60", 100);
  try {
    shop.detect({{need("c0")}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::detect);
    EXPECT_THAT(error.message(), HasSubstr("gave up after 1000000 attempts"));
  }
}

TEST(DetectTarget, a_required_buildpack_for_another_target_is_an_error_and_does_not_run) {
  Shop shop;
  shop.leaf("arm").targets = {{.os = "linux", .arch = "arm64"}};
  const DetectResult result = shop.detect({{need("arm")}});
  EXPECT_EQ(result.exit_code, ExitCode::detect_errored);
  EXPECT_THAT(shop.batches, IsEmpty());
  EXPECT_EQ(verdict(result, "arm").kind, Kind::error);
  EXPECT_EQ(verdict(result, "arm").exit_code, -1);
  EXPECT_EQ(verdict(result, "arm").reason, "its targets do not include the run image's linux/amd64 ubuntu 22.04");
}

TEST(DetectTarget, an_optional_buildpack_for_another_target_runs_all_the_same) {
  Shop shop;
  shop.leaf("arm").targets = {{.os = "linux", .arch = "arm64"}};
  EXPECT_THAT(group(shop.detect({{may("arm")}})), ElementsAre("arm@1"));
}

TEST(DetectPlan, what_is_provided_must_be_required_later) {
  Shop shop;
  shop.leaf("p", 0, provides("tool"));
  shop.leaf("r", 0, requires_("tool") + "[requires.metadata]\nversion = \"1\"\n");
  const DetectResult result = shop.detect({{need("p"), need("r")}});
  EXPECT_EQ(result.plan, (Plan{{"tool", {{"p", "1"}}, {{"tool", R"({"version":"1"})"}}}}));
}

TEST(DetectPlan, a_require_nobody_provides_fails_the_group_and_says_so) {
  Shop shop;
  shop.leaf("r", 0, requires_("missing"));
  const DetectResult result = shop.detect({{need("r")}});
  EXPECT_EQ(result.exit_code, ExitCode::not_detected);
  EXPECT_EQ(verdict(result, "r").kind, Kind::fail);
  EXPECT_EQ(verdict(result, "r").exit_code, 0);
  EXPECT_EQ(verdict(result, "r").reason, "requires missing, which nothing before it provides");
}

TEST(DetectPlan, a_provide_nobody_requires_fails_the_group_and_says_so) {
  Shop shop;
  shop.leaf("p", 0, provides("unneeded"));
  const DetectResult result = shop.detect({{need("p")}});
  EXPECT_EQ(result.exit_code, ExitCode::not_detected);
  EXPECT_EQ(verdict(result, "p").kind, Kind::fail);
  EXPECT_EQ(verdict(result, "p").reason, "provides unused unneeded");
}

TEST(DetectPlan, a_require_before_its_provider_is_unmet) {
  Shop shop;
  shop.leaf("p", 0, provides("tool"));
  shop.leaf("r", 0, requires_("tool"));
  EXPECT_FALSE(shop.detect({{need("r"), need("p")}}).passed);
}

TEST(DetectPlan, a_buildpack_may_require_what_it_provides_itself) {
  Shop shop;
  shop.leaf("procfile", 0, requires_("procfile") + provides("procfile"));
  EXPECT_THAT(plan(shop.detect({{need("procfile")}})), ElementsAre("procfile: procfile <- 1"));
}

TEST(DetectPlan, something_provided_again_must_be_required_again) {
  Shop shop;
  shop.leaf("p", 0, provides("t"));
  shop.leaf("r", 0, requires_("t"));
  shop.leaf("q", 0, provides("t"));
  EXPECT_THAT(verdict(shop.detect({{need("p"), need("r"), need("q")}}), "q").reason, HasSubstr("provides unused t"));
  EXPECT_THAT(plan(shop.detect({{need("p"), need("q"), need("r")}})), ElementsAre("t: p q <- 1"));
}

TEST(DetectPlan, providers_up_to_the_last_require_share_an_entry) {
  Shop shop;
  shop.leaf("p", 0, provides("t") + requires_("t"));
  shop.leaf("q", 0, provides("t") + requires_("t"));
  EXPECT_THAT(plan(shop.detect({{need("p"), need("q")}})), ElementsAre("t: p q <- 2"));
}

TEST(DetectPlan, entries_are_sorted_by_name) {
  Shop shop;
  shop.leaf("p", 0, provides("z") + provides("a") + requires_("z") + requires_("a"));
  EXPECT_THAT(plan(shop.detect({{need("p")}})), ElementsAre("a: p <- 1", "z: p <- 1"));
}

TEST(DetectPlan, optional_buildpacks_at_fault_are_dropped_and_so_are_those_that_then_are_at_fault) {
  Shop shop;
  shop.leaf("p", 0, provides("t"));
  shop.leaf("m", 0, requires_("t") + provides("u"));
  shop.leaf("r", 0, requires_("u") + requires_("missing"));
  shop.leaf("a");
  const DetectResult result = shop.detect({{may("p"), may("m"), may("r"), need("a")}});
  EXPECT_THAT(group(result), ElementsAre("a@1"));
  EXPECT_THAT(result.plan, IsEmpty());
  EXPECT_EQ(verdict(result, "r").kind, Kind::skipped);
  EXPECT_EQ(verdict(result, "r").reason, "requires missing, which nothing before it provides");
  EXPECT_EQ(verdict(result, "p").reason, "provides unused t");
}

TEST(DetectPlan, a_group_of_which_nothing_is_left_fails) {
  Shop shop;
  shop.leaf("p", 0, provides("t"));
  EXPECT_EQ(shop.detect({{may("p")}}).exit_code, ExitCode::not_detected);
}

TEST(DetectPlan, alternatives_are_tried_in_the_order_of_the_file) {
  Shop shop;
  shop.leaf("p", 0, provides("a") + "[[or]]\n" + or_provides("b") + "[[or]]\n" + or_provides("c"));
  shop.leaf("r", 0, requires_("c"));
  EXPECT_THAT(plan(shop.detect({{need("p"), need("r")}})), ElementsAre("c: p <- 1"));
}

TEST(DetectPlan, the_first_buildpacks_alternatives_vary_slowest) {
  Shop shop;
  shop.leaf("p", 0, provides("a") + "[[or]]\n" + or_provides("b"));
  shop.leaf("r", 0, requires_("b") + "[[or]]\n" + or_requires("a"));
  EXPECT_THAT(plan(shop.detect({{need("p"), need("r")}})), ElementsAre("a: p <- 1"));
}

TEST(DetectPlan, an_optional_buildpack_is_dropped_at_its_last_alternative_only) {
  // Dropped at the first one, "p" would be missing from the group.
  Shop shop;
  shop.leaf("p", 0, provides("unused") + "[[or]]\n" + or_provides("t") + or_requires("t"));
  shop.leaf("a");
  EXPECT_THAT(group(shop.detect({{may("p"), need("a")}})), ElementsAre("p@1", "a@1"));
  shop.leaf("q", 0, provides("unused") + "[[or]]\n" + or_provides("unused too"));
  EXPECT_THAT(group(shop.detect({{may("q"), need("a")}})), ElementsAre("a@1"));
}

TEST(DetectPlan, ca_certificates_falls_back_to_its_helper_alone) {
  const std::string ca = provides("ca-certificates") + provides("ca-certificates-helper") + requires_("ca-certificates-helper") + "[[or]]\n" +
                         or_provides("ca-certificates-helper") + or_requires("ca-certificates-helper");
  Shop shop;
  shop.leaf("ca", 0, ca);
  shop.leaf("app");
  shop.leaf("asks", 0, requires_("ca-certificates"));
  EXPECT_THAT(plan(shop.detect({{may("ca"), need("app")}})), ElementsAre("ca-certificates-helper: ca <- 1"));
  EXPECT_THAT(plan(shop.detect({{may("ca"), need("asks")}})), ElementsAre("ca-certificates: ca <- 1", "ca-certificates-helper: ca <- 1"));
}

TEST(DetectPlan, a_malformed_plan_turns_a_pass_into_an_error) {
  for (const std::string text : {"[[requires]", "[[requires]]\nname = \"a\"\nversion = \"1\"\n", "provides = 1"}) {
    Shop shop;
    shop.leaf("a", 0, text);
    shop.leaf("b");
    const DetectResult result = shop.detect({{need("a")}});
    EXPECT_EQ(result.exit_code, ExitCode::detect_errored);
    EXPECT_EQ(verdict(result, "a").kind, Kind::error);
    EXPECT_EQ(verdict(result, "a").exit_code, -1);
    EXPECT_THAT(verdict(result, "a").reason, HasSubstr("build plan of a@1: "));
    EXPECT_THAT(group(shop.detect({{may("a"), need("b")}})), ElementsAre("b@1"));
  }
}

TEST(DetectPlan, the_plan_of_a_buildpack_that_fails_is_not_read) {
  Shop shop;
  shop.leaf("a", 100, "[[requires]");
  EXPECT_EQ(shop.detect({{need("a")}}).exit_code, ExitCode::not_detected);
}

TEST(DetectPlan, alternatives_that_multiply_without_end_are_given_up) {
  Shop shop;
  Group all;
  for (int i = 0; i < 40; ++i) {
    shop.leaf(fmt::format("a{}", i), 0, provides("x") + "[[or]]\n" + or_provides("y"));
    all.push_back(need(fmt::format("a{}", i)));
  }
  EXPECT_THROW(shop.detect({all}), Error);
}

TEST(Detect, when_nothing_passes_tells_of_every_buildpack_once_what_was_found_last) {
  Shop shop;
  shop.leaf("a", 0, requires_("x"));
  shop.leaf("b", 100);
  shop.leaf("c", 0, provides("x"));
  const DetectResult result = shop.detect({{need("a"), need("b")}, {need("c")}, {need("a")}});
  ASSERT_EQ(result.verdicts.size(), 3u);
  EXPECT_THAT(verdict(result, "a").reason, HasSubstr("requires x"));
  EXPECT_EQ(verdict(result, "b").kind, Kind::fail);
  EXPECT_EQ(verdict(result, "c").reason, "provides unused x");
}

}  // namespace
}  // namespace cib::cnb
