// Processes that go through bash: the layers' profile scripts run first, in the shell that starts the command.
#pragma once

#include <string>
#include <vector>

#include "launcher/layers.hpp"
#include "launcher/process.hpp"

namespace cib::launcher {

// <layer>/profile.d/* and <layer>/profile.d/<type>/* of all layers, then the application's .profile.
std::vector<std::string> list_profiles(const std::vector<BuildpackLayers>& buildpacks, const std::string& type,
                                       const std::string& app_dir);

// The arguments of /bin/bash, itself first. `self` is the launcher's argv[0], which profile scripts see as $0.
std::vector<std::string> bash_arguments(const Process& process, const std::vector<std::string>& profiles,
                                        const std::string& app_dir, const std::string& self);

}  // namespace cib::launcher
