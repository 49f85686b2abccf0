// TOML values as the Go lifecycle's encoder writes them: metadata.toml is part of an image, so that equal builds need
// equal bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cib::cnb {

// A quoted basic string: quote, backslash and control characters (DEL too) escaped, nothing else.
std::string go_toml_string(std::string_view text);

// ["a", "b"]
std::string go_toml_array(const std::vector<std::string>& texts);

}  // namespace cib::cnb
