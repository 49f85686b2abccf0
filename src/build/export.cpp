#include "build/export.hpp"

#include <dirent.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>

#include "base/beneath.hpp"
#include "base/error.hpp"
#include "cnb/buildpack.hpp"
#include "cnb/process_types.hpp"
#include "cnb/sbom.hpp"
#include "cnb/slices.hpp"
#include "cnb/store_toml.hpp"

namespace cib::build {

namespace {

std::string timestamp(std::int64_t seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

bool is_folder(const fs::path& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

void list_app(const fs::path& root, const std::string& below, std::vector<cnb::AppEntry>& entries) {
  entries.push_back({below, true});
  for (const FolderEntry& entry : list_folder(root / below)) {
    const std::string path = below.empty() ? entry.name : below + "/" + entry.name;
    if (entry.type == DT_DIR)
      list_app(root, path, entries);
    else
      entries.push_back({path, false});
  }
}

void add_digest(std::vector<oci::Digest>& digests, std::string_view text) {
  if (const auto digest = oci::Digest::try_parse(text)) digests.push_back(*digest);
}

}  // namespace

// A layer's tar on its way into the cache beside the image. The image must not suffer from a cache that cannot be
// written: the first failure ends the copy.
class Exporter::CacheCopy : public Sink {
 public:
  explicit CacheCopy(CacheStore& cache) {
    guarded([&] { m_writer = cache.begin_layer(); });
  }
  void write(Bytes bytes) override {
    guarded([&] {
      if (m_writer) m_writer->write(bytes);
    });
  }
  // True when the cache has the layer now.
  bool commit(const oci::Digest& diff_id) {
    guarded([&] {
      if (m_writer) m_writer->commit(diff_id);
    });
    return !m_failure && m_writer;
  }
  const std::optional<Error>& failure() const { return m_failure; }

 private:
  template <class Body>
  void guarded(const Body& body) {
    if (m_failure) return;
    if (auto result = capture(body); !result) {
      m_failure = result.error();
      m_writer.reset();
    }
  }
  std::unique_ptr<oci::BlobWriter> m_writer;
  std::optional<Error> m_failure;
};

std::string Exporter::BuildpackLayer::folder() const {
  return fmt::format("layers/{}/{}", cnb::escaped_id(buildpack), layer);
}

Exporter::Exporter(ExportInput input, EventSink& events, std::stop_token stop)
    : m_input(std::move(input)),
      m_events(events),
      m_stop(stop),
      m_pipeline(m_input.targets, m_input.previous.image, m_input.run_image.manifest().is_docker(), m_input.jobs, events,
                 stop) {}

void Exporter::make_layers() {
  for (const cnb::Process& process : m_input.launch.processes) cnb::check_process_type(process.type);
  cnb::choose_entrypoint(m_input.launch, m_input.default_process);
  read_layers();
  copy_lifecycle_sboms();
  m_input.tree.open_up();
  add_buildpack_jobs();
  add_other_jobs();
  m_pipeline.copy_layers(m_input.run_image);
  m_done = m_pipeline.make(m_jobs);
  for (auto& [job, copy] : m_copies) {
    m_jobs[job].copy_to = {};
    if (m_done[job].copied && copy->commit(m_done[job].diff_id)) continue;
    if (copy->failure())
      m_events.on(event::Warning{fmt::format("{} is not cached: {}", m_jobs[job].name, copy->failure()->message()), ""});
    copy.reset();
  }
}

// What the buildpacks left: every <layer>.toml with a flag.
void Exporter::read_layers() {
  for (const cnb::DetectedBuildpack& buildpack : m_input.group) {
    const std::string escaped = cnb::escaped_id(buildpack.id);
    const fs::path folder = m_input.tree.layers() / escaped;
    m_input.tree.make_folder(folder);  // a later buildpack may have put a link in its place
    for (const FolderEntry& entry : list_folder(folder)) {
      if (!entry.name.ends_with(".toml")) continue;
      const std::string name = entry.name.substr(0, entry.name.size() - 5);
      if (name.empty() || name == "launch" || name == "build" || name == "store") continue;
      if (name == "." || name == "..") throw Error(ExitCode::build, fmt::format("{} is no name for a layer", entry.name));
      const auto text = read_file_beneath(folder, entry.name, ExitCode::export_image);
      if (!text) continue;
      BuildpackLayer layer;
      layer.buildpack = buildpack.id;
      layer.layer = name;
      layer.toml = cnb::parse_layer_toml(*text, fmt::format("{}/{}/{}", layers_path, escaped, entry.name),
                                         ExitCode::export_image);
      layer.has_folder = is_folder(folder / name);
      if (const auto restored = m_input.restored.trees.find({buildpack.id, name});
          layer.has_folder && restored != m_input.restored.trees.end() &&
          store::changes(folder / name, restored->second.state).kind == store::Changes::Kind::none)
        layer.untouched = restored->second.diff_id;
      // The folders above are entries of the tar too: a diffID holds only while they are as they were.
      for (const fs::path& above : {m_input.tree.layers(), folder})
        if ((fs::status(above).permissions() & fs::perms::mask) != static_cast<fs::perms>(0755)) layer.untouched.reset();
      m_layers.push_back(std::move(layer));
    }
  }
  std::stable_sort(m_layers.begin(), m_layers.end(), [&](const BuildpackLayer& a, const BuildpackLayer& b) {
    return a.buildpack == b.buildpack && a.layer < b.layer;
  });
}

void Exporter::copy_lifecycle_sboms() {
  for (const auto& [name, file] : m_input.lifecycle_sboms) {
    const auto destination = cnb::lifecycle_sbom_destination(name);
    if (!destination) continue;
    fs::path folder = m_input.tree.layers() / "sbom";
    for (const fs::path& part : fs::path(*destination).parent_path()) m_input.tree.make_folder(folder /= part);
    const fs::path target = m_input.tree.layers() / "sbom" / *destination;
    if (!exists_no_follow(target)) m_input.tree.write(target, read_file(file, 256u << 20));
  }
}

std::size_t Exporter::add_job(LayerJob job, std::string created_by) {
  m_jobs.push_back(std::move(job));
  m_created_by.push_back(std::move(created_by));
  return m_jobs.size() - 1;
}

void Exporter::add_buildpack_jobs() {
  for (const cnb::DetectedBuildpack& buildpack : m_input.group) {
    const cnb::BuildpackLayers* before = m_input.previous.metadata.find(buildpack.id);
    for (BuildpackLayer& layer : m_layers) {
      if (layer.buildpack != buildpack.id || !layer.toml.launch) continue;
      LayerJob job;
      job.name = fmt::format("{}:{}", buildpack.id, layer.layer);
      const auto known = before ? before->layers.find(layer.layer) : std::map<std::string, cnb::LayerMetadata>::const_iterator();
      const bool in_previous = before && known != before->layers.end();
      if (in_previous) add_digest(job.previous, known->second.sha);
      if (layer.has_folder) {
        job.tar = folder_tar(m_input.tree, layer.folder());
        job.untouched = layer.untouched;
        job.why_untouched = "nothing in it changed since it was restored";
        if (layer.toml.cache && !layer.untouched) {
          auto copy = std::make_shared<CacheCopy>(m_input.cache);
          m_copies[m_jobs.size()] = copy;
          job.copy_to = [copy] { return copy.get(); };
        }
      } else if (layer.toml.cache) {
        throw Error(ExitCode::export_image, fmt::format("layer '{}' is cache=true but has no contents", job.name))
            .next("report it to whoever made the buildpack");
      } else if (!in_previous || job.previous.empty() || !m_input.previous.image) {
        throw Error(ExitCode::export_image,
                    fmt::format("cannot reuse '{}', previous image has no metadata for layer '{}'", job.name, job.name))
            .why("the buildpack declared a launch layer without contents")
            .next("report it to whoever made the buildpack");
      } else {
        job.untouched = job.previous.front();
        job.why_untouched = "its buildpack keeps it as it was";
      }
      layer.job = add_job(std::move(job), fmt::format("Layer: '{}', Created by buildpack: {}@{}", layer.layer,
                                                      buildpack.id, buildpack.version));
    }
  }
}

void Exporter::add_other_jobs() {
  const cnb::AppMetadata& before = m_input.previous.metadata;
  const auto job = [](std::string name, TarRecipe tar, std::string_view previous) {
    LayerJob made;
    made.name = std::move(name);
    made.tar = std::move(tar);
    add_digest(made.previous, previous);
    return made;
  };
  if (is_folder(m_input.tree.layers() / "sbom/launch"))
    m_sbom_job = add_job(job("bill of materials", folder_tar(m_input.tree, "layers/sbom/launch"), before.sbom.value_or("")),
                         "Software Bill-of-Materials");
  add_slices();
  using Kind = MadeEntry::Kind;
  m_launcher_job = add_job(
      job("launcher",
          made_tar({{Kind::folder, "/cnb", {}, {}},
                    {Kind::folder, "/cnb/lifecycle", {}, {}},
                    {Kind::file, std::string(cnb::launcher_path), m_input.launcher, {}}}),
          before.launcher),
      "Buildpacks Application Launcher");
  m_config_job = add_job(job("launcher config", folder_tar(m_input.tree, "layers/config"), before.config),
                         "Buildpacks Launcher Config");
  if (m_input.launch.processes.empty()) return;
  std::vector<MadeEntry> types = {{Kind::folder, "/cnb", {}, {}},
                                  {Kind::folder, std::string(cnb::process_folder), {}, {}}};
  for (const cnb::Process& process : m_input.launch.processes)
    types.push_back({Kind::link, fmt::format("{}/{}", cnb::process_folder, process.type), {},
                     std::string(cnb::launcher_path)});
  m_types_job = add_job(job("process types", made_tar(std::move(types)), before.process_types), "Buildpacks Process Types");
}

void Exporter::add_slices() {
  std::vector<cnb::AppEntry> entries;
  list_app(m_input.tree.app(), "", entries);
  std::vector<std::vector<std::string>> patterns;
  for (const cnb::Slice& slice : m_input.launch.slices) patterns.push_back(slice.paths.value_or(std::vector<std::string>()));
  const auto slices = cnb::slice_app(entries, patterns);
  for (std::size_t i = 0; i < slices.size(); ++i) {
    std::vector<std::string> paths;
    for (const cnb::AppEntry& entry : slices[i]) paths.push_back(entry.path);
    LayerJob job;
    job.name = slices.size() == 1 ? "application" : fmt::format("application slice {}", i + 1);
    job.tar = slice_tar(m_input.tree, std::move(paths));
    for (const std::string& diff_id : m_input.previous.metadata.app) add_digest(job.previous, diff_id);
    m_app_jobs.push_back(add_job(std::move(job), slices.size() == 1 ? "Application Layer"
                                                                    : fmt::format("Application Slice: {}", i + 1)));
  }
}

cnb::AppMetadata Exporter::metadata() const {
  const auto sha = [&](const std::optional<std::size_t>& job) { return job ? m_done[*job].diff_id.str() : std::string(); };
  cnb::AppMetadata metadata;
  for (const std::size_t job : m_app_jobs) metadata.app.push_back(m_done[job].diff_id.str());
  if (m_sbom_job) metadata.sbom = sha(m_sbom_job);
  for (const cnb::DetectedBuildpack& buildpack : m_input.group) {
    cnb::BuildpackLayers layers{buildpack.id, buildpack.version, {}, "null"};
    for (const BuildpackLayer& layer : m_layers)
      if (layer.buildpack == buildpack.id && layer.toml.launch)
        layers.layers[layer.layer] = {m_done[layer.job].diff_id.str(), layer.toml.data_json, layer.toml.build,
                                      layer.toml.launch, layer.toml.cache};
    const fs::path folder = m_input.tree.layers() / cnb::escaped_id(buildpack.id);
    if (const auto text = read_file_beneath(folder, "store.toml", ExitCode::export_image))
      layers.store_json = cnb::parse_store_toml(*text, "store.toml", ExitCode::export_image);
    metadata.buildpacks.push_back(std::move(layers));
  }
  metadata.config = sha(m_config_job);
  metadata.launcher = sha(m_launcher_job);
  metadata.process_types = sha(m_types_job);
  const auto& diff_ids = m_input.run_image.config().diff_ids;
  if (!diff_ids.empty()) metadata.run_image.top_layer = diff_ids.back().str();
  metadata.run_image.image = m_input.run_image_names.image;
  metadata.run_image.mirrors = m_input.run_image_names.mirrors;
  metadata.run_image.reference = m_input.run_image.digest().str();
  if (!m_input.run_image_names.image.empty()) {
    std::string name = cnb::normal_image_name(m_input.run_image_names.image);
    if (const std::size_t colon = name.rfind(':'); colon != std::string::npos && name.find('/', colon) == std::string::npos)
      name.erase(colon);
    metadata.run_image.reference = fmt::format("{}@{}", name, m_input.run_image.digest().str());
  }
  metadata.stack = cnb::AppMetadata::Stack{m_input.run_image_names.image, m_input.run_image_names.mirrors};
  return metadata;
}

// The run image's own history stays where it says something about each of its layers; otherwise nothing of it does.
std::vector<oci::History> Exporter::history() const {
  const oci::ImageConfig& base = m_input.run_image.config();
  std::vector<oci::History> history;
  for (const oci::History& entry : base.history)
    if (!entry.empty_layer) history.push_back(entry);
  if (history.size() != base.diff_ids.size()) history.assign(base.diff_ids.size(), {});
  for (const std::string& created_by : m_created_by) {
    oci::History entry;
    entry.created_by = created_by;
    history.push_back(entry);
  }
  for (oci::History& entry : history) entry.created = timestamp(m_input.created);
  return history;
}

oci::ImageConfig Exporter::config() const {
  oci::ImageConfig config = m_input.run_image.config();
  config.created = timestamp(m_input.created);
  config.history = history();
  for (const LayerDone& layer : m_done) config.diff_ids.push_back(layer.diff_id);
  config.entrypoint = {cnb::choose_entrypoint(m_input.launch, m_input.default_process).path};
  config.cmd.clear();
  config.working_dir = app_path;
  config.set_variable("CNB_LAYERS_DIR", layers_path);
  config.set_variable("CNB_APP_DIR", app_path);
  config.set_variable("CNB_PLATFORM_API", cnb::platform_api.text());
  config.set_variable("CNB_DEPRECATION_MODE", "quiet");
  const std::string path = config.variable("PATH").value_or("");
  config.set_variable("PATH", fmt::format("{}:/cnb/lifecycle{}{}", cnb::process_folder, path.empty() ? "" : ":", path));
  config.labels[std::string(cnb::label::lifecycle_metadata)] = to_json(metadata());
  config.labels[std::string(cnb::label::build_metadata)] = cnb::build_metadata_json(m_input.launch, m_input.launcher_source);
  config.labels[std::string(cnb::label::project_metadata)] = cnb::project_metadata_json({});
  for (const cnb::ImageLabel& label : m_input.launch.labels) config.labels[label.key] = label.value;
  return config;
}

std::vector<ExportedImage> Exporter::publish() {
  const oci::ImageConfig config = this->config();
  const std::string config_json = to_json(config);
  std::vector<ExportedImage> images;
  const bool docker = m_input.run_image.manifest().is_docker();
  for (oci::ImageTarget* target : m_input.targets) {
    throw_if_stopped(m_stop);
    oci::Manifest manifest;
    manifest.media_type = docker ? oci::media_type::docker_manifest : oci::media_type::oci_manifest;
    manifest.config = {.media_type = std::string(docker ? oci::media_type::docker_config : oci::media_type::oci_config),
                       .digest = oci::sha256_of(config_json),
                       .size = config_json.size()};
    ExportedImage image;
    for (const oci::Digest& diff_id : config.diff_ids) {
      manifest.layers.push_back(m_pipeline.descriptor(target, diff_id));
      image.size += manifest.layers.back().size;
    }
    image.name = target->name();
    const std::string manifest_json = to_json(manifest);
    image.manifest_size = manifest_json.size();
    image.digest = target->commit(manifest, manifest_json, config_json);
    image.by_config = image.digest == manifest.config.digest;
    m_events.on(event::ImageWritten{image.name, image.digest.str(), image.size, m_pipeline.written(target)});
    images.push_back(std::move(image));
  }
  return images;
}

void Exporter::export_cache() {
  try {
    cache_layers();
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    m_events.on(event::Warning{fmt::format("the cache was not written: {}", error.message()),
                               "the next build starts without what this one could have cached"});
  }
}

void Exporter::cache_layers() {
  cnb::CacheMetadata metadata;
  for (const cnb::DetectedBuildpack& buildpack : m_input.group) {
    cnb::BuildpackLayers layers{buildpack.id, buildpack.version, {}, "null"};
    for (const BuildpackLayer& layer : m_layers)
      if (layer.buildpack == buildpack.id && layer.toml.cache && layer.has_folder)
        layers.layers[layer.layer] = {cache_layer(layer), layer.toml.data_json, layer.toml.build, layer.toml.launch,
                                      layer.toml.cache};
    metadata.buildpacks.push_back(std::move(layers));
  }
  if (is_folder(m_input.tree.layers() / "sbom/cache"))
    metadata.sbom = cache_tar("bill of materials", folder_tar(m_input.tree, "layers/sbom/cache"));
  throw_if_stopped(m_stop);
  m_input.cache.commit(metadata);
}

// The layer's diffID, after it was made part of the next generation.
std::string Exporter::cache_layer(const BuildpackLayer& layer) {
  const std::string name = fmt::format("{}:{}", layer.buildpack, layer.layer);
  std::optional<oci::Digest> known = layer.untouched;
  if (layer.toml.launch) known = m_done[layer.job].diff_id;
  const auto done = [&](event::LayerDone::How how, std::uint64_t size, std::string reason) {
    m_events.on(event::LayerDone{event::LayerDone::Where::cache, how, name, size, known->str(), std::move(reason)});
    return known->str();
  };
  if (layer.toml.launch)
    if (const auto copy = m_copies.find(layer.job); copy != m_copies.end() && copy->second)
      return done(event::LayerDone::How::fresh, m_done[layer.job].tar_size, "");
  // Only what was read and held when it was restored is believed.
  if (known && m_input.restored.verified.contains(*known) && m_input.cache.keep(*known))
    return done(event::LayerDone::How::reused, 0, "unchanged");
  return cache_tar(name, folder_tar(m_input.tree, layer.folder()));
}

std::string Exporter::cache_tar(const std::string& name, const TarRecipe& tar) {
  const auto writer = m_input.cache.begin_layer();
  oci::Sha256 hash;
  TeeSink both(hash, *writer);
  tar(both, m_stop);
  const std::uint64_t size = hash.size();
  const oci::Digest diff_id = hash.finish();
  writer->commit(diff_id);
  m_events.on(event::LayerDone{event::LayerDone::Where::cache, event::LayerDone::How::fresh, name, size, diff_id.str(), ""});
  return diff_id.str();
}

}  // namespace cib::build
