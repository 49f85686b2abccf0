#include "build/pipeline.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>

#include "base/error.hpp"
#include "base/tasks.hpp"
#include "build/detect.hpp"
#include "build/fetch.hpp"
#include "build/run_buildpacks.hpp"
#include "cnb/includelist.hpp"
#include "cnb/process_types.hpp"
#include "sandbox/ca_bundle.hpp"

namespace cib::build {

namespace {

using Clock = std::chrono::steady_clock;

// Runs one phase and says when it began and ended; `body` returns the summary.
template <class Body>
void phase(Phase which, EventSink& events, const std::stop_token& stop, const Body& body) {
  throw_if_stopped(stop);
  events.on(event::PhaseStarted{which});
  const auto begin = Clock::now();
  std::string summary = body();
  events.on(event::PhaseEnded{which, std::chrono::duration<double>(Clock::now() - begin).count(), std::move(summary)});
}

std::string plural(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

class Build {
 public:
  Build(BuildRequest request, EventSink& events, std::stop_token stop)
      : m_request(std::move(request)),
        m_events(events),
        m_stop(std::move(stop)),
        m_folder(*m_request.store),
        m_layers(*m_request.store) {}

  std::vector<ExportedImage> run() {
    m_builder = cnb::parse_builder(m_request.builder->config(), m_request.builder->name());
    if (!m_builder.extension_order.empty())
      throw Error(ExitCode::detect, fmt::format("{}: it uses image extensions", m_request.builder->name()))
          .why("image extensions (Dockerfiles) are not supported")
          .next("use a builder without them");
    m_chosen = choose_buildpacks(m_request.buildpacks, m_builder, m_folder.path() / "extra-buildpacks");
    phase(Phase::fetch, m_events, m_stop, [&] { return fetch(); });
    phase(Phase::analyze, m_events, m_stop, [&] {
      m_previous = analyze(m_request.previous, m_events);
      return std::string();
    });
    phase(Phase::detect, m_events, m_stop, [&] { return detect_phase(); });
    phase(Phase::restore, m_events, m_stop, [&] {
      m_restored = restore(m_detected.group, m_previous, *m_request.cache, *m_tree, m_request.jobs, m_events, m_stop);
      return m_restored.verified.empty() ? std::string("nothing to restore")
                                         : plural(m_restored.verified.size(), "layer") + " restored";
    });
    phase(Phase::build, m_events, m_stop, [&] {
      m_launch = run_buildpacks(m_detected.group, m_detected.plan, *m_run, m_events, m_stop);
      return std::string();
    });
    // No process of a buildpack is left, and none shall see what comes now.
    m_sandbox.reset();
    return finish();
  }

 private:
  std::string fetch() {
    std::vector<std::string> extras;
    for (const ExtraBuildpack& extra : m_chosen.extras) extras.push_back(extra.description.full_name());
    Fetched fetched = fetch_builder(*m_request.builder, m_builder, m_chosen.order, extras, m_layers, m_request.jobs,
                                    m_events, m_stop);
    const std::size_t count = fetched.layers.size(), all = m_request.builder->layers().size();
    m_root = store::make_rootfs(m_request.rootfs, std::move(fetched.layers), m_folder);
    m_tree.emplace(m_folder.path() / "tree", Ids{m_builder.uid, m_builder.gid});
    m_tree->stage(m_request.app, m_request.leave_out, m_stop);
    m_events.on(event::Decision{"rootfs", std::string(m_root->kind()), m_request.rootfs_reason});
    return fmt::format("{} of {} builder layers needed, {}", count, all,
                       fetched.unpacked ? plural(fetched.unpacked, "layer") + " unpacked" : "all unpacked before");
  }

  std::string detect_phase() {
    enter_sandbox();
    m_detected = detect(m_chosen.order, *m_run, run_target(), m_request.jobs, m_events, m_stop);
    const std::size_t count = m_detected.group.size();
    return m_detected.candidates > count ? fmt::format("{} of {} buildpacks take part", count, m_detected.candidates)
                                         : plural(count, "buildpack") + " take" + (count == 1 ? "s part" : " part");
  }

  cnb::TargetInfo run_target() const {
    cnb::TargetInfo target = cnb::target_of(m_request.run_image->config());
    if (target.distro.name.empty())
      if (const auto release = read_root_file(*m_root, "/etc/os-release"))
        target.distro = cnb::distro_of_os_release(*release);
    return target;
  }

  void enter_sandbox() {
    cnb::EnvFiles platform_env = read_root_env(*m_root, "/platform/env");
    for (const auto& [name, value] : m_request.env) platform_env[name] = value;
    m_tree->write_platform_env(platform_env);

    sandbox::Setup setup;
    setup.root = m_root->tree();
    setup.uid = m_builder.uid;
    setup.gid = m_builder.gid;
    setup.network = m_request.network;
    setup.mounts = {{m_tree->temporary(), "/tmp", false},
                    {m_tree->layers(), std::string(layers_path), false},
                    {m_tree->app(), std::string(app_path), false},
                    {m_tree->platform(), std::string(platform_path), true}};
    for (const ExtraBuildpack& extra : m_chosen.extras)
      setup.mounts.push_back({extra.folder, RunEnvironment::folder_inside(extra.description), true});
    if (auto bundle = site_certificates()) setup.mounts.push_back(*bundle);
    for (const sandbox::Mount& volume : m_request.volumes) {
      prepare_target(volume);
      setup.mounts.push_back(volume);
    }
    m_sandbox = m_request.make_sandbox(setup);
    m_events.on(event::Decision{"isolation", std::string(m_sandbox->rung()), ""});
    if (!m_sandbox->blocks_metadata() && m_request.network == sandbox::Network::host)
      m_events.on(event::Detail{"buildpacks share the network of this machine, cloud metadata addresses included "
                                "(--network none shuts it off)"});

    cnb::Environment base = cnb::included(m_request.builder->config().env);
    base.set("HOME", home_of(*m_root, m_builder.uid));
    const cnb::Environment host = cnb::included(m_request.host_variables);
    for (const auto& [name, value] : host.variables()) base.set(name, value);
    m_run.emplace(*m_tree, *m_root, m_chosen.extras, std::move(base), std::move(platform_env),
                  read_root_env(*m_root, "/cnb/build-config/env"), run_target(), *m_sandbox);
  }

  // Folders that we mount are read-only inside, so the place for a volume in them has to be made here.
  void prepare_target(const sandbox::Mount& volume) const {
    const fs::path target = fs::path(volume.target).lexically_normal();
    if (!target.string().starts_with(std::string(platform_path) + "/")) return;
    const fs::path place = m_tree->platform() / target.lexically_relative(platform_path);
    if (fs::is_directory(volume.source)) {
      make_folders(place);
    } else {
      make_folders(place.parent_path());
      if (!fs::exists(place)) write_file(place, "");
    }
  }

  std::optional<sandbox::Mount> site_certificates() {
    if (!m_request.host_ca_bundle) return std::nullopt;
    std::string target(sandbox::ca_bundle_paths.front()), own;
    for (const std::string_view path : sandbox::ca_bundle_paths)
      if (auto text = read_root_file(*m_root, std::string(path))) {
        target = path;
        own = std::move(*text);
        break;
      }
    const auto merged = sandbox::merge_ca_bundles(own, read_file(*m_request.host_ca_bundle));
    if (merged.added == 0) return std::nullopt;
    const fs::path file = m_tree->root() / "ca-certificates.crt";
    write_file(file, merged.text);
    m_events.on(event::Decision{"site tls", fmt::format("{} certificates of this machine added", merged.added),
                                fmt::format("from {}, for buildpacks only; --no-host-ca leaves them out",
                                            m_request.host_ca_bundle->string())});
    return sandbox::Mount{file, target, true};
  }

  fs::path launcher() const {
    const auto place = m_root->locate(cnb::launcher_path);
    if (!place || !fs::is_regular_file(*place))
      throw Error(ExitCode::export_image, fmt::format("{} has no {}", m_request.builder->name(), cnb::launcher_path))
          .next("use a builder that has a launcher");
    return *place;
  }

  std::map<std::string, fs::path> lifecycle_sboms() const {
    std::map<std::string, fs::path> files;
    const std::string folder = fs::path(cnb::launcher_path).parent_path().string();
    for (const std::string& name : m_root->list(folder))
      if (name.find(".sbom.") != std::string::npos)
        if (const auto place = m_root->locate(folder + "/" + name); place && fs::is_regular_file(*place))
          files[name] = *place;
    return files;
  }

  // What a rebase looks for. The path of a layout or archive means nothing elsewhere, and would make images differ
  // that are the same.
  cnb::RunImage run_image_names() const {
    std::vector<cnb::RunImage> names = m_builder.run_images;
    std::erase_if(names, [](const cnb::RunImage& name) {
      return name.image.starts_with("oci:") || name.image.starts_with("docker-archive:");
    });
    return cnb::run_image_for_export(names, m_request.run_image_name);
  }

  std::vector<ExportedImage> finish() {
    ExportInput input{.tree = *m_tree,
                      .group = m_detected.group,
                      .launch = m_launch,
                      .previous = m_previous,
                      .restored = m_restored,
                      .run_image = *m_request.run_image,
                      .run_image_names = run_image_names(),
                      .launcher = launcher(),
                      .launcher_source = {m_builder.lifecycle_version, "", ""},
                      .lifecycle_sboms = lifecycle_sboms(),
                      .default_process = m_request.default_process,
                      .created = m_request.created,
                      .targets = {},
                      .cache = *m_request.cache,
                      .jobs = m_request.jobs};
    for (const auto& target : m_request.targets) input.targets.push_back(target.get());
    Exporter exporter(std::move(input), m_events, m_stop);
    phase(Phase::export_image, m_events, m_stop, [&] {
      exporter.make_layers();
      return std::string();
    });
    std::vector<ExportedImage> images;
    phase(Phase::publish, m_events, m_stop, [&] {
      images = exporter.publish();
      return std::string();
    });
    phase(Phase::cache, m_events, m_stop, [&] {
      exporter.export_cache();
      return std::string();
    });
    return images;
  }

  BuildRequest m_request;
  EventSink& m_events;
  std::stop_token m_stop;
  store::BuildFolder m_folder;
  store::LayerStore m_layers;
  cnb::Builder m_builder;
  ChosenBuildpacks m_chosen;
  std::unique_ptr<store::Rootfs> m_root;
  std::optional<WorkTree> m_tree;
  Previous m_previous;
  std::unique_ptr<sandbox::Sandbox> m_sandbox;
  std::optional<RunEnvironment> m_run;
  cnb::DetectResult m_detected;
  Restored m_restored;
  cnb::LaunchMetadata m_launch;
};

}  // namespace

std::vector<ExportedImage> run_build(BuildRequest request, EventSink& events, std::stop_token stop) {
  return Build(std::move(request), events, std::move(stop)).run();
}

}  // namespace cib::build
