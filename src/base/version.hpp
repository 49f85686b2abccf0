// The version of this program; the same as in CMakeLists.txt (a test compares them).
#pragma once

#include <string_view>

namespace cib {

inline constexpr std::string_view program_name = "ci-image-builder";
inline constexpr std::string_view program_version = "0.1.0";

}  // namespace cib
