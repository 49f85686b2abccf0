#include "build/run_environment.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "cnb/api.hpp"

namespace cib::build {

namespace {

constexpr std::string_view buildpacks_path = "/cnb/buildpacks";
constexpr std::size_t largest_descriptor = 4u << 20;

}  // namespace

RunEnvironment::RunEnvironment(const WorkTree& tree, const store::Rootfs& root, const std::vector<ExtraBuildpack>& extras,
                               cnb::Environment base, cnb::EnvFiles platform_env, cnb::EnvFiles build_config,
                               cnb::TargetInfo target, sandbox::Sandbox& sandbox)
    : env(std::move(base)),
      m_tree(tree),
      m_root(root),
      m_extras(extras),
      m_platform_env(std::move(platform_env)),
      m_build_config(std::move(build_config)),
      m_target(std::move(target)),
      m_sandbox(sandbox) {}

const cnb::Buildpack& RunEnvironment::buildpack(const std::string& id, const std::string& asked_version) {
  std::string version = asked_version;
  const std::string folder = fmt::format("{}/{}", buildpacks_path, cnb::escaped_id(id));
  if (version.empty()) {
    std::vector<std::string> versions = m_root.list(folder);
    for (const ExtraBuildpack& extra : m_extras)
      if (extra.description.id == id && std::find(versions.begin(), versions.end(), extra.description.version) == versions.end())
        versions.push_back(extra.description.version);
    if (versions.size() > 1)
      throw Error(ExitCode::detect, fmt::format("buildpack {} is there in several versions", id))
          .next("name the version in the order");
    if (versions.size() == 1) version = versions[0];
  }
  const std::string key = id + "@" + version;
  if (const auto known = m_known.find(key); known != m_known.end()) return known->second;
  for (const ExtraBuildpack& extra : m_extras)
    if (extra.description.id == id && extra.description.version == version)
      return m_known.emplace(key, extra.description).first->second;

  if (const std::string fault = cnb::id_fault(id) + cnb::version_fault(version); !fault.empty())
    throw Error(ExitCode::detect, fmt::format("buildpack {}: its id or version {}", key, fault));
  const std::string file = fmt::format("{}/{}/buildpack.toml", folder, version);
  const auto text = read_root_file(m_root, file, largest_descriptor);
  if (!text)
    throw Error(ExitCode::detect, fmt::format("buildpack {} is not in the builder", key))
        .why(fmt::format("{} does not exist", file))
        .next("name another buildpack, or another builder");
  cnb::Buildpack description;
  try {
    description = cnb::parse_buildpack_toml(*text, file);
  } catch (const Error& error) {
    // What a builder contains is part of its contract; only what the user wrote himself is configuration.
    if (error.code() != ExitCode::configuration) throw;
    throw Error(ExitCode::detect, error.message()).why(error.why()).next("report it to whoever made the builder");
  }
  if (description.id != id || description.version != version)
    throw Error(ExitCode::detect, fmt::format("{}: it describes {}", file, description.full_name()))
        .next("report it to whoever made the builder");
  return m_known.emplace(key, std::move(description)).first->second;
}

bool RunEnvironment::has_file(const cnb::Buildpack& buildpack, const std::string& file) const {
  for (const ExtraBuildpack& extra : m_extras)
    if (extra.description.full_name() == buildpack.full_name()) return fs::exists(extra.folder / file);
  return m_root.locate(fmt::format("{}/{}", folder_inside(buildpack), file)).has_value();
}

std::string RunEnvironment::folder_inside(const cnb::Buildpack& buildpack) {
  return fmt::format("{}/{}/{}", buildpacks_path, cnb::escaped_id(buildpack.id), buildpack.version);
}

std::vector<std::string> RunEnvironment::process_env(const cnb::Buildpack& buildpack,
                                                     const std::vector<std::string>& specific) const {
  std::vector<std::string> strings =
      cnb::with_overrides(env, m_platform_env, m_build_config, buildpack.clear_env).strings();
  const auto add = [&](std::string_view name, std::string_view value) {
    const std::string prefix = fmt::format("{}=", name);
    std::erase_if(strings, [&](const std::string& entry) { return entry.starts_with(prefix); });
    strings.push_back(prefix + std::string(value));
  };
  add("CNB_BUILDPACK_DIR", folder_inside(buildpack));
  if (cnb::holds(cnb::Since::env_variables_for_paths, buildpack.api)) {
    add("CNB_PLATFORM_DIR", platform_path);
    for (const std::string& entry : specific)
      add(entry.substr(0, entry.find('=')), entry.substr(entry.find('=') + 1));
  }
  if (cnb::holds(cnb::Since::target_variables, buildpack.api)) {
    add("CNB_TARGET_OS", m_target.os);
    add("CNB_TARGET_ARCH", m_target.arch);
    if (!m_target.arch_variant.empty()) add("CNB_TARGET_ARCH_VARIANT", m_target.arch_variant);
    if (!m_target.distro.name.empty()) add("CNB_TARGET_DISTRO_NAME", m_target.distro.name);
    if (!m_target.distro.version.empty()) add("CNB_TARGET_DISTRO_VERSION", m_target.distro.version);
  }
  if (cnb::holds(cnb::Since::exec_env, buildpack.api) && cnb::holds(cnb::PlatformSince::exec_env))
    add("CNB_EXEC_ENV", "production");
  return strings;
}

RunEnvironment::Scratch RunEnvironment::scratch(const std::string& name) {
  const fs::path place = m_tree.temporary() / name;
  remove_tree(place);  // of an earlier buildpack
  m_tree.make_folder(place);
  return {"/tmp/" + name, place};
}

}  // namespace cib::build
