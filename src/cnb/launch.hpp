// What the image shall start: launch.toml and build.toml of the buildpacks, put together into
// <layers>/config/metadata.toml, which the launcher reads (buildpack spec "launch.toml", "build.toml"; platform spec
// "metadata.toml").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnb/api.hpp"
#include "cnb/sbom.hpp"

namespace cib::cnb {

struct Process {
  std::string type;
  std::vector<std::string> command;
  // Without a list and with an empty one are two different things in files and labels.
  std::optional<std::vector<std::string>> args;
  bool direct = false;      // false: through bash
  bool is_default = false;  // only as read from launch.toml
  std::string buildpack_id;
  std::string working_dir;  // empty: the application's folder
  bool operator==(const Process&) const = default;
};

struct ImageLabel {
  std::string key;
  std::string value;
  bool operator==(const ImageLabel&) const = default;
};

struct Slice {
  std::optional<std::vector<std::string>> paths;
  bool operator==(const Slice&) const = default;
};

struct LaunchToml {
  std::vector<Process> processes;
  std::vector<ImageLabel> labels;
  std::vector<Slice> slices;
  std::vector<LegacyBom> bom;          // without the buildpack's name
  std::vector<std::string> warnings;
};

// `buildpack_api` decides how a command is written, whether `direct` may be said, and whether a working directory is
// heeded. What is malformed, two default processes, and a bom entry with a version of its own are Error(build).
LaunchToml parse_launch_toml(std::string_view text, std::string_view file, const BuildpackApi& buildpack_api);

struct BuildToml {
  std::vector<std::string> unmet;  // names of plan entries
  std::vector<LegacyBom> bom;
};

// `plan_names`: what the buildpack was asked to provide. An unmet entry must be one of them, else Error(build).
BuildToml parse_build_toml(std::string_view text, std::string_view file, const std::vector<std::string>& plan_names);

struct LaunchBuildpack {
  std::string id;
  std::string version;
  std::string api;
  std::string homepage;
  bool operator==(const LaunchBuildpack&) const = default;
};

// What all buildpacks together want.
struct LaunchMetadata {
  std::vector<LaunchBuildpack> buildpacks;  // the whole group, in order
  std::vector<ImageLabel> labels;           // in order: the last of a key wins in the image
  std::vector<Process> processes;           // sorted by type
  std::vector<Slice> slices;
  std::string default_process_type;         // empty for none
  bool operator==(const LaunchMetadata&) const = default;
};

// Adds what one buildpack wants, to be called in group order. A process replaces that of the same type; the last
// default wins, and whoever redefines the default process without saying default takes the default away.
// Returns warnings.
std::vector<std::string> add_launch(LaunchMetadata& metadata, const LaunchBuildpack& buildpack, const LaunchToml& launch);

// <layers>/config/metadata.toml at Platform API 0.10 and later, byte for byte as the Go lifecycle writes it.
std::string write_metadata_toml(const LaunchMetadata& metadata);

}  // namespace cib::cnb
