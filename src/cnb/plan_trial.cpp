#include "cnb/plan_trial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "cnb/detect_trial.hpp"

namespace cib::cnb {
namespace {

constexpr std::size_t max_steps = 100'000'000;

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
    while (true) {
      collect();
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

 private:
  const PlanOption& option(std::size_t index) const { return (*m_candidates[index].options)[m_choice[index]]; }

  void collect() {
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
        if (dependency.entry.providers.empty())
          dependency.early.push_back(index);
        else
          dependency.entry.requirements.push_back(requirement);
      }
    }
  }

  bool drop(std::size_t index) {
    const PlanCandidate& candidate = m_candidates[index];
    if (!candidate.optional || m_choice[index] + 1 != candidate.options->size()) return false;
    m_dropped[index] = true;
    return true;
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

// The next combination, the last candidate's option varying fastest.
bool advance(std::vector<std::size_t>& choice, const std::vector<PlanCandidate>& candidates) {
  for (std::size_t index = choice.size(); index-- > 0;) {
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
  if (m_steps > max_steps) too_much();
}

PlanOutcome resolve_plan(const std::vector<PlanCandidate>& candidates, TrialBudget& budget) {
  PlanOutcome outcome;
  std::vector<std::size_t> choice(candidates.size());
  do {
    Trial trial(candidates, choice, budget);
    outcome.result = trial.run();
    outcome.reasons = std::move(trial.reasons);
  } while (!outcome.result && advance(choice, candidates));
  return outcome;
}

}  // namespace cib::cnb
