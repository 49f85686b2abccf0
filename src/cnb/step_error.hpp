// Parsers say Error(configuration). Where the text was left behind by a buildpack, the failure belongs to
// the phase that reads it, and so does the exit code.
#pragma once

#include "base/error.hpp"

namespace cib::cnb {

// Calls `read`; an Error(configuration) of it becomes Error(code) with the same words.
template <typename Read>
auto with_exit_code(ExitCode code, Read&& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.code() != ExitCode::configuration) throw;
    throw Error(code, error.message()).why(error.why()).next(error.next());
  }
}

}  // namespace cib::cnb
