// Flags of a command: CLI11 does the splitting, this file the manners: grouped help with examples, and one line with
// "did you mean" instead of the whole usage when something is mistyped.
//
//   auto app = make_app("builder create", "Makes a builder …",
//                       {{"a builder from a file", "--config builder.toml -o oci:builder"}});
//   app->add_option("-c,--config", config, "the builder's definition")->type_name("FILE")->group("Input");
//   parse(*app, arguments);
//
// Groups are "Input", "Builder", "Output", "Cache", "Sandbox" and "Log", shown in this order. Options are parsed as text
// and numbers here; what the text must look like is checked by the command.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace CLI {
class App;
}

namespace cib::cli {

struct Example {
  std::string_view what;       // "an image in an OCI layout"
  std::string_view arguments;  // what follows the command: "--builder oci:builder --output oci:image"
};

// A parser without options, except -h/--help (group "Log"). `name` is the command ("builder create"); the texts must
// outlive nothing, they are copied.
std::shared_ptr<CLI::App> make_app(std::string_view name, std::string_view description,
                                   std::span<const Example> examples);
std::shared_ptr<CLI::App> make_app(std::string_view name, std::string_view description,
                                   std::initializer_list<Example> examples);

// Fills the variables that were bound to the options; of an option given twice the last one counts (vectors collect).
// What follows "--" goes to the arguments without a flag, byte for byte.
// Throws Error(usage) for an unknown flag, a missing or empty value or an argument that no option takes.
void parse(CLI::App& app, const std::vector<std::string>& arguments);

// Usage, description, options by group, examples, where the exit codes are explained.
std::string help_of(const CLI::App& app);

// Error(usage) for a value: `--rootfs: no such value "overly" (did you mean "overlay"?)`; next: the allowed ones.
// Returns the index of `value` in `allowed`.
std::size_t choose(std::string_view flag, std::string_view value, std::span<const std::string_view> allowed);

}  // namespace cib::cli
