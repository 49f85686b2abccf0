// Targets: on which operating systems, architectures and distributions a buildpack works
// (spec: buildpack.md "Targets").
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cib::cnb {

struct Buildpack;

struct Distro {
  std::string name;     // "ubuntu"; empty: any
  std::string version;  // "22.04"; empty: any
  bool operator==(const Distro&) const = default;
};

// What a buildpack declares; an empty text matches anything.
struct Target {
  std::string os;
  std::string arch;
  std::string arch_variant;
  std::vector<Distro> distros;  // none: any distribution
  bool operator==(const Target&) const = default;
};

// What an image is. `distro` is that of its labels io.buildpacks.base.distro.*, or, when it has none,
// what /etc/os-release of the build image says.
struct TargetInfo {
  std::string os;
  std::string arch;
  std::string arch_variant;
  std::string id;  // io.buildpacks.base.id
  Distro distro;
};

// ID and VERSION_ID of an /etc/os-release (os-release(5)): shell-like assignments, quotes removed.
Distro distro_of_os_release(std::string_view text);

// The declared targets, or what the stacks of a buildpack without targets mean. None matches anything.
std::vector<Target> effective_targets(const Buildpack& buildpack, bool has_bin_build);

// `has_bin_build`: a file bin/build lies in the buildpack's folder.
bool target_matches(const Buildpack& buildpack, bool has_bin_build, const TargetInfo& run_target);

}  // namespace cib::cnb
