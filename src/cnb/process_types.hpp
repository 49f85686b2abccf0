// Process types at export: which names are allowed, and which one the image starts with.
#pragma once

#include <string>
#include <string_view>

#include "cnb/launch.hpp"

namespace cib::cnb {

inline constexpr std::string_view launcher_path = "/cnb/lifecycle/launcher";
inline constexpr std::string_view process_folder = "/cnb/process";

// A type becomes a file name in process_folder. An empty one, and one with any of / > < : | & \ is
// Error(export_image). Also refused: "." and "..", a NUL.
void check_process_type(std::string_view type);

struct Entrypoint {
  std::string path;  // "/cnb/process/web", or the bare launcher
  std::string type;  // empty: no default process, the container needs a command
  bool operator==(const Entrypoint&) const = default;
};

// `asked`: the type that the user wants, empty for none. Throws Error(export_image) when there is no such process.
Entrypoint choose_entrypoint(const LaunchMetadata& launch, std::string_view asked);

}  // namespace cib::cnb
