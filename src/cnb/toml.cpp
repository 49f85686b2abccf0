#include "cnb/toml.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.hpp"
#include "base/toml_parser.hpp"
#include "cnb/fields.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;

Error malformed(std::string_view file_name, std::size_t line, std::size_t column, std::string_view text) {
  return Error(ExitCode::configuration, fmt::format("{}: line {}, column {}: {}", file_name, line, column, text));
}

// Bounds the nesting before the parser sees the text: the parser builds, and its tree destroys itself,
// recursively, and a dotted key of some megabytes would be nested as deep. Follows strings, comments,
// brackets and key dots as the TOML grammar has them; what is no TOML ends at the parser's first error,
// up to which both agree.
class NestingGuard {
 public:
  NestingGuard(std::string_view text, std::string_view file_name) : m_text(text), m_file_name(file_name) {}

  void check() {
    m_dots.assign(1, 0);
    while (m_at < m_text.size()) {
      const char c = m_text[m_at];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') {
        while (m_at < m_text.size() && m_text[m_at] != '\n') ++m_at;
        continue;
      }
      take(c);
      ++m_at;
    }
  }

 private:
  // A dot in a number counts too; the limit leaves room for that.
  static constexpr std::size_t guard_depth = 2 * max_data_depth;

  void take(char c) {
    const bool top = m_dots.size() == 1;
    switch (c) {
      case '\n':
        ++m_line;
        m_line_start = m_at + 1;
        if (top) {
          if (m_header) m_header_dots = m_dots.back();
          m_header = m_equals = false;
          m_dots.back() = 0;
          m_sum = 0;
        }
        break;
      case '=':
        if (top) m_equals = true;
        break;
      case '.':
        ++m_dots.back();
        grow();
        break;
      case ',':
        m_sum -= m_dots.back();
        m_dots.back() = 0;
        break;
      case '[':
      case '{':
        if (top && !m_equals) {
          m_header = true;
          m_header_dots = 0;
        } else {
          m_dots.push_back(0);
          grow();
        }
        break;
      case ']':
      case '}':
        if (!top) {
          m_sum -= m_dots.back() + 1;
          m_dots.pop_back();
        }
        break;
      default: break;
    }
  }

  void grow() {
    if (++m_sum + m_header_dots > guard_depth)
      throw malformed(m_file_name, m_line, m_at - m_line_start + 1,
                      fmt::format("nested more than {} levels deep", max_data_depth));
  }

  void skip_string(char quote) {
    const bool multi = m_text.substr(m_at, 3) == std::string(3, quote);
    m_at += multi ? 3 : 1;
    while (m_at < m_text.size()) {
      const char c = m_text[m_at];
      if (c == '\n') {
        if (!multi) return;  // unterminated: the parser will say so
        ++m_line;
        m_line_start = m_at + 1;
      }
      if (c == '\\' && quote == '"') {
        // The escaped byte may be the line end of a continued line.
        m_at += m_at + 1 < m_text.size() && m_text[m_at + 1] == '\n' ? 1 : 2;
        continue;
      }
      if (c == quote) {
        if (!multi) {
          ++m_at;
          return;
        }
        if (m_text.substr(m_at, 3) == std::string(3, quote)) {
          m_at += 3;
          // A string may end in two quotes of its own: the last three close it.
          for (int more = 0; more < 2 && m_at < m_text.size() && m_text[m_at] == quote; ++more) ++m_at;
          return;
        }
      }
      ++m_at;
    }
  }

  std::string_view m_text;
  std::string_view m_file_name;
  std::size_t m_at = 0;
  std::size_t m_line = 1;
  std::size_t m_line_start = 0;
  std::vector<std::size_t> m_dots;  // of the key or value under way, one for each open bracket
  std::size_t m_sum = 0;            // dots and open brackets of this statement
  std::size_t m_header_dots = 0;    // of the [table] we are in
  bool m_header = false;            // this line is a [table] line
  bool m_equals = false;            // this top-level statement is in its value
};

