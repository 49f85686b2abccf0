// The detect phase (spec: buildpack.md "Phase #1: Detection"): runs bin/detect of the order's buildpacks, those of a
// group side by side, and finds the group and the plan.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/event.hpp"
#include "build/run_environment.hpp"
#include "cnb/detect_trial.hpp"

namespace cib::build {

// Emits event::Detected. Throws Error(not_detected or detect_errored) when no group passes, which carries each
// buildpack's verdict; Error(detect) when detection cannot be carried out, Error(buildpack_api).
cnb::DetectResult detect(const cnb::Order& order, RunEnvironment& run, const cnb::TargetInfo& run_target, unsigned jobs,
                         EventSink& events, std::stop_token stop);

}  // namespace cib::build
