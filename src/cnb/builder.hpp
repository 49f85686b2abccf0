// A builder, read from its image configuration alone: who it runs as, in which order it tries which buildpacks, and which
// layer holds each of them (platform spec "Build Image"; the labels that pack writes).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cnb/order.hpp"
#include "cnb/target.hpp"
#include "oci/config.hpp"

namespace cib::cnb {

struct RunImage {
  std::string image;
  std::vector<std::string> mirrors;
  bool operator==(const RunImage&) const = default;
};

// A buildpack as the builder's label io.buildpacks.buildpack.layers describes it.
struct BuilderBuildpack {
  struct Stack {
    std::string id;
    std::vector<std::string> mixins;
    bool operator==(const Stack&) const = default;
  };
  std::string api;    // as stated, not judged
  oci::Digest layer;  // diffID of the layer that holds it; several buildpacks may share one
  Order order;        // not empty: a composite
  std::vector<Stack> stacks;
  std::vector<Target> targets;
  std::string name;
  std::string homepage;
  bool operator==(const BuilderBuildpack&) const = default;
};

// By id, then by version.
using BuildpackTable = std::map<std::string, std::map<std::string, BuilderBuildpack>>;

// The versions of an API that a lifecycle knows.
struct ApiVersions {
  std::vector<std::string> supported;
  std::vector<std::string> deprecated;
  bool operator==(const ApiVersions&) const = default;
};

struct Builder {
  std::uint32_t uid = 0;  // CNB_USER_ID
  std::uint32_t gid = 0;  // CNB_GROUP_ID
  std::string description;
  Order order;
  Order extension_order;  // not empty: image extensions, which are not supported
  Group system_pre;
  Group system_post;
  BuildpackTable buildpacks;
  std::vector<RunImage> run_images;  // may be empty
  std::string lifecycle_version;     // may be empty
  ApiVersions buildpack_apis;
  ApiVersions platform_apis;
  std::string stack_id;  // deprecated, but some buildpacks ask for it; may be empty
  TargetInfo target;     // of the builder itself
  std::string created_by_name;
  std::string created_by_version;

  // `version` may be empty where the builder has one version only. nullptr when there is no such buildpack.
  const BuilderBuildpack* find(std::string_view id, std::string_view version) const;
};

// `name` is for messages. Throws Error(configuration): not a builder (no label io.buildpacks.builder.metadata or
// no order), a malformed label (named), CNB_USER_ID or CNB_GROUP_ID missing or no number, uid 0.
Builder parse_builder(const oci::ImageConfig& config, std::string_view name);

// What an image is: system and architecture of its configuration, distribution of its labels.
TargetInfo target_of(const oci::ImageConfig& config);

// The labels that make an image a builder: metadata, order, layers and, when there are any, system buildpacks. What
// belongs to the base image (stack, distribution) is left to it.
std::map<std::string, std::string> builder_labels(const Builder& builder);

// io.buildpacks.buildpack.layers; also for buildpackages. `what` names it in errors; Error(configuration).
BuildpackTable parse_buildpack_table(std::string_view json, std::string_view what);
std::string to_json(const BuildpackTable& table);

// The layers of every buildpack that this order can come to, through composites too. Throws Error(configuration) for
// one that the builder does not have, or has in several versions when none is named.
std::set<oci::Digest> layers_needed(const Builder& builder, const Order& order);

// Layers of any buildpack: the others belong to the base, and are always needed.
std::set<oci::Digest> buildpack_layers(const Builder& builder);

// The run image to write into the label of an application, so that a rebase finds it: the entry that names `used`,
// itself or as a mirror; else the first; nothing when the builder names none.
RunImage run_image_for_export(const std::vector<RunImage>& run_images, std::string_view used);

// An image name with registry and tag and without digest: "ubuntu" is "index.docker.io/library/ubuntu:latest".
std::string normal_image_name(std::string_view name);

}  // namespace cib::cnb
