// Which process is started, with which arguments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "launcher/api.hpp"
#include "launcher/metadata.hpp"

namespace cib::launcher {

struct Process {
  std::string type;                  // empty for a command of the user's
  std::vector<std::string> command;  // at least one
  std::vector<std::string> args;
  bool direct = false;               // false: through bash, after the profile scripts
  std::string working_dir;           // empty: the application's folder
};

// The last part of a path: "web" of "/cnb/process/web".
std::string_view base_name(std::string_view path);

// The process of the type that `self` (argv[0]) is named after, with the user's arguments; otherwise the user's
// arguments are the command, direct after "--". Throws Failure when there is none.
Process select_process(const Metadata& metadata, ApiVersion platform, std::string_view self,
                       const std::vector<std::string>& user_args);

}  // namespace cib::launcher
