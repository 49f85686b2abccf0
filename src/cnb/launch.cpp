#include "cnb/launch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cnb/fields.hpp"
#include "cnb/go_json.hpp"
#include "cnb/go_toml.hpp"
#include "cnb/step_error.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;

std::optional<std::vector<std::string>> optional_texts(const Fields& table, const std::string& key) {
  if (!table.has(key)) return std::nullopt;
  return table.texts(key);
}

Process read_process(const Fields& table, const BuildpackApi& api, std::vector<std::string>& warnings) {
  Process process;
  process.type = table.text("type");
  if (holds(Since::command_array, api)) {
    process.command = table.texts("command");
  } else {
    if (!table.has("command")) table.fail("command", "is missing");
    process.command = {table.text("command")};
  }
  process.direct = table.flag("direct");
  if (holds(Since::direct_forbidden, api)) {
    if (table.has("direct"))
      table.fail("direct", fmt::format("is not supported: with Buildpack API {} every process is direct", api.text()));
    process.direct = true;
  }
  process.args = optional_texts(table, "args");
  process.is_default = table.flag("default");
  process.working_dir = table.text("working-dir");
  if (!process.working_dir.empty() && !holds(Since::working_dir, api)) {
    warnings.push_back(fmt::format("the working directory of process '{}' is ignored: Buildpack API {} does not support it",
                                   process.type, api.text()));
    process.working_dir.clear();
  }
  return process;
}

std::vector<LegacyBom> read_bom(const Fields& fields) {
  std::vector<LegacyBom> bom;
  for (const Fields& table : fields.tables("bom")) {
    if (!table.text("version").empty())
      table.fail("version", fmt::format("is not allowed (bom entry '{}'): the buildpack should set metadata.version instead",
                                        table.text("name")));
    bom.push_back({table.text("name"), table.data("metadata"), "", ""});
  }
  return bom;
}

std::string one_line(std::string_view key, const std::string& value) { return fmt::format("  {} = {}\n", key, value); }

}  // namespace

LaunchToml parse_launch_toml(std::string_view text, std::string_view file, const BuildpackApi& buildpack_api) {
  return with_exit_code(ExitCode::build, [&] {
    const json document = parse_toml(text, file);
    const Fields fields(document, file);
    LaunchToml launch;
    for (const Fields& table : fields.tables("processes"))
      launch.processes.push_back(read_process(table, buildpack_api, launch.warnings));
    if (std::ranges::count(launch.processes, true, &Process::is_default) > 1)
      throw Error(ExitCode::build, fmt::format("{}: multiple default process types aren't allowed", file));
    for (const Fields& table : fields.tables("labels")) launch.labels.push_back({table.text("key"), table.text("value")});
    for (const Fields& table : fields.tables("slices")) launch.slices.push_back({optional_texts(table, "paths")});
    launch.bom = read_bom(fields);
    return launch;
  });
}

BuildToml parse_build_toml(std::string_view text, std::string_view file, const std::vector<std::string>& plan_names) {
  return with_exit_code(ExitCode::build, [&] {
    const json document = parse_toml(text, file);
    const Fields fields(document, file);
    BuildToml build;
    for (const Fields& table : fields.tables("unmet")) {
      const std::string name = table.text("name");
      if (name.empty()) table.fail("name", "is required");
      if (std::ranges::find(plan_names, name) == plan_names.end())
        table.fail("name", fmt::format("'{}' must match a requested dependency", name));
      build.unmet.push_back(name);
    }
    build.bom = read_bom(fields);
    return build;
  });
}

std::vector<std::string> add_launch(LaunchMetadata& metadata, const LaunchBuildpack& buildpack, const LaunchToml& launch) {
  std::vector<std::string> warnings = launch.warnings;
  metadata.buildpacks.push_back(buildpack);
  std::string lost_default;
  for (Process process : launch.processes) {
    process.buildpack_id = buildpack.id;
    if (process.is_default) {
      metadata.default_process_type = process.type;
      lost_default.clear();
    } else if (!process.type.empty() && process.type == metadata.default_process_type) {
      metadata.default_process_type.clear();
      lost_default = process.type;
    }
    process.is_default = false;
    const auto at = std::ranges::lower_bound(metadata.processes, process.type, {}, &Process::type);
    if (at != metadata.processes.end() && at->type == process.type)
      *at = std::move(process);
    else
      metadata.processes.insert(at, std::move(process));
  }
  if (!lost_default.empty())
    warnings.push_back(fmt::format("{} redefines the default process type '{}' without marking it as default: "
                                   "the image has no default process now",
                                   buildpack.id, lost_default));
  metadata.labels.insert(metadata.labels.end(), launch.labels.begin(), launch.labels.end());
  metadata.slices.insert(metadata.slices.end(), launch.slices.begin(), launch.slices.end());
  return warnings;
}

std::string write_metadata_toml(const LaunchMetadata& metadata) {
  std::string out;
  // The encoder writes single values first: a list without tables is one of them.
  if (metadata.processes.empty()) out += "processes = []\n";
  if (!metadata.default_process_type.empty())
    out += fmt::format("buildpack-default-process-type = {}\n", go_toml_string(metadata.default_process_type));
  const auto begin = [&](std::string_view table) {
    if (!out.empty()) out += '\n';
    out += fmt::format("[[{}]]\n", table);
  };
  for (const LaunchBuildpack& buildpack : metadata.buildpacks) {
    begin("buildpacks");
    out += one_line("id", go_toml_string(buildpack.id));
    out += one_line("version", go_toml_string(buildpack.version));
    if (!buildpack.api.empty()) out += one_line("api", go_toml_string(buildpack.api));
    if (!buildpack.homepage.empty()) out += one_line("homepage", go_toml_string(buildpack.homepage));
  }
  for (const ImageLabel& label : metadata.labels) {
    begin("labels");
    out += one_line("key", go_toml_string(label.key));
    out += one_line("value", go_toml_string(label.value));
  }
  for (const Process& process : metadata.processes) {
    begin("processes");
    out += one_line("type", go_toml_string(process.type));
    // The reference writes this one list as JSON, with its escapes.
    std::string command;
    for (const std::string& word : process.command) command += (command.empty() ? "" : ", ") + go_json_string(word);
    out += one_line("command", "[" + command + "]");
    if (process.args) out += one_line("args", go_toml_array(*process.args));
    out += one_line("direct", process.direct ? "true" : "false");
    out += one_line("buildpack-id", go_toml_string(process.buildpack_id));
    if (!process.working_dir.empty()) out += one_line("working-dir", go_toml_string(process.working_dir));
  }
  for (const Slice& slice : metadata.slices) {
    begin("slices");
    if (slice.paths) out += one_line("paths", go_toml_array(*slice.paths));
  }
  return out;
}

}  // namespace cib::cnb
