// What ends a launch, and how it is told. The texts follow the reference launcher's, so that what people search
// for is found; they go to standard output, where a container's log shows them among the application's lines.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "base/exit_code.hpp"

namespace cib::launcher {

// The launch cannot go on; `message` is shown and the process ends with `code`.
class Failure : public std::exception {
 public:
  Failure(ExitCode code, std::string message) : m_code(code), m_message(std::move(message)) {}

  // Puts "<text>: " before the message, on the way up.
  Failure& within(std::string_view text);

  ExitCode code() const { return m_code; }
  const std::string& message() const { return m_message; }
  const char* what() const noexcept override { return m_message.c_str(); }

 private:
  ExitCode m_code;
  std::string m_message;
};

// What is done here, for the messages of the failures that pass: "<text>: <message>".
template <typename Action>
auto within(std::string_view text, Action action) {
  try {
    return action();
  } catch (Failure& failure) {
    failure.within(text);
    throw;
  }
}

// A Failure with ExitCode::launch.
Failure launch_failure(std::string message);

// The same for a failed system call: "<call> <path>: <error>", as in "open /x: permission denied".
Failure system_failure(int error_number, std::string_view call, std::string_view path);

// The error's text, in lower case and without asking the locale.
std::string error_text(int error_number);
// The same for a signal.
std::string signal_text(int signal_number);

// The text between double quotes, its quotes, backslashes and control characters escaped.
std::string quoted(std::string_view text);

// Whole lines to standard output; a write error is ignored, as nobody is left to hear of it.
void print_error(std::string_view message);
void print_warning(std::string_view message);

}  // namespace cib::launcher
