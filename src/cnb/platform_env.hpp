// The user's variables for the build: --env, --env-file and project.toml become files of
// <platform>/env, so every name must be able to be a file's name.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/exit_code.hpp"
#include "cnb/environment.hpp"

namespace cib::cnb {

// Value of a variable of the caller's own environment; nothing when it is not set.
using HostEnv = std::function<std::optional<std::string>(const std::string& name)>;

// "NAME=value" (the value may contain "="), or "NAME" for the host's value, which is empty when unset.
// Throws Error(usage) for a name that cannot be a file's.
std::pair<std::string, std::string> parse_env_flag(std::string_view text, const HostEnv& host);

// One variable a line, as above. White space around a line, empty lines and lines that begin with "#" are
// dropped (docker's convention; pack has no comments); there are no quotes. A later line wins. Throws Error(configuration) "<file_name>: line L: …".
EnvFiles parse_env_file(std::string_view text, std::string_view file_name, const HostEnv& host);

// Throws Error(`code`) for a name that is empty, ".", "..", longer than 255 bytes, or contains "/", "=" or
// NUL, and for a value with a NUL byte.
void check_platform_variable(std::string_view name, std::string_view value, ExitCode code);

// `over` wins: project.toml < --env-file, in order < --env.
EnvFiles merged(EnvFiles under, const EnvFiles& over);

}  // namespace cib::cnb
