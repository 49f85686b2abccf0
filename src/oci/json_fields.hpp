// Reading foreign JSON field by field, with errors that name the field. Private to the room: it pulls in the
// JSON library.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cib::oci {

using Json = nlohmann::json;

[[noreturn]] inline void bad_json(std::string_view document, std::string_view what) {
  throw Error(ExitCode::configuration, fmt::format("{}: {}", document, what));
}

// Nesting is bounded so that a hostile document cannot exhaust the stack when it is copied or destroyed.
inline Json parse_json(std::string_view text, std::string_view document) {
  int deepest = 0;
  const auto limit = [&](int depth, Json::parse_event_t, Json&) {
    deepest = std::max(deepest, depth);
    if (depth > 100) throw Error(ExitCode::configuration, fmt::format("{}: nested too deeply", document));
    return true;
  };
  try {
    Json json = Json::parse(text, limit);
    if (!json.is_object()) bad_json(document, "not a JSON object");
    return json;
  } catch (const Json::exception& error) {
    bad_json(document, fmt::format("not JSON ({})", error.what()));
  }
}

inline std::string string_field(const Json& object, const char* key, std::string_view document) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) bad_json(document, fmt::format("\"{}\" is not a string", key));
  return found->get<std::string>();
}

inline std::uint64_t size_field(const Json& object, const char* key, std::string_view document) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer() || found->get<std::int64_t>() < 0)
    bad_json(document, fmt::format("\"{}\" is not a size in bytes", key));
  return found->get<std::uint64_t>();
}

// A list or object that may be absent or null (Go writes nil as null).
inline const Json& child(const Json& object, const char* key, Json::value_t type, std::string_view document) {
  static const Json empty_array = Json::array(), empty_object = Json::object();
  const auto found = object.find(key);
  if (found == object.end() || found->is_null())
    return type == Json::value_t::array ? empty_array : empty_object;
  if (found->type() != type)
    bad_json(document, fmt::format("\"{}\" is not {}", key, type == Json::value_t::array ? "a list" : "an object"));
  return *found;
}

inline std::map<std::string, std::string> string_map(const Json& object, const char* key, std::string_view document) {
  std::map<std::string, std::string> map;
  for (const auto& [name, value] : child(object, key, Json::value_t::object, document).items()) {
    if (!value.is_string()) bad_json(document, fmt::format("\"{}\" in \"{}\" is not a string", name, key));
    map[name] = value.get<std::string>();
  }
  return map;
}

inline std::vector<std::string> string_list(const Json& object, const char* key, std::string_view document) {
  std::vector<std::string> list;
  for (const auto& value : child(object, key, Json::value_t::array, document)) {
    if (!value.is_string()) bad_json(document, fmt::format("\"{}\" holds something else than strings", key));
    list.push_back(value.get<std::string>());
  }
  return list;
}

// Bytes that are no UTF-8 (from foreign strings) are replaced rather than thrown on.
inline std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace cib::oci
