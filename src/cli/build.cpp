// `build`: an image from the source code in a folder.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <set>

#include "base/error.hpp"
#include "base/tasks.hpp"
#include "build/cache_folder.hpp"
#include "build/embedded_builder.hpp"
#include "build/pipeline.hpp"
#include "cli/build_options.hpp"
#include "cli/commands.hpp"
#include "cli/destinations.hpp"
#include "cli/signals.hpp"
#include "cnb/builder.hpp"
#include "cnb/report_toml.hpp"
#include "report/error_text.hpp"
#include "report/fan_out.hpp"
#include "report/json.hpp"
#include "report/live.hpp"
#include "report/log.hpp"
#include "sandbox/ca_bundle.hpp"
#include "sandbox/namespaces.hpp"

namespace cib::cli {

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// The proxies of this machine, in both spellings: programs look for one or the other.
std::vector<std::string> proxies() {
  std::vector<std::string> variables;
  for (const auto& [upper, lower] :
       {std::pair("HTTP_PROXY", "http_proxy"), std::pair("HTTPS_PROXY", "https_proxy"), std::pair("NO_PROXY", "no_proxy")}) {
    const std::string value = environment(upper).empty() ? environment(lower) : environment(upper);
    if (value.empty()) continue;
    variables.push_back(fmt::format("{}={}", upper, value));
    variables.push_back(fmt::format("{}={}", lower, value));
  }
  return variables;
}

std::optional<sandbox::Rung::Kind> forced(IsolationChoice choice) {
  switch (choice) {
    case IsolationChoice::namespaces: return sandbox::Rung::Kind::namespaces_root;
    case IsolationChoice::rootless: return sandbox::Rung::Kind::namespaces_rootless;
    case IsolationChoice::automatic: break;
  }
  return std::nullopt;
}

class BuildCommand {
 public:
  BuildCommand(BuildOptions options, sandbox::Helper& helper, EventSink& events, std::stop_token stop)
      : m_options(std::move(options)), m_helper(helper), m_events(events), m_stop(std::move(stop)), m_store(m_options.store),
        m_scratch(m_store.temporary(), "images-") {}

  std::vector<build::ExportedImage> run() {
    if (m_options.outputs.empty()) m_options.outputs = {default_output(m_store, m_options.path)};
    build::BuildRequest request;
    request.app = m_options.path;
    choose_images(request);
    request.buildpacks = m_options.buildpacks;
    request.env = m_options.env;
    request.host_variables = proxies();
    for (const Volume& volume : m_options.volumes) request.volumes.push_back({volume.source, volume.target, volume.read_only});
    request.network = m_options.network;
    if (!m_options.no_host_ca)
      request.host_ca_bundle =
          sandbox::find_host_bundle(m_options.ca_file ? m_options.ca_file->string() : "", environment("SSL_CERT_FILE"));
    request.default_process = m_options.default_process;
    if (m_options.creation_time) request.created = *m_options.creation_time;
    request.jobs = m_options.jobs;
    request.store = &m_store;

    const sandbox::Probe probe = sandbox::probe(m_helper, forced(m_options.isolation), m_scratch.path());
    m_events.on(event::Detail{"isolation: " + probe.reason});
    const RootfsDecision rootfs = decide_rootfs(m_options.rootfs, probe.rung);
    request.rootfs = rootfs.kind;
    request.rootfs_reason = rootfs.reason;
    request.make_sandbox = [&](const sandbox::Setup& setup) { return sandbox::make_sandbox(m_helper, probe.rung, setup); };

    const fs::path cache = m_options.cache_dir.value_or(default_cache(m_store, m_options.outputs.front()));
    request.cache = build::open_cache_folder(cache, m_options.clear_cache, m_stop);
    m_events.on(event::Decision{"cache", cache.string(), m_options.clear_cache ? "emptied" : ""});
    for (const fs::path& made : {cache, m_store.root(), m_options.report_file, m_options.report_folder})
      if (!made.empty()) request.leave_out.push_back(place_of(made));
    for (const oci::Reference& output : m_options.outputs) {
      if (lies_within(output, m_options.path))
        m_events.on(event::Decision{"left out", output.text, "an output of builds is no part of the application"});
      request.leave_out.push_back(place_of(output.path));
      request.targets.push_back(open_target(output, m_options.tags.empty() ? default_tag() : m_options.tags.front()));
    }
    return build::run_build(std::move(request), m_events, m_stop);
  }

