// Names of archive entries. They are foreign: whatever they say, an entry lands below the folder it is unpacked to.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cib::store {

inline constexpr std::size_t max_entry_name = 4096;  // bytes
inline constexpr std::size_t max_entry_depth = 255;  // components

// The name relative to the root of the tree: without leading '/' and './', without '.' and doubled or trailing
// slashes; "" is the root itself. A ".." component, an empty name, a NUL, too long a name or too many
// components: Error(configuration) that quotes the name.
std::string normalise_entry_name(std::string_view name);

// The components of a path, "." and empty ones left out; ".." stays.
std::vector<std::string> split_path(std::string_view path);

// "a/b" -> {"a", "b"}; "b" -> {"", "b"}. Of normalised names.
struct SplitName {
  std::string_view folder;
  std::string_view name;
};
SplitName split_name(std::string_view path);

std::string join_name(std::string_view folder, std::string_view name);

// In quotes, control bytes as \xNN and cut after 200 bytes: what a hostile name may look like in a message.
std::string quote_name(std::string_view name);

}  // namespace cib::store
