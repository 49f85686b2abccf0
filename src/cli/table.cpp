// The list of commands.
#include "cli/commands.hpp"

namespace cib::cli {

std::span<const Command> commands() {
  static constexpr Command table[] = {
      {"build", "make an image from the source code in a folder", build, build_help},
      {"run", "start a process of an image in the sandbox", run, run_help},
      {"builder create", "make a builder from a definition and buildpacks", builder_create, builder_create_help},
  };
  return table;
}

}  // namespace cib::cli
