#include "build/run_buildpacks.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "base/beneath.hpp"
#include "base/error.hpp"
#include "base/tasks.hpp"
#include "cnb/layer_metadata.hpp"
#include "cnb/sbom.hpp"

namespace cib::build {

namespace {

constexpr std::size_t largest_sbom = 256u << 20;
constexpr std::size_t most_sboms = 1024u << 20;  // all of a build: they are in memory together
constexpr std::size_t last_output = 16 * 1024;  // kept for the report of a failure

using Clock = std::chrono::steady_clock;

// The last whole lines of a stream.
class Tail {
 public:
  void add(std::string_view text) {
    m_text += text;
    if (m_text.size() > 2 * last_output) m_text.erase(0, m_text.size() - last_output);
  }
  std::string text() const { return m_text.size() > last_output ? m_text.substr(m_text.size() - last_output) : m_text; }

 private:
  std::string m_text;
};

class BuildPhase {
 public:
  BuildPhase(const cnb::DetectedGroup& group, const cnb::Plan& plan, RunEnvironment& run, EventSink& events,
             std::stop_token stop)
      : m_group(group), m_plan(plan), m_run(run), m_events(events), m_stop(std::move(stop)) {}

  cnb::LaunchMetadata all() {
    for (const cnb::DetectedBuildpack& member : m_group) {
      throw_if_stopped(m_stop);
      one(m_run.buildpack(member.id, member.version), member);
    }
    const WorkTree& tree = m_run.tree();
    write_sboms();
    remove_tree(tree.layers() / "config");
    tree.make_folder(tree.layers() / "config");
    tree.write(tree.layers() / "config/metadata.toml", cnb::write_metadata_toml(m_launch));
    return std::move(m_launch);
  }

 private:
  void one(const cnb::Buildpack& buildpack, const cnb::DetectedBuildpack& member) {
    const WorkTree& tree = m_run.tree();
    const std::string escaped = cnb::escaped_id(buildpack.id);
    const fs::path folder = tree.layers() / escaped;
    tree.make_folder(folder);
    const auto entries = cnb::entries_for(m_plan, buildpack.id);
    execute(buildpack, escaped, entries);
    try {
      tree.make_folder(folder);  // still a folder?
      take_layers(buildpack, folder, escaped);
      take_launch(buildpack, member, folder, entries);
    } catch (Error& error) {
      if (error.code() == ExitCode::configuration) error = Error(ExitCode::build, error.message()).why(error.why());
      throw error.within(buildpack.full_name());
    }
  }

  void execute(const cnb::Buildpack& buildpack, const std::string& escaped, const std::vector<cnb::Requirement>& entries) {
    const std::string layers = fmt::format("{}/{}", layers_path, escaped);
    const auto scratch = m_run.scratch("build." + escaped);
    const std::string plan = scratch.inside + "/plan.toml";
    m_run.tree().write(scratch.place / "plan.toml", cnb::buildpack_plan_toml(entries));
    sandbox::Process process;
    process.argv = {RunEnvironment::folder_inside(buildpack) + "/bin/build", layers, std::string(platform_path), plan};
    process.env = m_run.process_env(buildpack, {"CNB_BP_PLAN_PATH=" + plan, "CNB_LAYERS_DIR=" + layers});
    process.cwd = std::string(app_path);
    m_events.on(event::BuildpackStarted{buildpack.id, buildpack.version});
    const auto begin = Clock::now();
    Tail tail;
    const sandbox::Exit exit = m_run.sandbox().run(
        process,
        [&](std::string_view text) {
          tail.add(text);
          m_events.on(event::Output{buildpack.full_name(), std::string(text)});
        },
        m_stop);
    const int code = exit.started ? (exit.signal ? 128 + exit.signal : exit.code) : -1;
    m_events.on(event::BuildpackEnded{buildpack.id, buildpack.version, code,
                                      std::chrono::duration<double>(Clock::now() - begin).count()});
    remove_tree(scratch.place);
    if (code == 0) return;
    Error error(ExitCode::buildpack_failed, fmt::format("buildpack {} {} failed", buildpack.id, buildpack.version));
    if (!exit.started)
      error.why(fmt::format("its bin/build could not be started: {}", exit.error))
          .next("report it to whoever made the buildpack");
    else if (exit.signal)
      error.why(fmt::format("its bin/build was killed by signal {}", exit.signal))
          .next(exit.signal == 9 ? "this is often a lack of memory: give the job more"
                                 : "its last lines are above; correct the application, or report it to whoever made the buildpack");
    else
      error.why(fmt::format("its bin/build exited with {}", exit.code))
          .next("its last lines are above: correct the application or its dependencies");
    throw error.output(tail.text());
  }


