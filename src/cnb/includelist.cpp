#include "cnb/includelist.hpp"

#include <algorithm>
#include <array>

namespace cib::cnb {

bool is_included(std::string_view name) {
  static constexpr std::array<std::string_view, 14> names = {
      "CNB_STACK_ID", "HOSTNAME", "HOME",     "HTTP_PROXY",      "http_proxy",   "HTTPS_PROXY", "https_proxy",
      "NO_PROXY",     "no_proxy", "PATH",     "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH",       "PKG_CONFIG_PATH"};
  return std::ranges::find(names, name) != names.end();
}

Environment included(std::span<const std::string> variables) {
  Environment env;
  for (const std::string& variable : variables) {
    const auto equals = variable.find('=');
    if (equals == variable.npos) continue;
    const std::string name = variable.substr(0, equals);
    if (is_included(name)) env.set(name, variable.substr(equals + 1));
  }
  return env;
}

}  // namespace cib::cnb
