#include "cnb/detect_trial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.hpp"
#include "cnb/plan_trial.hpp"

namespace cib::cnb {
namespace {

constexpr int exit_pass = 0;
constexpr int exit_fail = 100;
// Each composite of one chain of groups is a level of recursion.
constexpr std::size_t max_composites_in_group = 200;

enum class Outcome { passed, failed, errored };

// What is known of one id@version; kept for the whole detection.
struct Verdict {
  int code = 0;
  std::string output;
  std::string reason;
  BuildPlan plan;
};

// An element that is still to be looked at, and how many composites it is inside of.
struct Pending {
  GroupElement element;
  std::size_t depth = 0;
};

// A leaf of the expanded group.
struct Leaf {
  const Buildpack* buildpack;
  bool optional;
};

class Detection {
 public:
  explicit Detection(const DetectInput& input) : m_input(input) {}

  DetectResult run(const Order& order) {
    const Outcome outcome = try_order(order, 0, {}, {}, false);
    m_result.passed = outcome == Outcome::passed;
    if (!m_result.passed) {
      m_result.exit_code = outcome == Outcome::errored ? ExitCode::detect_errored : ExitCode::not_detected;
      m_result.verdicts = std::move(m_tried);
    }
    for (event::DetectVerdict& verdict : m_result.verdicts)
      verdict.output = m_verdicts.at(verdict.id + "@" + verdict.version).output;
    return std::move(m_result);
  }

 private:
  // The groups one after the other, each followed by `rest`, the elements behind the composite.
  Outcome try_order(const Order& order, std::size_t depth, const std::vector<Leaf>& done,
                    const std::vector<Pending>& rest, bool optional) {
    if (++m_recursion > max_composites_in_group)
      throw Error(ExitCode::detect, fmt::format("a group has more than {} composite buildpacks", max_composites_in_group))
          .next("split the order of the builder");
    bool errored = false;
    for (const Group& group : order) {
      std::vector<Pending> pending;
      pending.reserve(group.size() + rest.size());
      for (const GroupElement& element : group) pending.push_back({element, depth});
      pending.insert(pending.end(), rest.begin(), rest.end());
      const Outcome outcome = try_group(pending, done);
      if (outcome == Outcome::passed) return outcome;
      errored = errored || outcome == Outcome::errored;
    }
    // The composite as a whole is left out.
    const Outcome outcome = optional ? try_group(rest, done) : errored ? Outcome::errored : Outcome::failed;
    --m_recursion;
    return outcome;
  }

  Outcome try_group(const std::vector<Pending>& group, std::vector<Leaf> done) {
    m_budget.count_trial();
    for (std::size_t i = 0; i < group.size(); ++i) {
      m_budget.count_steps(1);
      const GroupElement& element = group[i].element;
      // The first one of an id wins, whatever its version.
      if (std::ranges::any_of(done, [&](const Leaf& leaf) { return leaf.buildpack->id == element.id; })) continue;
      const Buildpack& buildpack = m_input.lookup(element.id, element.version);
      if (buildpack.id != element.id || (!element.version.empty() && buildpack.version != element.version))
        throw Error(ExitCode::configuration, fmt::format("the buildpack.toml of {}@{} says that it is {}", element.id,
                                                         element.version, buildpack.full_name()));
      if (buildpack.is_composite()) {
        if (group[i].depth >= max_composite_depth)
          throw Error(ExitCode::detect, fmt::format("composite buildpacks are nested more than {} deep", max_composite_depth))
              .why(fmt::format("{} is inside of itself, or close to it", buildpack.full_name()));
        const std::vector<Pending> rest(group.begin() + static_cast<std::ptrdiff_t>(i) + 1, group.end());
        return try_order(buildpack.order, group[i].depth + 1, done, rest, element.optional);
      }
      done.push_back({&buildpack, element.optional});
      // Targets bind required buildpacks only.
      if (holds(PlatformSince::target_matching) && !element.optional &&
          !target_matches(buildpack, m_input.has_bin_build(buildpack), m_input.run_target))
        m_verdicts[buildpack.full_name()] = {-1, "", target_mismatch(), {}};
    }
    run_missing(done);
    return resolve(done);
  }

  std::string target_mismatch() const {
    const TargetInfo& target = m_input.run_target;
    std::string text = fmt::format("its targets do not include the run image's {}/{}", target.os, target.arch);
    if (!target.distro.name.empty()) text += fmt::format(" {} {}", target.distro.name, target.distro.version);
    return text;
  }