  // What the <layer>.toml files say: build layers change the environment, those that are nothing are put aside.
  void take_layers(const cnb::Buildpack& buildpack, const fs::path& folder, const std::string& escaped) {
    m_layers.clear();
    for (const FolderEntry& entry : list_folder(folder)) {
      if (!entry.name.ends_with(".toml")) continue;
      const std::string layer = entry.name.substr(0, entry.name.size() - 5);
      if (layer == "launch" || layer == "build" || layer == "store" || layer.empty()) continue;
      if (layer == "." || layer == "..") throw Error(ExitCode::build, fmt::format("{} is no name for a layer", entry.name));
      const auto text = read_file_beneath(folder, entry.name, ExitCode::build);
      if (!text) continue;
      m_layers[layer] = cnb::parse_layer_toml(*text, fmt::format("{}/{}/{}", layers_path, escaped, entry.name));
    }
    for (const auto& [layer, toml] : m_layers) {
      if (toml.build)
        cnb::apply_build_layer(m_run.env, folder, layer, fmt::format("{}/{}/{}", layers_path, escaped, layer));
      if (!toml.build && !toml.launch && !toml.cache) put_aside(folder, layer);
    }
    for (const FolderEntry& entry : list_folder(folder))
      if (cnb::is_sbom_name(entry.name)) take_sbom(buildpack, folder, entry.name);
  }

  static void put_aside(const fs::path& folder, const std::string& layer) {
    const fs::path from = folder / layer, to = folder / (layer + ".ignore");
    if (!exists_no_follow(from)) return;
    remove_tree(to);
    if (::rename(from.c_str(), to.c_str()) != 0) throw system_error(errno, from.string());
  }

  void take_sbom(const cnb::Buildpack& buildpack, const fs::path& folder, const std::string& name) {
    const cnb::SbomFile file =
        cnb::read_sbom_name((fs::path(layers_path) / folder.filename() / name).string(), buildpack.full_name(),
                            buildpack.sbom_formats);
    cnb::SbomLayer layer;
    if (const auto found = m_layers.find(file.layer); found != m_layers.end())
      layer = {true, found->second.launch, found->second.cache};
    for (const std::string& destination : cnb::sbom_destinations(file, buildpack.id, layer)) {
      auto text = read_file_beneath(folder, name, ExitCode::build, largest_sbom);
      if (!text) continue;
      if ((m_sboms_size += text->size()) > most_sboms)
        throw Error(ExitCode::build, fmt::format("more than {} bytes of bills of materials", most_sboms));
      m_sboms[destination] = std::move(*text);
    }
  }

  void take_launch(const cnb::Buildpack& buildpack, const cnb::DetectedBuildpack& member, const fs::path& folder,
                   const std::vector<cnb::Requirement>& entries) {
    const auto read = [&](const char* name) { return read_file_beneath(folder, name, ExitCode::build); };
    std::vector<std::string> names;
    for (const auto& entry : entries) names.push_back(entry.name);
    cnb::BuildToml build_toml;
    if (const auto text = read("build.toml"))
      build_toml = cnb::parse_build_toml(*text, "build.toml", names);
    cnb::LaunchToml launch;
    if (const auto text = read("launch.toml")) launch = cnb::parse_launch_toml(*text, "launch.toml", buildpack.api);
    for (const std::string& warning : launch.warnings) m_events.on(event::Warning{warning, ""});
    const auto own = [&](std::vector<cnb::LegacyBom>& from, std::vector<cnb::LegacyBom>& to) {
      for (cnb::LegacyBom& entry : from) {
        entry.buildpack_id = buildpack.id;
        entry.buildpack_version = buildpack.version;
        to.push_back(std::move(entry));
      }
    };
    own(launch.bom, m_launch_bom);
    own(build_toml.bom, m_build_bom);
    const cnb::LaunchBuildpack as_launch{member.id, member.version, member.api, member.homepage};
    for (const std::string& warning : cnb::add_launch(m_launch, as_launch, launch))
      m_events.on(event::Warning{warning, ""});
    m_plan = cnb::without_met(m_plan, entries, build_toml.unmet);
  }

  void write_sboms() {
    const WorkTree& tree = m_run.tree();
    const fs::path root = tree.layers() / "sbom";
    remove_tree(root);
    m_sboms[fmt::format("launch/{}", cnb::legacy_sbom_name)] = cnb::legacy_sbom_json(m_launch_bom);
    m_sboms[fmt::format("build/{}", cnb::legacy_sbom_name)] = cnb::legacy_sbom_json(m_build_bom);
    for (const auto& [path, text] : m_sboms) {
      fs::path folder = root;
      tree.make_folder(folder);
      for (const fs::path& part : fs::path(path).parent_path()) tree.make_folder(folder /= part);
      tree.write(root / path, text);
    }
  }

  const cnb::DetectedGroup& m_group;
  cnb::Plan m_plan;
  RunEnvironment& m_run;
  EventSink& m_events;
  std::stop_token m_stop;
  cnb::LaunchMetadata m_launch;
  std::map<std::string, cnb::LayerToml> m_layers;  // of the buildpack at hand
  std::map<std::string, std::string> m_sboms;      // path below <layers>/sbom → text
  std::size_t m_sboms_size = 0;
  std::vector<cnb::LegacyBom> m_launch_bom, m_build_bom;
};

}  // namespace

cnb::LaunchMetadata run_buildpacks(const cnb::DetectedGroup& group, const cnb::Plan& plan, RunEnvironment& run,
                                   EventSink& events, std::stop_token stop) {
  return BuildPhase(group, plan, run, events, std::move(stop)).all();
}

}  // namespace cib::build
