// Which group of an order takes part in a build, and with which plan (spec: buildpack.md "Phase #1:
// Detection"; as the reference lifecycle does it at Platform API 0.12). Pure: running bin/detect and
// reading buildpacks are given as functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/event.hpp"
#include "base/exit_code.hpp"
#include "cnb/buildpack.hpp"
#include "cnb/order.hpp"
#include "cnb/plan.hpp"
#include "cnb/target.hpp"

namespace cib::cnb {

// What one bin/detect did.
struct DetectRun {
  int exit_code = 0;      // -1: killed by a signal, or it could not be started
  std::string output;     // stdout and stderr
  std::string plan_toml;  // the plan file's bytes; read when exit_code is 0
};

struct DetectInput {
  // The buildpack, which must stay where it is until detect() returns. Version "" asks for the only one.
  // What it throws (no such buildpack, a malformed buildpack.toml, an unsupported API) ends detection,
  // even where the element is optional.
  std::function<const Buildpack&(const std::string& id, const std::string& version)> lookup;
  // Runs bin/detect of each (they may run at the same time) and returns as many results in the same
  // order. Every buildpack is given once at most in one detection. Not called with an empty list.
  std::function<std::vector<DetectRun>(const std::vector<const Buildpack*>&)> run_group;
  // Whether the buildpack has a file bin/build.
  std::function<bool(const Buildpack&)> has_bin_build;
  TargetInfo run_target;
};

struct DetectResult {
  bool passed = false;
  ExitCode exit_code = ExitCode::ok;  // ok, not_detected or detect_errored
  DetectedGroup group;
  Plan plan;                 // sorted by name
  std::size_t candidates = 0;  // buildpacks in the group that passed, those that do not take part included
  // Of the group that passed, or of every group tried when none did, each buildpack once with what was
  // found out last.
  std::vector<event::DetectVerdict> verdicts;
};

// More plans or groups than this are a mistake or an attack, not an order.
inline constexpr std::size_t max_detect_trials = 1'000'000;
inline constexpr std::size_t max_composite_depth = 100;

// Throws what `lookup` throws, and Error(detect) for orders beyond the limits.
DetectResult detect(const Order& order, const DetectInput& input);

}  // namespace cib::cnb
