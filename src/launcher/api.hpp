// API versions, and what depends on them at launch. Nothing else compares versions.
#pragma once

#include <optional>
#include <string_view>

namespace cib::launcher {

struct ApiVersion {
  unsigned major = 0;
  unsigned minor = 0;
};

// "0.12"; nothing for anything else.
std::optional<ApiVersion> parse_api(std::string_view text);

bool is_supported_platform(ApiVersion platform);
bool is_supported_buildpack(ApiVersion buildpack);

// Platform API 0.10: the arguments of a command may be ones that always stay, and ones that the user's replace.
bool knows_overridable_arguments(ApiVersion platform);
// Buildpack API 0.9: the arguments of its processes are defaults, replaced by the user's.
bool arguments_are_defaults(ApiVersion buildpack);

}  // namespace cib::launcher
