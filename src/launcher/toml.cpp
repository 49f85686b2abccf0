#include "launcher/toml.hpp"

#include "base/toml_parser.hpp"
#include "launcher/failure.hpp"

namespace cib::launcher {

namespace {

// Most dots outside of strings that one statement may have; a key of that many parts is a table in a table in a
// table, which is destroyed recursively. Brackets are limited by the parser.
constexpr std::size_t dots_limit = 1000;

Failure malformed(std::size_t line, std::string_view problem) {
  return launch_failure("line " + std::to_string(line) + ": " + std::string(problem));
}

// The position after the string that starts at `at`. An unterminated one-line string ends at its line's end: the
// parser goes no further than that.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const bool multi_line = text.substr(at, 3) == std::string(3, quote);
  at += multi_line ? 3 : 1;
  while (at < text.size()) {
    if (text[at] == '\\' && quote == '"') {
      at += 2;
    } else if (text[at] == '\n' && !multi_line) {
      return at;
    } else if (text[at] != quote) {
      ++at;
    } else if (!multi_line) {
      return at + 1;
    } else if (text.substr(at, 3) == std::string(3, quote)) {
      at += 3;
      // Up to two quotes may stand before the closing three.
      for (int more = 0; more < 2 && at < text.size() && text[at] == quote; ++more) ++at;
      return at;
    } else {
      ++at;
    }
  }
  return text.size();
}

void check_nesting(std::string_view text) {
  std::size_t dots = 0;
  std::size_t open_brackets = 0;
  std::size_t at = 0;
  const auto line = [&] {
    std::size_t number = 1;
    for (const char c : text.substr(0, at)) number += c == '\n' ? 1 : 0;
    return number;
  };
  while (at < text.size()) {
    switch (text[at]) {
      case '"':
      case '\'': at = end_of_string(text, at); continue;
      case '#':
        while (at < text.size() && text[at] != '\n') ++at;
        continue;
      case '[':
      case '{': ++open_brackets; break;
      case ']':
      case '}':
        if (open_brackets > 0) --open_brackets;
        break;
      case '.':
        if (++dots > dots_limit) throw malformed(line(), "nested too deeply");
        break;
      case '\n':
        if (open_brackets == 0) dots = 0;
        break;
      default: break;
    }
    ++at;
  }
}

TomlValue value_of(const toml::node& node) {
  TomlValue value;
  if (const auto* text = node.as_string()) {
    value.kind = TomlValue::Kind::string;
    value.text = text->get();
  } else if (const auto* truth = node.as_boolean()) {
    value.kind = TomlValue::Kind::boolean;
    value.truth = truth->get();
  } else if (const toml::array* array = node.as_array()) {
    value.kind = TomlValue::Kind::array;
    for (const toml::node& element : *array) value.elements.push_back(value_of(element));
  } else if (const toml::table* table = node.as_table()) {
    for (const auto& [key, member] : *table) value.members.emplace(key.str(), value_of(member));
  } else {
    value.kind = TomlValue::Kind::other;
  }
  return value;
}

}  // namespace

const TomlValue* TomlValue::find(std::string_view key) const {
  const auto found = members.find(key);
  return found == members.end() ? nullptr : &found->second;
}

TomlValue parse_toml(std::string_view text) {
  check_nesting(text);
  try {
    return value_of(toml::parse(text));
  } catch (const toml::parse_error& error) {
    throw malformed(error.source().begin.line, error.description());
  } catch (const TomlAssertion& error) {
    throw launch_failure(error.what());
  }
}

}  // namespace cib::launcher
