#include "build/create_builder.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/version.hpp"
#include "build/buildpack_modules.hpp"
#include "build/builder_layers.hpp"
#include "build/debian_base.hpp"
#include "build/embedded_files.hpp"
#include "build/layer_writer.hpp"
#include "cnb/builder.hpp"
#include "cnb/fields.hpp"
#include "cnb/labels.hpp"
#include "oci/archive.hpp"
#include "oci/layout.hpp"
#include "oci/reference.hpp"

namespace cib::build {

namespace {

using oci::ImageConfig;

// Digest of the request that the Debian layers at the bottom of an image were made of.
constexpr const char* base_label = "io.ci-image-builder.base";
constexpr const char* created = "1980-01-01T00:00:01Z";
constexpr const char* default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// An image in the making: layers are placed in the target, the configuration grows with them.
class Assembly {
 public:
  Assembly(oci::ImageTarget& target, const CreateBuilder& request, TaskPool& pool, EventSink& events, std::stop_token stop)
      : m_target(target), m_writer(target, request.known, pool, stop), m_events(events) {
    m_manifest.media_type = oci::media_type::oci_manifest;
    m_manifest.config.media_type = oci::media_type::oci_config;
  }

  ImageConfig config;

  void add(const std::string& name, const std::function<void(Sink&)>& produce) { place(name, m_writer.make(produce)); }
  void add(const std::string& name, const oci::Layer& layer) { place(name, m_writer.copy(layer)); }
  // The layers of a base image, whose configuration (history included) is taken over already.
  void add_base(const oci::Image& base) {
    for (const auto& layer : base.layers()) {
      const PlacedLayer placed = m_writer.copy(*layer);
      m_manifest.layers.push_back(placed.descriptor);
      report("base", placed);
    }
  }

  CreatedImage commit() {
    const std::string config_json = oci::to_json(config);
    m_manifest.config.digest = oci::sha256_of(config_json);
    m_manifest.config.size = config_json.size();
    const oci::Digest digest = m_target.commit(m_manifest, oci::to_json(m_manifest), config_json);
    m_events.on(event::ImageWritten{m_target.name(), digest.str(), m_size, m_written});
    return {m_target.name(), digest};
  }

 private:
  void place(const std::string& name, const PlacedLayer& placed) {
    m_manifest.layers.push_back(placed.descriptor);
    config.diff_ids.push_back(placed.diff_id);
    config.history.push_back({.created = created, .created_by = fmt::format("{}: {}", program_name, name)});
    report(name, placed);
  }

  void report(const std::string& name, const PlacedLayer& placed) {
    using How = event::LayerDone::How;
    m_size += placed.descriptor.size;
    m_written += placed.written;
    m_events.on(event::LayerDone{.how = placed.written ? How::fresh : How::reused,
                                 .name = name,
                                 .size = placed.descriptor.size,
                                 .diff_id = placed.diff_id.str()});
  }

