#include "cnb/go_json.hpp"

#include <nlohmann/json.hpp>

namespace cib::cnb {

using nlohmann::ordered_json;

std::string go_json(const ordered_json& value) {
  const std::string plain = value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  std::string out;
  out.reserve(plain.size() + 16);
  // These occur only inside strings, so the text can be taken byte by byte.
  for (std::size_t i = 0; i < plain.size(); ++i) {
    switch (plain[i]) {
      case '<': out += "\\u003c"; break;
      case '>': out += "\\u003e"; break;
      case '&': out += "\\u0026"; break;
      case '\xe2':
        if (plain.compare(i, 3, "\xe2\x80\xa8") == 0 || plain.compare(i, 3, "\xe2\x80\xa9") == 0) {
          out += plain[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
          i += 2;
          break;
        }
        [[fallthrough]];
      default: out += plain[i];
    }
  }
  return out;
}

std::string go_json_string(std::string_view text) { return go_json(ordered_json(std::string(text))); }

ordered_json data_value(const std::string& canonical) {
  return canonical.empty() ? ordered_json(nullptr) : ordered_json::parse(canonical);
}

ordered_json null_if_empty(ordered_json list) {
  return list.empty() ? ordered_json(nullptr) : list;
}

}  // namespace cib::cnb
