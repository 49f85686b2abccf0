#include "cnb/builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cnb/fields.hpp"
#include "cnb/labels.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;

Error no_builder(std::string_view name, std::string_view label) {
  return Error(ExitCode::configuration, fmt::format("{} is not a builder", name))
      .why(fmt::format("the image has no label {}", label))
      .next("name a builder, not an application or a run image, or make one with `builder create`");
}

std::uint32_t required_id(const oci::ImageConfig& config, std::string_view variable, std::string_view name) {
  const auto fail = [&](std::string why) {
    return Error(ExitCode::configuration, fmt::format("{} is not a usable builder: {}", name, why))
        .next(fmt::format("a builder image sets {} to the number of the user or group that buildpacks run as", variable));
  };
  const std::optional<std::string> text = config.variable(variable);
  if (!text || text->empty()) throw fail(fmt::format("{} is not set in its environment", variable));
  std::uint32_t id = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, id);
  // The highest value means "no id" to the kernel.
  if (error != std::errc() || stop != end || id == std::numeric_limits<std::uint32_t>::max())
    throw fail(fmt::format("{}={} is not a number of a user or group", variable, *text));
  return id;
}

std::vector<RunImage> read_run_images(const Fields& metadata) {
  std::vector<RunImage> images;
  for (const Fields& image : metadata.tables("images")) images.push_back({image.text("image"), image.texts("mirrors")});
  if (images.empty()) {
    const Fields stack = metadata.table("stack");
    const Fields run = stack.table("runImage");
    if (!run.text("image").empty()) images.push_back({run.text("image"), run.texts("mirrors")});
  }
  return images;
}

// Builders made before `apis` name one version only.
ApiVersions read_apis(const Fields& lifecycle, const std::string& kind) {
  const Fields apis = lifecycle.table("apis");
  const Fields all = apis.table(kind);
  ApiVersions versions{all.texts("supported"), all.texts("deprecated")};
  if (versions.supported.empty()) {
    const Fields api = lifecycle.table("api");
    if (const std::string one = api.text(kind); !one.empty()) versions.supported.push_back(one);
  }
  return versions;
}

void read_metadata(Builder& builder, const std::string& text) {
  const json document = parse_json(text, label::builder_metadata);
  const Fields metadata(document, label::builder_metadata);
  builder.description = metadata.text("description");
  builder.run_images = read_run_images(metadata);
  const Fields lifecycle = metadata.table("lifecycle");
  builder.lifecycle_version = lifecycle.text("version");
  builder.buildpack_apis = read_apis(lifecycle, "buildpack");
  builder.platform_apis = read_apis(lifecycle, "platform");
  const Fields created_by = metadata.table("createdBy");
  builder.created_by_name = created_by.text("name");
  builder.created_by_version = created_by.text("version");
}

Group read_system_group(const Fields& system, const std::string& when) {
  Group group;
  const Fields part = system.table(when);
  for (const Fields& element : part.tables("buildpacks"))
    group.push_back({element.required_text("id"), element.text("version"), element.flag("optional")});
  return group;
}

Target read_target(const Fields& fields) {
  Target target{fields.text("os"), fields.text("arch"), fields.text("variant"), {}};
  for (const Fields& distro : fields.tables("distros"))
    target.distros.push_back({distro.text("name"), distro.text("version")});
  return target;
}

BuilderBuildpack read_buildpack(const Fields& fields) {
  BuilderBuildpack buildpack;
  buildpack.api = fields.text("api");
  const std::optional<oci::Digest> layer = oci::Digest::try_parse(fields.required_text("layerDiffID"));
  if (!layer) fields.fail("layerDiffID", "must be \"sha256:\" and 64 hexadecimal digits");
  buildpack.layer = *layer;
  buildpack.order = order_of(fields, "order");
  for (const Fields& stack : fields.tables("stacks")) buildpack.stacks.push_back({stack.text("id"), stack.texts("mixins")});
  for (const Fields& target : fields.tables("targets")) buildpack.targets.push_back(read_target(target));
  buildpack.name = fields.text("name");
  buildpack.homepage = fields.text("homepage");
  return buildpack;
}

class Closure {
 public:
  explicit Closure(const Builder& builder) : m_builder(builder) {}

  // Composites may come back to themselves: each buildpack is looked into once.
  void add(const Order& order) {
    for (const Group& group : order)
      for (const GroupElement& element : group) {
        const BuilderBuildpack& buildpack = get(element);
        if (!m_seen.insert(&buildpack).second) continue;
        layers.insert(buildpack.layer);
        add(buildpack.order);
      }
  }

  std::set<oci::Digest> layers;

