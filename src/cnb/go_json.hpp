// JSON text as Go's encoder writes it, for labels that other implementations read and compare.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace cib::cnb {

// No whitespace, members in the order given, `<`, `>`, `&`, U+2028 and U+2029 escaped. Bytes that are no
// UTF-8 become U+FFFD.
std::string go_json(const nlohmann::ordered_json& value);

// One quoted string.
std::string go_json_string(std::string_view text);

// Canonical JSON text (toml.hpp) as a value to put into a label.
nlohmann::ordered_json data_value(const std::string& canonical);

// null for an empty list: Go's nil slice.
nlohmann::ordered_json null_if_empty(nlohmann::ordered_json list);

}  // namespace cib::cnb