  void run_missing(const std::vector<Leaf>& done) {
    std::vector<const Buildpack*> missing;
    for (const Leaf& leaf : done)
      if (!m_verdicts.contains(leaf.buildpack->full_name())) missing.push_back(leaf.buildpack);
    if (missing.empty()) return;
    std::vector<DetectRun> runs = m_input.run_group(missing);
    if (runs.size() != missing.size()) throw Error(ExitCode::bug, "detection lost a result");
    for (std::size_t i = 0; i < runs.size(); ++i)
      m_verdicts[missing[i]->full_name()] = verdict_of(*missing[i], std::move(runs[i]));
  }

  static Verdict verdict_of(const Buildpack& buildpack, DetectRun run) {
    Verdict verdict{run.exit_code, std::move(run.output), "", {}};
    if (run.exit_code == exit_pass) {
      try {
        verdict.plan = parse_build_plan(run.plan_toml, "build plan of " + buildpack.full_name());
      } catch (const Error& error) {
        verdict.code = -1;
        verdict.reason = error.message();
      }
    } else if (run.exit_code != exit_fail) {
      verdict.reason = run.exit_code < 0 ? "bin/detect was killed or could not be started"
                                         : fmt::format("bin/detect exited with {}", run.exit_code);
    }
    return verdict;
  }

  Outcome resolve(const std::vector<Leaf>& done) {
    // Without the outputs, which may be long: they are added at the end.
    std::vector<event::DetectVerdict> shown;
    std::vector<PlanCandidate> candidates;
    std::vector<std::size_t> place;  // of each candidate in `done`
    bool every_required_passed = true;
    bool any_error = false;
    for (std::size_t i = 0; i < done.size(); ++i) {
      const Buildpack& buildpack = *done[i].buildpack;
      const Verdict& verdict = m_verdicts.at(buildpack.full_name());
      using Kind = event::DetectVerdict::Kind;
      Kind kind = Kind::error;
      if (verdict.code == exit_pass) {
        kind = Kind::pass;
        candidates.push_back({{buildpack.id, buildpack.version}, done[i].optional, &verdict.plan});
        place.push_back(i);
      } else {
        if (verdict.code == exit_fail)
          kind = done[i].optional ? Kind::skipped : Kind::fail;
        else
          any_error = true;
        every_required_passed = every_required_passed && done[i].optional;
      }
      shown.push_back({buildpack.id, buildpack.version, kind, verdict.code, "", verdict.reason});
    }

    std::optional<PlanResult> found;
    Outcome outcome = any_error ? Outcome::errored : Outcome::failed;
    if (every_required_passed && !candidates.empty()) {
      // From here on only the plan decides, so an optional buildpack's error is not the reason.
      outcome = Outcome::failed;
      PlanOutcome plan = resolve_plan(candidates, m_budget);
      for (const auto& [candidate, reason] : plan.reasons) {
        event::DetectVerdict& verdict = shown[place[candidate]];
        verdict.kind = candidates[candidate].optional ? event::DetectVerdict::Kind::skipped : event::DetectVerdict::Kind::fail;
        verdict.reason = reason;
      }
      found = std::move(plan.result);
    }
    if (!found) {
      for (event::DetectVerdict& verdict : shown) remember(std::move(verdict));
      return outcome;
    }
    for (const std::size_t member : found->members) {
      const Buildpack& buildpack = *done[place[member]].buildpack;
      m_result.group.push_back({buildpack.id, buildpack.version, buildpack.api.text(), buildpack.homepage});
    }
    m_result.plan = std::move(found->plan);
    m_result.candidates = done.size();
    m_result.verdicts = std::move(shown);
    return Outcome::passed;
  }

  // Each buildpack once, as it was judged last.
  void remember(event::DetectVerdict verdict) {
    const auto [known, added] = m_tried_at.emplace(verdict.id + "@" + verdict.version, m_tried.size());
    if (added)
      m_tried.push_back(std::move(verdict));
    else
      m_tried[known->second] = std::move(verdict);
  }

  const DetectInput& m_input;
  DetectResult m_result;
  TrialBudget m_budget;
  std::size_t m_recursion = 0;
  std::map<std::string, Verdict> m_verdicts;  // by id@version
  std::vector<event::DetectVerdict> m_tried;
  std::map<std::string, std::size_t> m_tried_at;
};

}  // namespace

DetectResult detect(const Order& order, const DetectInput& input) { return Detection(input).run(order); }

}  // namespace cib::cnb
