// The commands of the program: their table, how one is chosen, help, and what a failure looks like.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cib::cli {

// A new command is one file (its two functions, declared below) and one row in commands() (table.cpp).
struct Command {
  std::string_view name;     // one word or two: "build", "builder create"
  std::string_view summary;  // one line for the overview
  // Given what follows the name (never --help); returns the exit code. Throws Error, which is printed by main_of,
  // unless the command has already said it (through a log) and returns its code instead.
  int (*run)(const std::vector<std::string>& arguments);
  std::string (*help)();  // the whole text, made by help_of (parser.hpp)
};

int build(const std::vector<std::string>& arguments);           // build.cpp
std::string build_help();                                       // build_options.cpp
int builder_create(const std::vector<std::string>& arguments);  // builder_create.cpp
std::string builder_create_help();                              // builder_create.cpp
int run(const std::vector<std::string>& arguments);             // run_image.cpp
std::string run_help();                                         // run_image.cpp

// The table, in the order of the overview.
std::span<const Command> commands();

// The overview: what the program is, its commands, where help is.
std::string overview(std::span<const Command> table);

// Runs the command that `arguments` (without the program's name) begin with; `help`, `version`, --help anywhere and
// --version are handled here. Throws Error(usage) with "did you mean" for a command that does not exist.
int dispatch(std::span<const Command> table, const std::vector<std::string>& arguments);

// dispatch, with every exception printed to stderr and turned into its exit code: what main() returns.
int main_of(std::span<const Command> table, const std::vector<std::string>& arguments);

}  // namespace cib::cli
