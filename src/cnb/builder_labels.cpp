// The labels of a builder, written: the other half of builder.cpp.
#include <nlohmann/json.hpp>

#include "cnb/builder.hpp"
#include "cnb/go_json.hpp"
#include "cnb/labels.hpp"

namespace cib::cnb {
namespace {

using nlohmann::ordered_json;

ordered_json run_image_value(const RunImage& image) {
  ordered_json mirrors = image.mirrors;
  return {{"image", image.image}, {"mirrors", null_if_empty(std::move(mirrors))}};
}

ordered_json apis_value(const ApiVersions& apis) {
  return {{"deprecated", apis.deprecated}, {"supported", apis.supported}};
}

// The oldest supported version, which readers of old look at.
std::string first_of(const ApiVersions& apis) { return apis.supported.empty() ? "" : apis.supported.front(); }

ordered_json system_group_value(const Group& group) {
  ordered_json list = ordered_json::array();
  for (const GroupElement& element : group) {
    ordered_json entry = {{"id", element.id}};
    if (!element.version.empty()) entry["version"] = element.version;
    if (element.optional) entry["optional"] = true;
    list.push_back(std::move(entry));
  }
  return {{"buildpacks", std::move(list)}};
}

std::string metadata_json(const Builder& builder) {
  ordered_json buildpacks = ordered_json::array();
  for (const auto& [id, versions] : builder.buildpacks)
    for (const auto& [version, buildpack] : versions) {
      ordered_json entry = {{"id", id}, {"version", version}};
      if (!buildpack.name.empty()) entry["name"] = buildpack.name;
      if (!buildpack.homepage.empty()) entry["homepage"] = buildpack.homepage;
      buildpacks.push_back(std::move(entry));
    }
  ordered_json images = ordered_json::array();
  for (const RunImage& image : builder.run_images) images.push_back(run_image_value(image));
  ordered_json document;
  document["description"] = builder.description;
  document["buildpacks"] = null_if_empty(std::move(buildpacks));
  document["extensions"] = nullptr;
  document["stack"] = {{"runImage", run_image_value(builder.run_images.empty() ? RunImage{} : builder.run_images.front())}};
  document["lifecycle"] = {
      {"version", builder.lifecycle_version},
      {"api", {{"buildpack", first_of(builder.buildpack_apis)}, {"platform", first_of(builder.platform_apis)}}},
      {"apis", {{"buildpack", apis_value(builder.buildpack_apis)}, {"platform", apis_value(builder.platform_apis)}}}};
  document["createdBy"] = {{"name", builder.created_by_name}, {"version", builder.created_by_version}};
  document["images"] = null_if_empty(std::move(images));
  return go_json(document);
}

ordered_json target_value(const Target& target) {
  ordered_json value = {{"os", target.os}, {"arch", target.arch}};
  if (!target.arch_variant.empty()) value["variant"] = target.arch_variant;
  ordered_json distros = ordered_json::array();
  for (const Distro& distro : target.distros) {
    ordered_json entry = {{"name", distro.name}};
    if (!distro.version.empty()) entry["version"] = distro.version;
    distros.push_back(std::move(entry));
  }
  if (!distros.empty()) value["distros"] = std::move(distros);
  return value;
}

ordered_json buildpack_value(const BuilderBuildpack& buildpack) {
  ordered_json value = {{"api", buildpack.api}};
  ordered_json stacks = ordered_json::array();
  for (const BuilderBuildpack::Stack& stack : buildpack.stacks) {
    ordered_json entry = {{"id", stack.id}};
    if (!stack.mixins.empty()) entry["mixins"] = stack.mixins;
    stacks.push_back(std::move(entry));
  }
  if (!stacks.empty()) value["stacks"] = std::move(stacks);
  ordered_json targets = ordered_json::array();
  for (const Target& target : buildpack.targets) targets.push_back(target_value(target));
  if (!targets.empty()) value["targets"] = std::move(targets);
  if (!buildpack.order.empty()) value["order"] = data_value(order_to_json(buildpack.order));
  value["layerDiffID"] = buildpack.layer.str();
  if (!buildpack.homepage.empty()) value["homepage"] = buildpack.homepage;
  if (!buildpack.name.empty()) value["name"] = buildpack.name;
  return value;
}

}  // namespace

std::string to_json(const BuildpackTable& table) {
  ordered_json document = ordered_json::object();
  for (const auto& [id, versions] : table)
    for (const auto& [version, buildpack] : versions) document[id][version] = buildpack_value(buildpack);
  return go_json(document);
}

std::map<std::string, std::string> builder_labels(const Builder& builder) {
  std::map<std::string, std::string> labels;
  labels[std::string(label::builder_metadata)] = metadata_json(builder);
  labels[std::string(label::buildpack_order)] = order_to_json(builder.order);
  labels[std::string(label::buildpack_layers)] = to_json(builder.buildpacks);
  if (!builder.system_pre.empty() || !builder.system_post.empty())
    labels[std::string(label::system_buildpacks)] = go_json({{"pre", system_group_value(builder.system_pre)},
                                                             {"post", system_group_value(builder.system_post)}});
  return labels;
}

}  // namespace cib::cnb
