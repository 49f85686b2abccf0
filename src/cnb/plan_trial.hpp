// Makes one plan of what the buildpacks of a group offer and ask for (spec: buildpack.md "Build Plan").
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cnb/plan.hpp"

namespace cib::cnb {

// A buildpack whose bin/detect passed.
struct PlanCandidate {
  Provider provider;
  bool optional = false;
  const BuildPlan* options = nullptr;  // the caller's; never empty
};

struct PlanResult {
  std::vector<std::size_t> members;  // indices of the candidates that take part, ascending
  Plan plan;                         // sorted by name
};

struct PlanOutcome {
  std::optional<PlanResult> result;  // nothing: no combination of options works
  // Of the combination tried last: candidates that were dropped or made it fail, and why.
  std::vector<std::pair<std::size_t, std::string>> reasons;
};

// Elements, provides and requires that all trials together may look at; the number of trials is bounded
// by max_detect_trials (detect_trial.hpp).
inline constexpr std::size_t max_detect_steps = 20'000'000;

// How much a whole detection may still try. Throws Error(detect) when it is used up.
class TrialBudget {
 public:
  void count_trial();
  void count_steps(std::size_t steps);

 private:
  std::size_t m_trials = 0;
  std::size_t m_steps = 0;
};

// Tries the combinations of options, the first candidate's varying slowest, until one works:
// - a requirement is met by a provider before it or by its own buildpack;
// - everything provided is required by its own buildpack or one after it;
// - a buildpack at fault is dropped if it is optional and at its last option, else the combination fails.
PlanOutcome resolve_plan(const std::vector<PlanCandidate>& candidates, TrialBudget& budget);

}  // namespace cib::cnb
