#include "cnb/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cnb/fields.hpp"
#include "cnb/toml.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;

PlanOption option_of(const Fields& fields) {
  PlanOption option;
  for (const Fields& provide : fields.tables("provides")) option.provides.push_back(provide.text("name"));
  for (const Fields& require : fields.tables("requires")) {
    if (!require.text("version").empty()) {
      if (require.table("metadata").has("version"))
        require.fail("version", "is given twice: keep the one in metadata");
      require.fail("version", "must be metadata.version");
    }
    option.requirements.push_back({require.text("name"), require.data("metadata")});
  }
  return option;
}

json to_json(const Requirement& requirement) {
  json object = {{"name", requirement.name}};
  if (requirement.metadata != "null") object["metadata"] = parse_json(requirement.metadata, "plan metadata");
  return object;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

BuildPlan parse_build_plan(std::string_view toml, std::string_view file_name) {
  const json document = parse_toml(toml, file_name);
  const Fields top(document, file_name);
  BuildPlan plan{option_of(top)};
  for (const Fields& alternative : top.tables("or")) plan.push_back(option_of(alternative));
  return plan;
}

std::vector<Requirement> entries_for(const Plan& plan, std::string_view buildpack_id) {
  std::vector<Requirement> all;
  for (const PlanEntry& entry : plan)
    if (std::ranges::any_of(entry.providers, [&](const Provider& provider) { return provider.id == buildpack_id; }))
      all.insert(all.end(), entry.requirements.begin(), entry.requirements.end());
  return all;
}

Plan without_met(const Plan& plan, const std::vector<Requirement>& given, const std::vector<std::string>& unmet) {
  for (const std::string& name : unmet) {
    if (name.empty()) throw Error(ExitCode::build, "build.toml: unmet[].name is missing");
    if (std::ranges::none_of(given, [&](const Requirement& entry) { return entry.name == name; }))
      throw Error(ExitCode::build, fmt::format("build.toml: unmet.name '{}' must match a requested dependency", name))
          .why("the buildpack's plan has no entry of that name");
  }
  std::vector<std::string> met;
  for (const Requirement& entry : given)
    if (!contains(unmet, entry.name)) met.push_back(entry.name);
  Plan rest;
  for (const PlanEntry& entry : plan)
    if (std::ranges::none_of(entry.requirements, [&](const Requirement& one) { return contains(met, one.name); }))
      rest.push_back(entry);
  return rest;
}

std::string buildpack_plan_toml(const std::vector<Requirement>& entries) {
  json list = json::array();
  for (const Requirement& entry : entries) list.push_back(to_json(entry));
  return list.empty() ? "" : json_to_toml(json{{"entries", std::move(list)}}.dump());
}

std::string group_to_json(const DetectedGroup& group) {
  json list = json::array();
  for (const DetectedBuildpack& buildpack : group) {
    json object = {{"id", buildpack.id}, {"version", buildpack.version}, {"api", buildpack.api}};
    if (!buildpack.homepage.empty()) object["homepage"] = buildpack.homepage;
    list.push_back(std::move(object));
  }
  return list.empty() ? "{}" : json{{"group", std::move(list)}}.dump();
}

std::string plan_to_json(const Plan& plan) {
  json list = json::array();
  for (const PlanEntry& entry : plan) {
    json providers = json::array();
    for (const Provider& provider : entry.providers)
      providers.push_back({{"id", provider.id}, {"version", provider.version}});
    json requirements = json::array();
    for (const Requirement& requirement : entry.requirements) requirements.push_back(to_json(requirement));
    list.push_back({{"providers", std::move(providers)}, {"requires", std::move(requirements)}});
  }
  return list.empty() ? "{}" : json{{"entries", std::move(list)}}.dump();
}

std::string group_to_toml(const DetectedGroup& group) { return json_to_toml(group_to_json(group)); }

std::string plan_to_toml(const Plan& plan) { return json_to_toml(plan_to_json(plan)); }

}  // namespace cib::cnb
