// Files that are part of the program, so that it needs nothing beside itself: the embedded buildpacks, the definition
// of the embedded builder, and the launcher. Put in by cmake/Embed.cmake.
#pragma once

#include <string_view>
#include <vector>

namespace cib::build {

struct EmbeddedFile {
  std::string_view name;  // "buildpacks/python/bin/build"
  std::string_view contents;
  bool executable = false;
};

// Sorted by name.
const std::vector<EmbeddedFile>& embedded_files();

// The static program for /cnb/lifecycle/launcher.
std::string_view embedded_launcher();

}  // namespace cib::build
