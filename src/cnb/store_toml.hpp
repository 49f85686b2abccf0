// store.toml: what a buildpack wants to remember from build to build (buildpack spec "store.toml"). Inside the program
// it is canonical JSON of the whole, {"metadata":{…}}; "null" when there is no such file.
#pragma once

#include <string>
#include <string_view>

#include "base/exit_code.hpp"

namespace cib::cnb {

// Only [metadata] is taken. Malformed: Error(code).
std::string parse_store_toml(std::string_view text, std::string_view file, ExitCode code = ExitCode::export_image);

// The file's text; empty when there is no metadata.
std::string write_store_toml(const std::string& store_json);

}  // namespace cib::cnb