 private:
  void choose_images(build::BuildRequest& request) {
    std::optional<oci::Reference> run_image;
    if (!m_options.run_image.empty()) run_image = oci::parse_reference(m_options.run_image);
    if (m_options.builder.empty() || m_options.builder == build::embedded_name) {
      m_events.on(event::Decision{"builder", std::string(build::embedded_name),
                                  m_options.builder.empty() ? "no builder was named: --builder names another" : ""});
      const build::EmbeddedBuilder embedded = build::embedded_builder(m_store, m_options.jobs, m_events, m_stop);
      request.builder = open_image("--builder embedded", embedded.builder, m_scratch.path());
      if (!run_image) run_image = embedded.run;
    } else {
      request.builder = open_image("--builder", oci::parse_reference(m_options.builder), m_scratch.path());
      m_events.on(event::Decision{"builder", fmt::format("{}@{}", request.builder->name(), request.builder->digest().brief()),
                                  "--builder"});
    }
    if (!run_image) run_image = run_image_of(*request.builder);
    request.run_image = open_image("--run-image", *run_image, m_scratch.path());
    // A layout's path means nothing on another machine; a registry's name is what a rebase looks for.
    if (run_image->kind == oci::Reference::Kind::registry) request.run_image_name = run_image->text;

    if (!m_options.previous_image.empty()) {
      request.previous = open_image("--previous-image", oci::parse_reference(m_options.previous_image), m_scratch.path());
    } else {
      request.previous = previous_at(m_options.outputs.front(), m_scratch.path(), m_events);
    }
  }

  static oci::Reference run_image_of(const oci::Image& image) {
    const cnb::Builder builder = cnb::parse_builder(image.config(), image.name());
    if (builder.run_images.empty())
      throw Error(ExitCode::configuration, fmt::format("{} names no run image", image.name()))
          .next("name one with --run-image oci:DIR");
    return oci::parse_reference(builder.run_images.front().image);
  }

  std::string default_tag() const {
    std::string name = fs::canonical(m_options.path).filename().string();
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    std::erase_if(name, [](char c) { return !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'); });
    while (!name.empty() && name.front() == '-') name.erase(0, 1);
    while (!name.empty() && name.back() == '-') name.pop_back();
    return (name.empty() ? "app" : name) + ":latest";
  }

  BuildOptions m_options;
  sandbox::Helper& m_helper;
  EventSink& m_events;
  std::stop_token m_stop;
  store::Store m_store;
  store::LockedFolder m_scratch;
};

// report.toml of the lifecycle: of all images, described by the first one.
void write_report_toml(const fs::path& folder, const std::vector<build::ExportedImage>& images) {
  cnb::ReportImage report;
  for (const build::ExportedImage& image : images) report.tags.push_back(image.name);
  const build::ExportedImage& first = images.front();
  (first.by_config ? report.image_id : report.digest) = first.digest.str();
  if (!first.by_config) report.manifest_size = first.manifest_size;
  make_folders(folder);
  write_file_atomically(folder / "report.toml", cnb::write_report_toml(report));
}

// How to go on from here, for a person who did not say where the image shall go.
void print_next_steps(const build::ExportedImage& image) {
  fmt::print(stderr,
             "\nrun it    ci-image-builder run {0}\n"
             "load it   skopeo copy {0} docker-daemon:app:latest\n",
             image.name);
}

}  // namespace

int build(const std::vector<std::string>& arguments) {
  const BuildOptions options = parse_build_options(arguments);
  // The helper is started before there are threads; the log has one of its own.
  const auto helper = sandbox::Helper::start();
  Signals signals;
  const report::Level level = options.quiet     ? report::Level::quiet
                              : options.verbose ? report::Level::verbose
                                                : report::Level::normal;
  const auto log = report::make_log(level, options.no_color);
  report::JsonReport report;
  report::FanOut events{log.get(), &report};
  log->title(options.path == "." ? fs::current_path().string() : options.path.string());
  const auto write_report = [&] {
    if (!options.report_file.empty()) write_file_atomically(options.report_file, report.to_json());
  };
  auto outcome = capture([&] { return BuildCommand(options, *helper, events, signals.token()).run(); });
  if (!outcome) {
    const Error error = signals.as_reported(std::move(outcome.error()));
    events.on(event::Failed{error});
    if (auto written = capture(write_report); !written)
      events.on(event::Warning{fmt::format("the report was not written: {}", written.error().message()), ""});
    return static_cast<int>(error.code());
  }
  report.done();
  log->done();
  write_report();
  if (!options.report_folder.empty()) write_report_toml(options.report_folder, *outcome);
  for (const build::ExportedImage& image : *outcome) fmt::print("{}@{}\n", image.name, image.digest.str());
  if (options.outputs.empty() && !options.quiet) print_next_steps(outcome->front());
  return 0;
}

}  // namespace cib::cli
