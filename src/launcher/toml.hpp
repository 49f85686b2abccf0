// TOML of unknown origin, as plain values.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cib::launcher {

struct TomlValue {
  enum class Kind { string, boolean, array, table, other };  // other: numbers, dates, times
  Kind kind = Kind::table;
  bool truth = false;
  std::string text;
  std::vector<TomlValue> elements;
  std::map<std::string, TomlValue, std::less<>> members;

  // The member of a table; nullptr when there is none.
  const TomlValue* find(std::string_view key) const;
};

// The document as a table. Throws Failure (82) "line <number>: <problem>" for what is no TOML, and for what is nested
// so deeply that handling it could exhaust the stack.
TomlValue parse_toml(std::string_view text);

}  // namespace cib::launcher
