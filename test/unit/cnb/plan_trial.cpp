#include "cnb/plan_trial.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/error.hpp"
#include "cnb/detect_trial.hpp"

namespace cib::cnb {
namespace {

using testing::ElementsAre;

PlanOption option(std::vector<std::string> provides, std::vector<std::string> requires_names) {
  PlanOption one{std::move(provides), {}};
  for (std::string& name : requires_names) one.requirements.push_back({std::move(name), "null"});
  return one;
}

PlanCandidate candidate(const std::string& id, const BuildPlan& options, bool optional = false) {
  return {{id, "1"}, optional, &options};
}

// The rules of the specification, word by word and without any short cut: the members of the first
// combination that works.
std::optional<std::vector<std::size_t>> by_the_book(const std::vector<PlanCandidate>& candidates, std::vector<std::size_t> choice) {
  if (choice.size() < candidates.size()) {
    for (std::size_t k = 0; k < candidates[choice.size()].options->size(); ++k) {
      auto longer = choice;
      longer.push_back(k);
      if (auto found = by_the_book(candidates, longer)) return found;
    }
    return std::nullopt;
  }
  std::vector<std::size_t> members;
  for (std::size_t i = 0; i < candidates.size(); ++i) members.push_back(i);
  while (true) {
    std::vector<std::size_t> faulty;
    for (std::size_t at = 0; at < members.size(); ++at) {
      const PlanOption& own = (*candidates[members[at]].options)[choice[members[at]]];
      bool fault = false;
      for (const Requirement& requirement : own.requirements) {
        bool provided = false;
        for (std::size_t before = 0; before <= at; ++before)
          for (const std::string& name : (*candidates[members[before]].options)[choice[members[before]]].provides)
            provided = provided || name == requirement.name;
        fault = fault || !provided;
      }
      for (const std::string& name : own.provides) {
        bool used = false;
        for (std::size_t after = at; after < members.size(); ++after)
          for (const Requirement& requirement : (*candidates[members[after]].options)[choice[members[after]]].requirements)
            used = used || requirement.name == name;
        fault = fault || !used;
      }
      if (fault) faulty.push_back(members[at]);
    }
    for (const std::size_t index : faulty) {
      if (!candidates[index].optional || choice[index] + 1 != candidates[index].options->size()) return std::nullopt;
      std::erase(members, index);
    }
    if (faulty.empty()) break;
  }
  if (members.empty()) return std::nullopt;
  return members;
}

TEST(PlanTrial, decides_as_the_rules_do_for_thousands_of_random_groups) {
  std::mt19937 random(7);
  const auto up_to = [&](unsigned n) { return static_cast<unsigned>(random() % (n + 1)); };
  int passed = 0;
  int dropped = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<BuildPlan> plans(1 + up_to(4));
    std::vector<PlanCandidate> candidates;
    for (BuildPlan& plan : plans) {
      for (unsigned k = 0; k <= up_to(2); ++k) {
        std::vector<std::string> provides;
        std::vector<std::string> needs;
        for (unsigned n = up_to(2); n > 0; --n) provides.push_back(std::string(1, static_cast<char>('a' + up_to(2))));
        for (unsigned n = up_to(2); n > 0; --n) needs.push_back(std::string(1, static_cast<char>('a' + up_to(2))));
        plan.push_back(option(provides, needs));
      }
    }
    for (std::size_t i = 0; i < plans.size(); ++i) candidates.push_back(candidate(std::to_string(i), plans[i], up_to(1) == 1));
    TrialBudget budget;
    const PlanOutcome outcome = resolve_plan(candidates, budget);
    const auto expected = by_the_book(candidates, {});
    ASSERT_EQ(outcome.result.has_value(), expected.has_value()) << "round " << round;
    if (!expected) continue;
    ASSERT_EQ(outcome.result->members, *expected) << "round " << round;
    ++passed;
    dropped += expected->size() < candidates.size();
  }
  EXPECT_GT(passed, 2'000);
  EXPECT_GT(dropped, 1'000);
}

TEST(PlanTrial, what_cannot_work_is_not_multiplied_by_what_comes_after) {
  const BuildPlan asks = {option({}, {"missing"}), option({}, {"missing"})};
  const BuildPlan many = {option({}, {}), option({}, {})};
  std::vector<PlanCandidate> candidates = {candidate("asks", asks)};
  for (int i = 0; i < 60; ++i) candidates.push_back(candidate(fmt::format("m{}", i), many));
  TrialBudget budget;
  const PlanOutcome outcome = resolve_plan(candidates, budget);
  EXPECT_FALSE(outcome.result);
  EXPECT_THAT(outcome.reasons, ElementsAre(std::pair<std::size_t, std::string>(0, "requires missing, which nothing before it provides")));
}

TEST(PlanTrial, work_is_bounded_over_a_whole_detection) {
  const BuildPlan plan = {option({"a", "b"}, {"a", "b"})};
  TrialBudget budget;
  budget.count_steps(max_detect_steps - 5);
  EXPECT_TRUE(resolve_plan({candidate("x", plan)}, budget).result);
  EXPECT_THROW(resolve_plan({candidate("x", plan)}, budget), Error);
}

TEST(PlanTrial, the_number_of_trials_is_bounded_over_a_whole_detection) {
  TrialBudget budget;
  for (std::size_t i = 0; i < max_detect_trials; ++i) budget.count_trial();
  EXPECT_THROW(budget.count_trial(), Error);
}

}  // namespace
}  // namespace cib::cnb
