// ci-image-builder: container images from source code, with Cloud Native Buildpacks and without a Docker daemon.
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "sandbox/helper.hpp"

int main(int argc, char** argv) {
  // Started by ourselves as the sandbox's helper, we are only that.
  if (const std::optional<int> code = cib::sandbox::maybe_helper(argc, argv)) return *code;
  return cib::cli::main_of(cib::cli::commands(), std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
