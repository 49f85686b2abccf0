// TOML in and out. Inside the program arbitrary data (layer metadata, plan metadata, store.toml) is
// carried as canonical JSON text: keys sorted bytewise, no whitespace, integers stay integers,
// "null" means absent. Everything given to these functions is hostile until it is parsed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cib::cnb {

// Longest text, in bytes, and deepest nesting that any of these functions accepts.
inline constexpr std::size_t max_data_size = 4u << 20;
inline constexpr std::size_t max_data_depth = 100;

// A TOML document as canonical JSON text of one object. Dates and times become the strings that Go's
// JSON makes of them: RFC 3339, "Z" for none, midnight for a date alone, 0000-01-01 for a time alone.
// Throws Error(configuration) "<file_name>: line L, column C: …" for what is no TOML, nested too deeply,
// too long, or a number that JSON has not (nan, inf).
std::string toml_to_json(std::string_view toml, std::string_view file_name);

// Deterministic TOML of a JSON object; members and elements that are null are left out. "null" and ""
// give an empty text. Numbers with a fraction or an exponent stay floats (1.0), as do integers beyond
// 64 bits. Throws Error(configuration) for anything else than an object, and beyond the limits.
std::string json_to_toml(std::string_view json);

// JSON text in canonical form; `what` names it in errors. Throws Error(configuration) for what is no
// JSON, nested too deeply or too long.
std::string canonical_json(std::string_view json, std::string_view what);

}  // namespace cib::cnb