std::string date_text(const toml::date& date) {
  return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

std::string time_text(const toml::time& time) {
  std::string text = fmt::format("{:02}:{:02}:{:02}", time.hour, time.minute, time.second);
  if (time.nanosecond != 0) {
    std::string fraction = fmt::format("{:09}", time.nanosecond);
    while (fraction.back() == '0') fraction.pop_back();
    text += '.' + fraction;
  }
  return text;
}

std::string offset_text(const std::optional<toml::time_offset>& offset) {
  if (!offset || offset->minutes == 0) return "Z";
  const int minutes = std::abs(offset->minutes);
  return fmt::format("{}{:02}:{:02}", offset->minutes < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

json to_json(const toml::node& node, std::string_view file_name, std::size_t depth) {
  const auto fail = [&](std::string_view text) {
    return malformed(file_name, node.source().begin.line, node.source().begin.column, text);
  };
  if (depth > max_data_depth && (node.is_table() || node.is_array()))
    throw fail(fmt::format("nested more than {} levels deep", max_data_depth));
  switch (node.type()) {
    case toml::node_type::table: {
      json object = json::object();
      for (const auto& [key, value] : *node.as_table()) object[std::string(key.str())] = to_json(value, file_name, depth + 1);
      return object;
    }
    case toml::node_type::array: {
      json array = json::array();
      for (const auto& value : *node.as_array()) array.push_back(to_json(value, file_name, depth + 1));
      return array;
    }
    case toml::node_type::string: return node.as_string()->get();
    case toml::node_type::integer: return node.as_integer()->get();
    case toml::node_type::boolean: return node.as_boolean()->get();
    case toml::node_type::floating_point: {
      const double value = node.as_floating_point()->get();
      if (!std::isfinite(value)) throw fail("nan and inf cannot be stored in an image");
      return value;
    }
    case toml::node_type::date: return date_text(node.as_date()->get()) + "T00:00:00Z";
    case toml::node_type::time: return "0000-01-01T" + time_text(node.as_time()->get()) + "Z";
    case toml::node_type::date_time: {
      const toml::date_time& value = node.as_date_time()->get();
      return date_text(value.date) + "T" + time_text(value.time) + offset_text(value.offset);
    }
    case toml::node_type::none: break;
  }
  throw fail("unknown kind of value");
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
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
          out += fmt::format("\\u{:04X}", byte);
        else
          out += c;
    }
  }
  out += '"';
}

void append_key(std::string& out, std::string_view key) {
  const bool bare = !key.empty() && key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                                          "0123456789_-") == key.npos;
  if (bare)
    out += key;
  else
    append_string(out, key);
}

void append_inline(std::string& out, const json& value) {
  bool first = true;
  const auto comma = [&] {
    if (!first) out += ", ";
    first = false;
  };
  if (value.is_object()) {
    out += '{';
    for (const auto& [key, member] : value.items()) {
      if (member.is_null()) continue;
      comma();
      append_key(out, key);
      out += " = ";
      append_inline(out, member);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (const json& element : value) {
      if (element.is_null()) continue;
      comma();
      append_inline(out, element);
    }
    out += ']';
  } else if (value.is_string()) {
    append_string(out, value.get_ref<const std::string&>());
  } else if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) {
    out += json(value.get<double>()).dump();
  } else {
    out += value.dump();
  }
}

// Arrays of objects get a [[header]] each; an array that mixes objects and other values is written inline.
bool is_table_array(const json& value) {
  if (!value.is_array()) return false;
  bool any = false;
  for (const json& element : value) {
    if (element.is_null()) continue;
    if (!element.is_object()) return false;
    any = true;
  }
  return any;
}

// Indented as the Go lifecycle does it: shell buildpacks pick lines of these files apart.
void append_table(std::string& out, const json& table, const std::string& path, std::size_t depth = 0) {
  const std::string indent(2 * depth, ' ');
  for (const auto& [key, value] : table.items()) {
    if (value.is_null() || value.is_object() || is_table_array(value)) continue;
    out += indent;
    append_key(out, key);
    out += " = ";
    append_inline(out, value);
    out += '\n';
  }
  for (const auto& [key, value] : table.items()) {
    if (!value.is_object() && !is_table_array(value)) continue;
    std::string name = path;
    if (!name.empty()) name += '.';
    append_key(name, key);
    if (value.is_object()) {
      if (!out.empty()) out += '\n';
      out += indent + '[' + name + "]\n";
      append_table(out, value, name, depth + 1);
      continue;
    }
    for (const json& element : value) {
      if (element.is_null()) continue;
      if (!out.empty()) out += '\n';
      out += indent + "[[" + name + "]]\n";
      append_table(out, element, name, depth + 1);
    }
  }
}

}  // namespace

std::string toml_to_json(std::string_view toml, std::string_view file_name) {
  if (toml.size() > max_data_size)
    throw Error(ExitCode::configuration, fmt::format("{}: longer than {} MiB", file_name, max_data_size >> 20));
  NestingGuard(toml, file_name).check();
  try {
    const toml::table table = toml::parse(toml);
    return to_json(table, file_name, 1).dump();
  } catch (const toml::parse_error& error) {
    throw malformed(file_name, error.source().begin.line, error.source().begin.column, error.description());
  } catch (const TomlAssertion&) {
    throw Error(ExitCode::configuration, fmt::format("{}: not TOML", file_name));
  }
}

std::string json_to_toml(std::string_view text) {
  if (text.empty()) return "";
  const json value = parse_json(text, "data");
  if (value.is_null()) return "";
  if (!value.is_object())
    throw Error(ExitCode::configuration, fmt::format("only an object can be written as TOML, not {}", kind_of(value)));
  std::string out;
  append_table(out, value, "");
  return out;
}

std::string canonical_json(std::string_view text, std::string_view what) { return parse_json(text, what).dump(); }

}  // namespace cib::cnb