 private:
  const BuilderBuildpack& get(const GroupElement& element) const {
    if (const BuilderBuildpack* found = m_builder.find(element.id, element.version)) return *found;
    const auto versions = m_builder.buildpacks.find(element.id);
    if (versions == m_builder.buildpacks.end())
      throw Error(ExitCode::configuration, fmt::format("the builder has no buildpack {}", element.id))
          .next("list its buildpacks with `builder inspect`");
    std::string known;
    for (const auto& [version, unused] : versions->second) known += (known.empty() ? "" : ", ") + version;
    if (element.version.empty())
      throw Error(ExitCode::configuration, fmt::format("the builder has several versions of buildpack {}", element.id))
          .why(fmt::format("the versions are {}", known))
          .next(fmt::format("name one of them: {}@VERSION", element.id));
    throw Error(ExitCode::configuration,
                fmt::format("the builder has no version {} of buildpack {}", element.version, element.id))
        .why(fmt::format("it has {}", known));
  }

  const Builder& m_builder;
  std::set<const BuilderBuildpack*> m_seen;
};

}  // namespace

const BuilderBuildpack* Builder::find(std::string_view id, std::string_view version) const {
  const auto versions = buildpacks.find(std::string(id));
  if (versions == buildpacks.end()) return nullptr;
  if (version.empty()) return versions->second.size() == 1 ? &versions->second.begin()->second : nullptr;
  const auto found = versions->second.find(std::string(version));
  return found == versions->second.end() ? nullptr : &found->second;
}

BuildpackTable parse_buildpack_table(std::string_view text, std::string_view what) {
  const json document = parse_json(text, what);
  const Fields ids(document, what);
  BuildpackTable table;
  for (const auto& [id, unused] : ids.value().items()) {
    const Fields versions = ids.table(id);
    for (const auto& [version, also_unused] : versions.value().items())
      table[id][version] = read_buildpack(versions.table(version));
  }
  return table;
}

Builder parse_builder(const oci::ImageConfig& config, std::string_view name) {
  const auto required = [&](std::string_view label) {
    const std::optional<std::string> text = config.label(label);
    if (!text) throw no_builder(name, label);
    return *text;
  };
  try {
    Builder builder;
    read_metadata(builder, required(label::builder_metadata));
    builder.order = parse_order_json(required(label::buildpack_order), label::buildpack_order);
    builder.uid = required_id(config, "CNB_USER_ID", name);
    builder.gid = required_id(config, "CNB_GROUP_ID", name);
    if (builder.uid == 0)
      throw Error(ExitCode::configuration, fmt::format("{} is not a usable builder: CNB_USER_ID is 0", name))
          .why("buildpacks never run as root");
    if (const auto text = config.label(label::extension_order))
      builder.extension_order = parse_order_json(*text, label::extension_order);
    if (const auto text = config.label(label::buildpack_layers))
      builder.buildpacks = parse_buildpack_table(*text, label::buildpack_layers);
    if (const auto text = config.label(label::system_buildpacks)) {
      const json document = parse_json(*text, label::system_buildpacks);
      const Fields system(document, label::system_buildpacks);
      builder.system_pre = read_system_group(system, "pre");
      builder.system_post = read_system_group(system, "post");
    }
    builder.target = target_of(config);
    builder.stack_id = config.label(label::stack_id).value_or(config.variable("CNB_STACK_ID").value_or(""));
    return builder;
  } catch (Error& error) {
    if (!error.message().starts_with("io.buildpacks.")) throw;
    throw std::move(error.within(fmt::format("{}: label", name)))
        .next("the builder is broken: use another version of it");
  }
}

TargetInfo target_of(const oci::ImageConfig& config) {
  const auto text = [&](std::string_view label) { return config.label(label).value_or(""); };
  return {config.platform.os, config.platform.architecture, config.platform.variant, text(label::base_id),
          {text(label::distro_name), text(label::distro_version)}};
}

std::set<oci::Digest> layers_needed(const Builder& builder, const Order& order) {
  Closure closure(builder);
  closure.add(order);
  return std::move(closure.layers);
}

std::set<oci::Digest> buildpack_layers(const Builder& builder) {
  std::set<oci::Digest> layers;
  for (const auto& [id, versions] : builder.buildpacks)
    for (const auto& [version, buildpack] : versions) layers.insert(buildpack.layer);
  return layers;
}

std::string normal_image_name(std::string_view name) {
  name = name.substr(0, name.find('@'));
  std::string registry = "index.docker.io";
  std::string path(name);
  if (const std::size_t slash = name.find('/'); slash != name.npos) {
    const std::string_view first = name.substr(0, slash);
    if (first == "localhost" || first.find_first_of(".:") != first.npos) {
      registry = first == "docker.io" ? "index.docker.io" : std::string(first);
      path = name.substr(slash + 1);
    }
  }
  if (registry == "index.docker.io" && path.find('/') == path.npos) path = "library/" + path;
  const std::size_t last = path.rfind('/') == path.npos ? 0 : path.rfind('/');
  if (path.find(':', last) == path.npos) path += ":latest";
  return registry + "/" + path;
}

RunImage run_image_for_export(const std::vector<RunImage>& run_images, std::string_view used) {
  const std::string wanted = normal_image_name(used);
  const auto names_it = [&](const std::string& name) { return normal_image_name(name) == wanted; };
  for (const RunImage& entry : run_images)
    if (names_it(entry.image) || std::ranges::any_of(entry.mirrors, names_it)) return entry;
  return run_images.empty() ? RunImage{} : run_images.front();
}

}  // namespace cib::cnb
