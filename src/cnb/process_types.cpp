#include "cnb/process_types.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace cib::cnb {

void check_process_type(std::string_view type) {
  constexpr std::string_view forbidden = R"(/><:|&\)";
  if (type.empty())
    throw Error(ExitCode::export_image, "invalid process type: type must not be empty")
        .next("give every process in the buildpack's launch.toml a type");
  if (type.find_first_of(forbidden) != type.npos)
    throw Error(ExitCode::export_image,
                fmt::format("invalid process type '{}': type may not contain characters '{}'", type, forbidden))
        .why("the type becomes a file name in the image");
  if (type == "." || type == ".." || type.find('\0') != type.npos)
    throw Error(ExitCode::export_image, fmt::format("invalid process type '{}': it is no file name", type))
        .why("the type becomes a file name in the image");
}

Entrypoint choose_entrypoint(const LaunchMetadata& launch, std::string_view asked) {
  const std::string_view type = asked.empty() ? std::string_view(launch.default_process_type) : asked;
  if (type.empty()) return {std::string(launcher_path), ""};
  if (!asked.empty() && std::ranges::find(launch.processes, asked, &Process::type) == launch.processes.end()) {
    std::string known;
    for (const Process& process : launch.processes) known += (known.empty() ? "" : ", ") + process.type;
    throw Error(ExitCode::export_image, fmt::format("tried to set {} to default but it doesn't exist", asked))
        .why(known.empty() ? "the buildpacks define no process" : fmt::format("the processes are: {}", known))
        .next("name one of them as the default process, or none");
  }
  return {fmt::format("{}/{}", process_folder, type), std::string(type)};
}

}  // namespace cib::cnb
