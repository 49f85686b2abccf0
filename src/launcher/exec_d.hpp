// exec.d: programs in layers that set variables right before the process starts.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/environment.hpp"
#include "launcher/layers.hpp"

namespace cib::launcher {

// The variables in a helper's output: TOML of KEY = "value" and nothing else; empty is fine. Throws Failure.
std::map<std::string, std::string> parse_exec_d(std::string_view output);

// Runs <layer>/exec.d/* and <layer>/exec.d/<type>/* one after the other, each with the environment so far, the current
// folder, nothing on standard input and a pipe as descriptor 3, and sets what they write there. Throws Failure when one
// cannot be run, fails, or writes something else.
void run_exec_d(Environment& environment, const std::vector<BuildpackLayers>& buildpacks, const std::string& type);

}  // namespace cib::launcher
