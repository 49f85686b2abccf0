// Runs a program of this machine (mmdebstrap) and hands on what it says, line by line.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace cib::build {

// Where `name` is found in PATH; nothing when it is not installed.
std::optional<fs::path> find_program(std::string_view name);

// Runs argv[0] (a path) in a process group of its own with exactly this environment, stdin from /dev/null; stdout and
// stderr come to `line` without their line ends. Returns the exit status, 128 + signal when a signal ended it. On a stop request the group gets SIGTERM, a second later everything in it but the
// program itself SIGKILL, so that it can clean up; then throws Error(interrupted).
// Throws Error when the program cannot be started.
int run_program(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment,
                const std::function<void(std::string_view)>& line, std::stop_token stop);

}  // namespace cib::build
