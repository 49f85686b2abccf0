#include "cnb/labels.hpp"

#include <nlohmann/json.hpp>

#include "cnb/fields.hpp"
#include "cnb/go_json.hpp"

namespace cib::cnb {

using nlohmann::ordered_json;

std::string build_metadata_json(const LaunchMetadata& launch, const LauncherSource& launcher) {
  ordered_json buildpacks = ordered_json::array();
  for (const LaunchBuildpack& buildpack : launch.buildpacks) {
    ordered_json entry = {{"id", buildpack.id}, {"version", buildpack.version}};
    if (!buildpack.homepage.empty()) entry["homepage"] = buildpack.homepage;
    buildpacks.push_back(std::move(entry));
  }
  ordered_json processes = ordered_json::array();
  for (const Process& process : launch.processes) {
    ordered_json entry = {{"type", process.type}, {"command", process.command}};
    entry["args"] = process.args ? ordered_json(*process.args) : ordered_json(nullptr);
    entry["direct"] = process.direct;
    entry["buildpackID"] = process.buildpack_id;
    if (!process.working_dir.empty()) entry["working-dir"] = process.working_dir;
    processes.push_back(std::move(entry));
  }
  ordered_json document;
  document["buildpacks"] = null_if_empty(std::move(buildpacks));
  document["launcher"] = {{"version", launcher.version},
                          {"source", {{"git", {{"repository", launcher.repository}, {"commit", launcher.commit}}}}}};
  document["processes"] = std::move(processes);
  if (!launch.default_process_type.empty()) document["buildpack-default-process-type"] = launch.default_process_type;
  return go_json(document);
}

std::string project_metadata_json(const ProjectSource& source) {
  ordered_json document = ordered_json::object();
  if (!source.type.empty()) {
    ordered_json entry = {{"type", source.type}};
    if (source.version_json != "null") entry["version"] = data_value(source.version_json);
    if (source.metadata_json != "null") entry["metadata"] = data_value(source.metadata_json);
    document["source"] = std::move(entry);
  }
  return go_json(document);
}

ProjectSource parse_project_metadata_toml(std::string_view text, std::string_view file) {
  const nlohmann::json document = parse_toml(text, file);
  const Fields fields(document, file);
  const Fields source = fields.table("source");
  return {source.text("type"), source.data("version"), source.data("metadata")};
}

}  // namespace cib::cnb
