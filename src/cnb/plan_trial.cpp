#include "cnb/plan_trial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "cnb/detect_trial.hpp"

namespace cib::cnb {
namespace {

[[noreturn]] void too_much() {
  throw Error(ExitCode::detect, fmt::format("detection gave up after {} attempts", max_detect_trials))
      .why("the order and the alternatives of the buildpacks' plans have too many combinations")
      .next("name the buildpacks of the application instead of trying the builder's whole order");
}

// One name, while the candidates are gone through in order.
struct Dependency {
  PlanEntry entry;
  std::vector<std::size_t> unused;  // offered it since it was required last
  std::vector<std::size_t> early;   // required it before anybody offered it
};

// One choice of an option for each candidate.
class Trial {
 public:
  Trial(const std::vector<PlanCandidate>& candidates, const std::vector<std::size_t>& choice, TrialBudget& budget)
      : m_candidates(candidates), m_choice(choice), m_budget(budget), m_dropped(candidates.size()) {}

  std::optional<PlanResult> run() {
    m_budget.count_trial();
    // Dropping one buildpack may leave another's offers unused.
    for (bool first = true;; first = false) {
      if (const auto index = collect(); index && first) hopeless = index;
      bool again = false;
      for (const auto& [name, dependency] : m_dependencies)
        for (const std::size_t index : dependency.early) {
          note(index, "requires {}, which nothing before it provides", name);
          if (!drop(index)) return std::nullopt;
          again = true;
        }
      for (const auto& [name, dependency] : m_dependencies)
        for (const std::size_t index : dependency.unused) {
          note(index, "provides unused {}", name);
          if (!drop(index)) return std::nullopt;
          again = true;
        }
      if (!again) break;
    }
    return result();
  }

  std::vector<std::pair<std::size_t, std::string>> reasons;
  // The candidate whose option cannot work with those chosen before it, whatever comes after.
  std::optional<std::size_t> hopeless;

 private:
  bool droppable(std::size_t index) const {
    return m_candidates[index].optional && m_choice[index] + 1 == m_candidates[index].options->size();
  }

  const PlanOption& option(std::size_t index) const { return (*m_candidates[index].options)[m_choice[index]]; }

  // Stops at a candidate that requires what nothing before it provides and cannot be dropped.
  std::optional<std::size_t> collect() {
    m_dependencies.clear();
    for (std::size_t index = 0; index < m_candidates.size(); ++index) {
      if (m_dropped[index]) continue;
      const PlanOption& chosen = option(index);
      m_budget.count_steps(1 + chosen.provides.size() + chosen.requirements.size());
      for (const std::string& name : chosen.provides) m_dependencies[name].unused.push_back(index);
      for (const Requirement& requirement : chosen.requirements) {
        Dependency& dependency = m_dependencies[requirement.name];
        for (const std::size_t provider : dependency.unused)
          dependency.entry.providers.push_back(m_candidates[provider].provider);
        dependency.unused.clear();
        if (!dependency.entry.providers.empty()) {
          dependency.entry.requirements.push_back(requirement);
        } else {
          dependency.early.push_back(index);
          if (!droppable(index)) return index;
        }
      }
    }
    return std::nullopt;
  }

  bool drop(std::size_t index) {
    m_dropped[index] = droppable(index);
    return m_dropped[index];
  }

  void note(std::size_t index, fmt::format_string<const std::string&> format, const std::string& name) {
    // A buildpack may be at fault for several names; the first one tells enough.
    if (std::ranges::none_of(reasons, [&](const auto& noted) { return noted.first == index; }))
      reasons.emplace_back(index, fmt::format(format, name));
  }

  std::optional<PlanResult> result() {
    PlanResult result;
    for (std::size_t index = 0; index < m_candidates.size(); ++index)
      if (!m_dropped[index]) result.members.push_back(index);
    if (result.members.empty()) return std::nullopt;
    for (auto& [name, dependency] : m_dependencies) {
      dependency.entry.name = name;
      result.plan.push_back(std::move(dependency.entry));
    }
    return result;
  }

  const std::vector<PlanCandidate>& m_candidates;
  const std::vector<std::size_t>& m_choice;
  TrialBudget& m_budget;
  std::vector<bool> m_dropped;
  std::map<std::string, Dependency> m_dependencies;
};

// The next combination that differs in the first `count` candidates, the last one's option varying fastest.
bool advance(std::vector<std::size_t>& choice, const std::vector<PlanCandidate>& candidates, std::size_t count) {
  std::fill(choice.begin() + static_cast<std::ptrdiff_t>(count), choice.end(), 0);
  for (std::size_t index = count; index-- > 0;) {
    if (++choice[index] < candidates[index].options->size()) return true;
    choice[index] = 0;
  }
  return false;
}

}  // namespace

void TrialBudget::count_trial() {
  if (++m_trials > max_detect_trials) too_much();
}

void TrialBudget::count_steps(std::size_t steps) {
  m_steps += steps;
  if (m_steps > max_detect_steps) too_much();
}

PlanOutcome resolve_plan(const std::vector<PlanCandidate>& candidates, TrialBudget& budget) {
  PlanOutcome outcome;
  std::vector<std::size_t> choice(candidates.size());
  while (true) {
    Trial trial(candidates, choice, budget);
    outcome.result = trial.run();
    outcome.reasons = std::move(trial.reasons);
    // Combinations that only differ behind a hopeless candidate need not be tried.
    if (outcome.result || !advance(choice, candidates, trial.hopeless ? *trial.hopeless + 1 : choice.size())) return outcome;
  }
}

}  // namespace cib::cnb
