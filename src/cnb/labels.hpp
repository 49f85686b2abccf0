// The labels of application images, builders and base images, and the texts of those that a build writes (platform spec
// "Labels").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cnb/launch.hpp"

namespace cib::cnb {

namespace label {
// Application images.
inline constexpr std::string_view lifecycle_metadata = "io.buildpacks.lifecycle.metadata";
inline constexpr std::string_view build_metadata = "io.buildpacks.build.metadata";
inline constexpr std::string_view project_metadata = "io.buildpacks.project.metadata";
inline constexpr std::string_view rebasable = "io.buildpacks.rebasable";
// Cache images.
inline constexpr std::string_view cache_metadata = "io.buildpacks.lifecycle.cache.metadata";
// Builders.
inline constexpr std::string_view builder_metadata = "io.buildpacks.builder.metadata";
inline constexpr std::string_view buildpack_order = "io.buildpacks.buildpack.order";
inline constexpr std::string_view extension_order = "io.buildpacks.buildpack.order-extensions";
inline constexpr std::string_view buildpack_layers = "io.buildpacks.buildpack.layers";
inline constexpr std::string_view extension_layers = "io.buildpacks.extension.layers";
inline constexpr std::string_view system_buildpacks = "io.buildpacks.buildpack.system";
// Buildpackages.
inline constexpr std::string_view buildpackage_metadata = "io.buildpacks.buildpackage.metadata";
// Base images.
inline constexpr std::string_view stack_id = "io.buildpacks.stack.id";
inline constexpr std::string_view stack_mixins = "io.buildpacks.stack.mixins";
inline constexpr std::string_view base_id = "io.buildpacks.base.id";
inline constexpr std::string_view distro_name = "io.buildpacks.base.distro.name";
inline constexpr std::string_view distro_version = "io.buildpacks.base.distro.version";
// Lifecycle images.
inline constexpr std::string_view lifecycle_version = "io.buildpacks.lifecycle.version";
inline constexpr std::string_view lifecycle_apis = "io.buildpacks.lifecycle.apis";
}  // namespace label

// Whose launcher stands in the image.
struct LauncherSource {
  std::string version;
  std::string repository;  // "github.com/buildpacks/lifecycle"
  std::string commit;
};

// io.buildpacks.build.metadata, at Platform API 0.12.
std::string build_metadata_json(const LaunchMetadata& launch, const LauncherSource& launcher);

// Where the source code comes from. The two objects are canonical JSON; "null" leaves them out.
struct ProjectSource {
  std::string type;                  // "git"; empty: nothing is known
  std::string version_json = "null";   // {"commit":…}
  std::string metadata_json = "null";  // {"repository":…,"refs":[…]}
};

// io.buildpacks.project.metadata; "{}" when nothing is known.
std::string project_metadata_json(const ProjectSource& source);

// project-metadata.toml. Throws Error(configuration).
ProjectSource parse_project_metadata_toml(std::string_view text, std::string_view file);

}  // namespace cib::cnb
