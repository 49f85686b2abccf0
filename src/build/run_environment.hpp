// What detect and build share: the sandbox, the buildpacks in it, and the environment they start with.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "build/builder_root.hpp"
#include "build/work_tree.hpp"
#include "cnb/environment.hpp"
#include "cnb/target.hpp"
#include "sandbox/sandbox.hpp"

namespace cib::build {

class RunEnvironment {
 public:
  // All references must outlive it.
  RunEnvironment(const WorkTree& tree, const store::Rootfs& root, const std::vector<ExtraBuildpack>& extras,
                 cnb::Environment base, cnb::EnvFiles platform_env, cnb::EnvFiles build_config, cnb::TargetInfo target,
                 sandbox::Sandbox& sandbox);

  // The buildpack from the build's own or the builder's root. Version "" asks for the only one. Throws
  // Error(detect) when there is none or its buildpack.toml is malformed, Error(buildpack_api).
  const cnb::Buildpack& buildpack(const std::string& id, const std::string& version);
  // Whether it has this file ("bin/build").
  bool has_file(const cnb::Buildpack& buildpack, const std::string& file) const;
  // Its folder as processes see it.
  static std::string folder_inside(const cnb::Buildpack& buildpack);

  // The accumulated environment; run_buildpacks adds to it.
  cnb::Environment env;

  // What a process of this buildpack gets: `env` with the user's variables, CNB_BUILDPACK_DIR, CNB_TARGET_* and what
  // the API asks for; `specific` (NAME=value) only from Buildpack API 0.8 on.
  std::vector<std::string> process_env(const cnb::Buildpack& buildpack, const std::vector<std::string>& specific) const;

  // A folder of the CNB user below /tmp: its name inside, and on this machine.
  struct Scratch {
    std::string inside;
    fs::path place;
  };
  Scratch scratch(const std::string& name);

  const WorkTree& tree() const { return m_tree; }
  sandbox::Sandbox& sandbox() { return m_sandbox; }

 private:
  const WorkTree& m_tree;
  const store::Rootfs& m_root;
  const std::vector<ExtraBuildpack>& m_extras;
  cnb::EnvFiles m_platform_env;
  cnb::EnvFiles m_build_config;
  cnb::TargetInfo m_target;
  sandbox::Sandbox& m_sandbox;
  std::map<std::string, cnb::Buildpack> m_known;  // by "id@version"
};

}  // namespace cib::build
