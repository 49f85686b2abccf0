#include "cnb/go_toml.hpp"

#include <fmt/format.h>

namespace cib::cnb {

std::string go_toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\f': out += "\\f"; break;
      case '\r': out += "\\r"; break;
      default:
        if (byte < 0x20 || byte == 0x7f)
          out += fmt::format("\\u{:04x}", byte);
        else
          out += c;
    }
  }
  return out + '"';
}

std::string go_toml_array(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ", ";
    out += go_toml_string(text);
  }
  return out + ']';
}

}  // namespace cib::cnb