  oci::ImageTarget& m_target;
  LayerWriter m_writer;
  EventSink& m_events;
  oci::Manifest m_manifest;
  std::uint64_t m_size = 0;
  std::uint64_t m_written = 0;
};

std::string machine_architecture() {
  struct utsname name;
  ::uname(&name);
  const std::string_view machine = name.machine;
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return std::string(machine);
}

// ---- layers of Debian packages

struct DebianBase {
  DebianRequest request;
  std::string digest;                                    // of the request
  DebianLayers made;                                     // where they were made now
  std::shared_ptr<const oci::Image> builder, run;        // where they were found
  cnb::Distro distro;
};

DebianRequest debian_request(const cnb::BuilderToml& definition) {
  const auto& build = definition.build_debian;
  const auto& run = definition.run_debian;
  if (build && run && build->suite != run->suite)
    throw Error(ExitCode::configuration, fmt::format("build.debian is {}, run.debian is {}", build->suite, run->suite))
        .next("use one release for both: they share their lower layer");
  DebianRequest request;
  request.release = (run ? run : build)->suite;
  if (run) request.packages = run->packages;
  if (build) (run ? request.build_packages : request.packages) = build->packages;
  std::erase_if(request.build_packages, [&](const std::string& package) {
    return std::ranges::find(request.packages, package) != request.packages.end();
  });
  request.users = {{"cnb", debian_build_uid, debian_gid}, {"app", debian_run_uid, debian_gid}};
  return request;
}

std::shared_ptr<const oci::Image> with_base(const std::vector<std::shared_ptr<const oci::Image>>& known,
                                            const std::string& digest, std::string_view kind, std::size_t layers) {
  for (const auto& image : known)
    if (image->config().label(base_label) == fmt::format("{} {}", kind, digest) && image->layers().size() >= layers)
      return image;
  return nullptr;
}

DebianBase debian_base(const CreateBuilder& request, EventSink& events, std::stop_token stop) {
  DebianBase base;
  base.request = debian_request(request.definition);
  base.digest = oci::sha256_of(fingerprint(base.request)).str();
  const bool build = request.definition.build_debian.has_value(), run = request.definition.run_debian.has_value();
  if (build) base.builder = with_base(request.known, base.digest, "build", base.request.build_packages.empty() ? 1 : 2);
  if (run) base.run = with_base(request.known, base.digest, "run", 1);
  if ((!build || base.builder) && (!run || base.run)) {
    base.distro = cnb::target_of((build ? base.builder : base.run)->config()).distro;
    return base;
  }
  base.builder = base.run = nullptr;
  const auto say = [&](std::string_view text) { events.on(event::Decision{"debian", std::string(text), ""}); };
  say(fmt::format("{} with {} packages beside the essential ones, installed once", base.request.release,
                  base.request.packages.size() + base.request.build_packages.size()));
  base.made = make_debian_layers(base.request, request.scratch, say, stop);
  base.distro = cnb::distro_of_os_release(base.made.os_release);
  return base;
}

ImageConfig debian_config(const DebianBase& base, const cnb::BuilderToml& definition, unsigned uid, std::string_view kind) {
  ImageConfig config;
  config.platform = {"linux", machine_architecture(), ""};
  config.user = fmt::format("{}:{}", uid, debian_gid);
  config.env = {fmt::format("PATH={}", default_path)};
  config.labels[base_label] = fmt::format("{} {}", kind, base.digest);
  config.labels[std::string(cnb::label::distro_name)] = base.distro.name;
  config.labels[std::string(cnb::label::distro_version)] = base.distro.version;
  if (!definition.stack_id.empty()) config.labels[std::string(cnb::label::stack_id)] = definition.stack_id;
  return config;
}

void add_debian(Assembly& assembly, const DebianBase& base, const std::shared_ptr<const oci::Image>& found, bool upper) {
  if (found) {
    assembly.add("debian", *found->layers()[0]);
    if (upper) assembly.add("debian-build", *found->layers()[1]);
    return;
  }
  const auto from = [](const fs::path& file) {
    return [file](Sink& sink) {
      FileSource source(file);
      copy(source, sink);
    };
  };
  assembly.add("debian", from(base.made.base));
  if (upper) assembly.add("debian-build", from(base.made.build));
}

// ---- the builder's own layers

struct Lifecycle {
  std::string version = std::string(program_version);
  cnb::ApiVersions buildpack = {{"0.7", "0.8", "0.9", "0.10", "0.11", "0.12"}, {}};
  cnb::ApiVersions platform = {{"0.7", "0.8", "0.9", "0.10", "0.11", "0.12", "0.13", "0.14"}, {}};
  std::string launcher;
  std::string toml;
  fs::path folder;  // of a released lifecycle; may be empty
};

Lifecycle lifecycle_of(const CreateBuilder& request, EventSink& events) {
  const cnb::BuilderToml& definition = request.definition;
  Lifecycle lifecycle;
  if (!definition.lifecycle_version.empty())
    events.on(event::Warning{
        fmt::format("lifecycle.version {} is not downloaded: the builder gets the launcher of this program",
                    definition.lifecycle_version),
        "name the archive of a lifecycle as lifecycle.uri to have its launcher"});
  if (!definition.lifecycle_uri.empty()) {
    const fs::path place = as_folder(local_path(definition.lifecycle_uri, request.folder), request.scratch);
    lifecycle.folder = place / "lifecycle";
    lifecycle.toml = read_file(place / "lifecycle.toml");
    const std::string name = (place / "lifecycle.toml").string();
    const nlohmann::json document = cnb::parse_toml(lifecycle.toml, name);
    const cnb::Fields fields(document, name);
    lifecycle.version = fields.table("lifecycle").required_text("version");
    const auto versions = [&](const std::string& kind) {
      const cnb::Fields table = fields.table("apis").table(kind);
      return cnb::ApiVersions{table.texts("supported"), table.texts("deprecated")};
    };
    lifecycle.buildpack = versions("buildpack");
    lifecycle.platform = versions("platform");
    lifecycle.launcher = read_file(lifecycle.folder / "launcher");
  } else {
    lifecycle.launcher = embedded_launcher();
    lifecycle.toml = lifecycle_toml(lifecycle.version, lifecycle.buildpack, lifecycle.platform);
  }
  if (!definition.launcher.empty()) lifecycle.launcher = read_file(local_path(definition.launcher, request.folder));
  return lifecycle;
}

// The order with the versions that it leaves open.
cnb::Order complete(cnb::Order order, const cnb::Builder& builder) {
  for (cnb::Group& group : order) {
    for (cnb::GroupElement& element : group) {
      if (!element.version.empty()) continue;
      const auto versions = builder.buildpacks.find(element.id);
      if (versions != builder.buildpacks.end() && versions->second.size() == 1)
        element.version = versions->second.begin()->first;
    }
  }
  return order;
}

cnb::BuilderBuildpack described(const cnb::Buildpack& buildpack, const oci::Digest& layer) {
  cnb::BuilderBuildpack entry;
  entry.api = buildpack.api.text();
  entry.layer = layer;
  entry.order = buildpack.order;
  for (const std::string& id : buildpack.stacks) entry.stacks.push_back({id, {}});
  entry.targets = buildpack.targets;
  entry.name = buildpack.name;
  entry.homepage = buildpack.homepage;
  return entry;
}

std::shared_ptr<const oci::Image> open_base(const CreateBuilder& request) {
  const oci::Reference reference = oci::parse_reference(request.definition.build_image);
  const fs::path path = request.folder / reference.path;
  switch (reference.kind) {
    case oci::Reference::Kind::layout: return oci::open_layout(path, reference.tag);
    case oci::Reference::Kind::archive: return oci::open_archive(path, request.scratch);
    case oci::Reference::Kind::registry: break;
  }
  throw Error(ExitCode::configuration, fmt::format("{}: images in a registry cannot be read", reference.text))
      .next("name a layout (oci:FOLDER) or an archive (docker-archive:FILE), or describe the base under [build.debian]");
}

// The user that buildpacks run as, of a base image.
std::uint32_t required_id(const ImageConfig& config, std::string_view variable, std::string_view base) {
  const std::string text = config.variable(variable).value_or("");
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    throw Error(ExitCode::configuration, fmt::format("{} cannot be the base of a builder", base))
        .why(fmt::format("{} is {} in its environment", variable, text.empty() ? "not set" : "no number"));
  return id;
}

CreatedImage assemble_builder(const CreateBuilder& request, const DebianBase& debian,
                              const std::vector<BuildpackModule>& modules, TaskPool& pool, EventSink& events,
                              std::stop_token stop) {
  const cnb::BuilderToml& definition = request.definition;
  Assembly assembly(*request.builder, request, pool, events, stop);
  ImageConfig& config = assembly.config;
  if (definition.build_debian) {
    config = debian_config(debian, definition, debian_build_uid, "build");
    config.set_variable("CNB_USER_ID", std::to_string(debian_build_uid));
    config.set_variable("CNB_GROUP_ID", std::to_string(debian_gid));
    add_debian(assembly, debian, debian.builder, !debian.request.build_packages.empty());
  } else {
    const auto base = open_base(request);
    config = base->config();
    config.labels.erase(base_label);
    assembly.add_base(*base);
  }
  if (!definition.stack_id.empty()) {
    config.labels[std::string(cnb::label::stack_id)] = definition.stack_id;
    config.set_variable("CNB_STACK_ID", definition.stack_id);
  }
  config.working_dir = "/layers";
  config.created = created;

  const std::uint32_t uid = required_id(config, "CNB_USER_ID", definition.build_image);
  const std::uint32_t gid = required_id(config, "CNB_GROUP_ID", definition.build_image);
  assembly.add("folders", [&](Sink& sink) { write_folders_layer(sink, uid, gid); });

  const Lifecycle lifecycle = lifecycle_of(request, events);
  assembly.add("lifecycle", [&](Sink& sink) {
    write_lifecycle_layer(sink, lifecycle.launcher, lifecycle.toml, lifecycle.folder);
  });

  cnb::Builder builder;
  builder.description = definition.description;
  builder.lifecycle_version = lifecycle.version;
  builder.buildpack_apis = lifecycle.buildpack;
  builder.platform_apis = lifecycle.platform;
  builder.created_by_name = program_name;
  builder.created_by_version = program_version;
  builder.run_images = definition.run_images;
  if (definition.run_debian) builder.run_images = {{request.run_image_name, {}}};

  for (const BuildpackModule& module : modules) {
    assembly.add(module.buildpack.full_name(),
                 [&](Sink& sink) { write_buildpack_layer(sink, module.buildpack, module.folder); });
    builder.buildpacks[module.buildpack.id][module.buildpack.version] =
        described(module.buildpack, config.diff_ids.back());
  }
  builder.order = complete(definition.order, builder);
  builder.system_pre = definition.system_pre;
  builder.system_post = definition.system_post;
  cnb::layers_needed(builder, builder.order);  // every buildpack that is named must be there
  cnb::layers_needed(builder, {builder.system_pre, builder.system_post});

  assembly.add("order.toml", [&](Sink& sink) { write_file_layer(sink, "order.toml", cnb::order_to_toml(builder.order)); });
  if (!builder.system_pre.empty() || !builder.system_post.empty())
    assembly.add("system.toml", [&](Sink& sink) {
      write_file_layer(sink, "system.toml", system_toml(builder.system_pre, builder.system_post));
    });
  assembly.add("stack.toml",
               [&](Sink& sink) { write_file_layer(sink, "stack.toml", stack_toml(builder.run_images.front())); });
  assembly.add("run.toml", [&](Sink& sink) { write_file_layer(sink, "run.toml", run_toml(builder.run_images)); });
  if (!definition.build_env.empty())
    assembly.add("build-config", [&](Sink& sink) { write_build_config_layer(sink, definition.build_env); });

  for (const auto& [name, value] : cnb::builder_labels(builder)) config.labels[name] = value;
  cnb::parse_builder(config, request.builder->name());
  return assembly.commit();
}

}  // namespace

CreatedBuilder create_builder(const CreateBuilder& request, EventSink& events, std::stop_token stop) {
  const cnb::BuilderToml& definition = request.definition;
  const auto modules = find_modules(definition.buildpacks, request.folder, request.scratch);
  DebianBase debian;
  if (definition.build_debian || definition.run_debian) debian = debian_base(request, events, stop);

  TaskPool pool(request.jobs);
  CreatedBuilder result;
  result.base_reused = debian.builder || debian.run;
  if (definition.run_debian) {
    Assembly assembly(*request.run, request, pool, events, stop);
    assembly.config = debian_config(debian, definition, debian_run_uid, "run");
    assembly.config.working_dir = "/";
    assembly.config.created = created;
    add_debian(assembly, debian, debian.run, false);
    result.run = assembly.commit();
  }
  result.builder = assemble_builder(request, debian, modules, pool, events, stop);
  return result;
}

}  // namespace cib::build
