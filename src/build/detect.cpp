#include "build/detect.hpp"

#include <fmt/format.h>

#include <atomic>

#include "base/beneath.hpp"
#include "base/error.hpp"
#include "base/tasks.hpp"

namespace cib::build {

namespace {

constexpr std::size_t kept_output = 1u << 20;  // of one bin/detect

cnb::DetectRun run_one(const cnb::Buildpack& buildpack, RunEnvironment& run, const RunEnvironment::Scratch& scratch,
                       std::stop_token stop) {
  const std::string plan = scratch.inside + "/plan.toml";
  sandbox::Process process;
  process.argv = {RunEnvironment::folder_inside(buildpack) + "/bin/detect", std::string(platform_path), plan};
  process.env = run.process_env(buildpack, {"CNB_BUILD_PLAN_PATH=" + plan});
  process.cwd = std::string(app_path);
  cnb::DetectRun result;
  const sandbox::Exit exit = run.sandbox().run(
      process,
      [&](std::string_view text) {
        if (result.output.size() < kept_output) result.output += text;
      },
      stop);
  result.exit_code = exit.started ? exit.code : -1;
  if (!exit.started) result.output += fmt::format("{}: {}\n", process.argv[0], exit.error);
  if (exit.signal) result.output += fmt::format("killed by signal {}\n", exit.signal);
  if (result.exit_code == 0)
    // Others of the group still run, as the same user: the folder itself may have become a link.
    if (auto text = read_file_beneath(run.tree().temporary(), scratch.place.filename() / "plan.toml", ExitCode::detect))
      result.plan_toml = std::move(*text);
  return result;
}

}  // namespace

cnb::DetectResult detect(const cnb::Order& order, RunEnvironment& run, const cnb::TargetInfo& run_target, unsigned jobs,
                         EventSink& events, std::stop_token stop) {
  std::size_t scratches = 0;
  cnb::DetectInput input;
  input.run_target = run_target;
  input.lookup = [&](const std::string& id, const std::string& version) -> const cnb::Buildpack& {
    return run.buildpack(id, version);
  };
  input.has_bin_build = [&](const cnb::Buildpack& buildpack) { return run.has_file(buildpack, "bin/build"); };
  input.run_group = [&](const std::vector<const cnb::Buildpack*>& group) {
    std::vector<RunEnvironment::Scratch> folders;
    // All of it before the first of them runs: afterwards what lies below /tmp is theirs.
    for (std::size_t i = 0; i < group.size(); ++i) {
      folders.push_back(run.scratch(fmt::format("plan.{}", scratches++)));
      run.tree().write(folders.back().place / "plan.toml", "", 0600);
    }
    std::vector<cnb::DetectRun> results(group.size());
    try {
      for_each_index(jobs * 2, group.size(), [&](std::size_t i) { results[i] = run_one(*group[i], run, folders[i], stop); });
    } catch (Error& error) {
      if (error.category() != Category::cancelled) throw;
      std::string names;
      for (const cnb::Buildpack* buildpack : group) names += (names.empty() ? "" : ", ") + buildpack->full_name();
      throw error.why(fmt::format("detection was looking at {}", names));
    }
    for (const auto& folder : folders) remove_tree(folder.place);
    return results;
  };
  cnb::DetectResult result = cnb::detect(order, input);
  event::Detected detected{.passed = result.passed, .verdicts = result.verdicts, .group_json = {}, .plan_json = {}};
  if (result.passed) {
    detected.group_json = cnb::group_to_json(result.group);
    detected.plan_json = cnb::plan_to_json(result.plan);
  }
  events.on(detected);
  if (!result.passed)
    throw Error(result.exit_code, "no buildpack group fits this application")
        .why(result.exit_code == ExitCode::detect_errored ? "a buildpack failed to look; the verdicts are above"
                                                          : "every group has a buildpack that does not apply; the verdicts are above")
        .next("check that the path is that of the application, and that the builder is made for its language");
  return result;
}

}  // namespace cib::build
