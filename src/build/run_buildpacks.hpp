// The build phase (spec: buildpack.md "Phase #3: Build"): runs bin/build of the group one after the other and takes in
// what each leaves behind.
#pragma once

#include <stop_token>

#include "base/event.hpp"
#include "build/run_environment.hpp"
#include "cnb/launch.hpp"
#include "cnb/plan.hpp"

namespace cib::build {

// Writes <layers>/config/metadata.toml and <layers>/sbom; returns what the image shall start. Throws
// Error(buildpack_failed) naming the buildpack, with its last lines, Error(build) for what a buildpack left behind
// that is malformed, Error(interrupted).
cnb::LaunchMetadata run_buildpacks(const cnb::DetectedGroup& group, const cnb::Plan& plan, RunEnvironment& run,
                                   EventSink& events, std::stop_token stop);

}  // namespace cib::build
