#include "cnb/fields.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cnb/toml.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;

const json& empty_table() {
  static const json table = json::object();
  return table;
}

// Writing a value is recursive, so the depth is bounded before anything is parsed.
void check_depth(std::string_view text, std::string_view what) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > max_data_depth)
        throw Error(ExitCode::configuration, fmt::format("{}: nested more than {} levels deep", what, max_data_depth));
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
}

}  // namespace

json parse_json(std::string_view text, std::string_view what) {
  if (text.size() > max_data_size)
    throw Error(ExitCode::configuration, fmt::format("{}: longer than {} MiB", what, max_data_size >> 20));
  check_depth(text, what);
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    throw Error(ExitCode::configuration, fmt::format("{}: not JSON", what)).why(error.what());
  }
}

json parse_toml(std::string_view text, std::string_view file_name) {
  return json::parse(toml_to_json(text, file_name));
}

std::string_view kind_of(const json& value) {
  switch (value.type()) {
    case json::value_t::object: return "a table";
    case json::value_t::array: return "a list";
    case json::value_t::string: return "text";
    case json::value_t::boolean: return "true or false";
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float: return "a number";
    default: return "nothing";
  }
}

Fields::Fields(const json& table, std::string_view file, std::string path)
    : m_table(table), m_file(file), m_path(std::move(path)) {
  if (!table.is_object())
    throw Error(ExitCode::configuration,
                m_path.empty() ? fmt::format("{}: must be a table, not {}", m_file, kind_of(table))
                               : fmt::format("{}: {} must be a table, not {}", m_file, m_path, kind_of(table)));
}

const json* Fields::find(const std::string& key) const {
  const auto found = m_table.find(key);
  return found == m_table.end() || found->is_null() ? nullptr : &*found;
}

std::string Fields::path_of(const std::string& key) const { return m_path.empty() ? key : m_path + "." + key; }

void Fields::fail(const std::string& key, std::string_view message) const {
  throw Error(ExitCode::configuration, fmt::format("{}: {} {}", m_file, path_of(key), message));
}

bool Fields::has(const std::string& key) const { return find(key) != nullptr; }

std::string Fields::text(const std::string& key) const {
  const json* value = find(key);
  if (!value) return "";
  if (!value->is_string()) fail(key, fmt::format("must be text, not {}", kind_of(*value)));
  return value->get<std::string>();
}

bool Fields::flag(const std::string& key) const {
  const json* value = find(key);
  if (!value) return false;
  if (!value->is_boolean()) fail(key, fmt::format("must be true or false, not {}", kind_of(*value)));
  return value->get<bool>();
}

std::vector<std::string> Fields::texts(const std::string& key) const {
  const json* value = find(key);
  std::vector<std::string> list;
  if (!value) return list;
  if (!value->is_array()) fail(key, fmt::format("must be a list, not {}", kind_of(*value)));
  for (const json& element : *value) {
    if (!element.is_string()) fail(key, fmt::format("must be a list of texts, but holds {}", kind_of(element)));
    list.push_back(element.get<std::string>());
  }
  return list;
}

std::string Fields::required_text(const std::string& key) const {
  std::string value = text(key);
  if (value.empty()) fail(key, "is missing");
  return value;
}

Fields Fields::table(const std::string& key) const {
  const json* value = find(key);
  return Fields(value ? *value : empty_table(), m_file, path_of(key));
}

std::vector<Fields> Fields::tables(const std::string& key) const {
  const json* value = find(key);
  std::vector<Fields> list;
  if (!value) return list;
  if (!value->is_array()) fail(key, fmt::format("must be a list of tables, not {}", kind_of(*value)));
  for (std::size_t i = 0; i < value->size(); ++i)
    list.emplace_back((*value)[i], m_file, fmt::format("{}[{}]", path_of(key), i));
  return list;
}

std::string Fields::data(const std::string& key) const {
  const json* value = find(key);
  if (!value) return "null";
  if (!value->is_object()) fail(key, fmt::format("must be a table, not {}", kind_of(*value)));
  return value->dump();
}

}  // namespace cib::cnb
