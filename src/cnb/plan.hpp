// What bin/detect asks for and offers, and the plan that detection makes of it (spec: buildpack.md
// "Build Plan (TOML)", "Buildpack Plan (TOML)"; platform.md "group.toml", "plan.toml").
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cib::cnb {

// A [[requires]] (the word itself is taken by the language).
struct Requirement {
  std::string name;
  std::string metadata = "null";  // canonical JSON object, or "null"
  bool operator==(const Requirement&) const = default;
};

// One alternative of a build plan.
struct PlanOption {
  std::vector<std::string> provides;
  std::vector<Requirement> requirements;
};

// What one bin/detect wrote: the sections at the top, then those of each [[or]]. Never empty.
using BuildPlan = std::vector<PlanOption>;

// An empty text is a plan that neither provides nor requires. Throws Error(configuration) for what is
// malformed, and for a requirement with "version" beside its metadata.
BuildPlan parse_build_plan(std::string_view toml, std::string_view file_name);

// A buildpack that takes part.
struct DetectedBuildpack {
  std::string id;
  std::string version;
  std::string api;
  std::string homepage;  // may be empty
  bool operator==(const DetectedBuildpack&) const = default;
};
using DetectedGroup = std::vector<DetectedBuildpack>;

struct Provider {
  std::string id;
  std::string version;
  bool operator==(const Provider&) const = default;
};

// All that is required under one name, and who may provide it.
struct PlanEntry {
  std::string name;
  std::vector<Provider> providers;
  std::vector<Requirement> requirements;
  bool operator==(const PlanEntry&) const = default;
};
using Plan = std::vector<PlanEntry>;

// What the buildpack is to provide: every requirement of the entries it is a provider of.
std::vector<Requirement> entries_for(const Plan& plan, std::string_view buildpack_id);

// The plan for the buildpacks after this one: without the entries that it met, which are those it was
// given and did not list as unmet in build.toml. Throws Error(build) for an unmet name that is empty or
// was not in its own plan.
Plan without_met(const Plan& plan, const std::vector<Requirement>& given, const std::vector<std::string>& unmet);

// The plan file of bin/build: [[entries]] name, metadata.
std::string buildpack_plan_toml(const std::vector<Requirement>& entries);

// {"group":[{"api","homepage"?,"id","version"}]} and {"entries":[{"providers":[…],"requires":[…]}]} ({}
// when there is none), as canonical JSON; and the same as group.toml and plan.toml.
std::string group_to_json(const DetectedGroup& group);
std::string plan_to_json(const Plan& plan);
std::string group_to_toml(const DetectedGroup& group);
std::string plan_to_toml(const Plan& plan);

}  // namespace cib::cnb
