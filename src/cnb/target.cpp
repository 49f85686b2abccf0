#include "cnb/target.hpp"

#include <algorithm>

#include "cnb/buildpack.hpp"

namespace cib::cnb {
namespace {

bool same_or_open(const std::string& a, const std::string& b) { return a.empty() || b.empty() || a == b; }

bool matches(const Target& target, const TargetInfo& info) {
  if (!same_or_open(target.os, info.os) || !same_or_open(target.arch, info.arch) ||
      !same_or_open(target.arch_variant, info.arch_variant))
    return false;
  if (target.distros.empty()) return true;
  if (info.distro.name.empty() && info.distro.version.empty()) return false;
  return std::ranges::any_of(target.distros, [&](const Distro& distro) {
    return same_or_open(distro.name, info.distro.name) && same_or_open(distro.version, info.distro.version);
  });
}

}  // namespace

Distro distro_of_os_release(std::string_view text) {
  Distro distro;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto equals = line.find('=');
    if (equals == line.npos) continue;
    std::string_view value = line.substr(equals + 1);
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
      value = value.substr(1, value.size() - 2);
    const std::string_view key = line.substr(0, equals);
    if (key == "ID") distro.name = value;
    if (key == "VERSION_ID") distro.version = value;
  }
  return distro;
}

std::vector<Target> effective_targets(const Buildpack& buildpack, bool has_bin_build) {
  if (!buildpack.targets.empty()) return buildpack.targets;
  std::vector<Target> targets;
  for (const std::string& stack : buildpack.stacks) {
    if (stack == "*")
      targets.push_back({});
    else if (stack == "io.buildpacks.stacks.bionic" &&
             (holds(Since::stack_bionic_is_target, buildpack.api) || buildpack.stacks.size() == 1))
      targets.push_back({.os = "linux", .arch = "amd64", .distros = {{"ubuntu", "18.04"}}});
  }
  if (targets.empty() && has_bin_build) targets.push_back({.os = "linux"});
  return targets;
}

bool target_matches(const Buildpack& buildpack, bool has_bin_build, const TargetInfo& run_target) {
  const std::vector<Target> targets = effective_targets(buildpack, has_bin_build);
  return targets.empty() ||
         std::ranges::any_of(targets, [&](const Target& target) { return matches(target, run_target); });
}

}  // namespace cib::cnb
