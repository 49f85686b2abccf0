// The way from the container's start to the process.
#pragma once

#include <string>
#include <vector>

namespace cib::launcher {

// Replaces this program by the process that `self` (argv[0]) and the user's arguments ask for; `environment` is the
// container's. Returns never; throws Failure. Nothing else of the program is changed than its current folder: signals
// and descriptors reach the process as they were.
[[noreturn]] void launch(const std::string& self, const std::vector<std::string>& user_args,
                         const char* const* environment);

}  // namespace cib::launcher
