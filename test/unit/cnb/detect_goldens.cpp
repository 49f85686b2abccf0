// Detection of the golden cases: the fixtures' own bin/detect run, and group, plan and exit code must be
// those of the reference lifecycle.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "cnb/detect_trial.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;

const fs::path goldens = CIB_GOLDENS;

DetectRun run_detect(const fs::path& buildpack) {
  TempFolder temp;
  const fs::path plan = temp.path() / "plan.toml";
  const fs::path output = temp.path() / "output";
  write_file(plan, "");
  const int status = std::system(fmt::format("sh '{}/bin/detect' '{}' '{}' >'{}' 2>&1 </dev/null", buildpack.string(), temp.path().string(),
                                             plan.string(), output.string())
                                     .c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(output), read_file(plan)};
}

// Exit code, group and plan, in the shape of the expected facts.
struct Facts {
  int exit_code = 0;
  json group;
  json plan;
};

Facts detect_case(const json& order_of_case) {
  json label = json::array();
  for (const json& group : order_of_case) label.push_back({{"group", group}});
  std::map<std::string, Buildpack> known;
  const auto folder = [](const std::string& id) { return goldens / "buildpacks" / id.substr(id.find('/') + 1); };
  try {
    const DetectResult result =
        detect(parse_order_json(label.dump(), "case"), {[&](const std::string& id, const std::string& version) -> const Buildpack& {
                                                          Buildpack& buildpack = known[id + "@" + version];
                                                          if (buildpack.id.empty())
                                                            buildpack = parse_buildpack_toml(read_file(folder(id) / "buildpack.toml"), id);
                                                          return buildpack;
                                                        },
                                                        [&](const std::vector<const Buildpack*>& buildpacks) {
                                                          std::vector<DetectRun> runs;
                                                          for (const Buildpack* buildpack : buildpacks) runs.push_back(run_detect(folder(buildpack->id)));
                                                          return runs;
                                                        },
                                                        [&](const Buildpack& buildpack) { return fs::exists(folder(buildpack.id) / "bin/build"); },
                                                        {"linux", "amd64", "", "", {}}});
    return {static_cast<int>(result.exit_code), json::parse(group_to_json(result.group)), json::parse(plan_to_json(result.plan))};
  } catch (const Error& error) {
    return {static_cast<int>(error.code()), nullptr, nullptr};
  }
}

// The reference writes the entries in no particular order.
json sorted(json plan) {
  if (plan.contains("entries")) std::sort(plan["entries"].begin(), plan["entries"].end());
  return plan;
}

class DetectGoldens : public testing::TestWithParam<std::string> {};

TEST_P(DetectGoldens, have_the_references_group_plan_and_exit_code) {
  const json one = json::parse(read_file(goldens / "cases" / (GetParam() + ".json")));
  const json expected = json::parse(read_file(goldens / "expected" / (GetParam() + ".json"))).at("steps").at(0);
  const Facts facts = detect_case(one.at("order"));
  const int exit_code = expected.at("exit");
  if (exit_code == 12 || exit_code == 20 || exit_code == 21) {
    EXPECT_EQ(facts.exit_code, exit_code);
    return;
  }
  // Whatever else went wrong in the reference came after detection.
  EXPECT_EQ(facts.exit_code, 0);
  if (exit_code != 0) return;
  EXPECT_EQ(facts.group, expected.at("group"));
  EXPECT_EQ(sorted(facts.plan), sorted(expected.at("plan")));
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const FolderEntry& entry : list_folder(goldens / "cases")) names.push_back(entry.name.substr(0, entry.name.rfind('.')));
  return names;
}

INSTANTIATE_TEST_SUITE_P(Cases, DetectGoldens, testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace cib::cnb
