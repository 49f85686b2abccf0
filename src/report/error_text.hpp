// A failure in words: what happened, why, what to do next, how the process ends.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cib::report {

//   error: buildpack x/y 1.0 failed
//     why:  …
//     next: …
//     exit code 51 (user build)
// A cancelled build begins with "cancelled:", a fault of ours says so. Ends with a newline. The error's output is not part of it.
std::string error_text(const Error& error, bool colours);

// Lines of output under what they belong to: "            │ line", each cleaned, ending with a newline.
std::string output_block(std::string_view output, bool colours);

// May stderr be coloured? A terminal that is not dumb, without NO_COLOR and without --no-color.
bool stderr_takes_colours(bool no_color_flag);

// All of it to descriptor 2, however slow the reader is; a reader that has gone is no error.
void write_to_stderr(std::string_view text);

// output_block and error_text to stderr.
void print_error(const Error& error, bool no_color_flag = false);

}  // namespace cib::report
