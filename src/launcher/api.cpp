#include "launcher/api.hpp"

#include <charconv>

namespace cib::launcher {

std::optional<ApiVersion> parse_api(std::string_view text) {
  ApiVersion version;
  const char* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  if (minor.ec != std::errc() || minor.ptr != end) return std::nullopt;
  return version;
}

bool is_supported_platform(ApiVersion platform) {
  return platform.major == 0 && platform.minor >= 7 && platform.minor <= 14;
}

bool is_supported_buildpack(ApiVersion buildpack) {
  return buildpack.major == 0 && buildpack.minor >= 7 && buildpack.minor <= 12;
}

bool knows_overridable_arguments(ApiVersion platform) { return platform.major > 0 || platform.minor >= 10; }

bool arguments_are_defaults(ApiVersion buildpack) { return buildpack.major > 0 || buildpack.minor >= 9; }

}  // namespace cib::launcher
