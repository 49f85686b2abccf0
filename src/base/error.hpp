// The one exception of the program: what happened, why, what to do next, and how the process ends.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "base/exit_code.hpp"

namespace cib {

// What a pipeline may decide on; printed by reports as category_name().
enum class Category {
  bug,            // ours
  usage,          // the command line
  configuration,  // files, references, images that the user named
  detect,         // no buildpack group fits
  user_build,     // the application or its dependencies
  lifecycle,      // a buildpack broke its contract
  unavailable,    // registry or network, worth a retry
  permission,     // authentication, authorisation
  disk,           // space or I/O
  cancelled,      // SIGINT, SIGTERM
};

std::string_view category_name(Category category);

// The category that belongs to an exit code.
Category category_of(ExitCode code);

// A failure that ends a step. Outcomes that the caller chooses on (a cache miss, a 404) are no Errors.
//
//   throw Error(ExitCode::configuration, fmt::format("{}: no such builder", ref))
//       .why("the layout has no index.json")
//       .next("name a folder made by `builder create`");
class Error : public std::exception {
 public:
  Error(ExitCode code, std::string message);

  // The cause, in one sentence. A later call replaces an earlier one.
  Error& why(std::string text) &;
  Error&& why(std::string text) &&;
  // What the reader can do now, in one sentence.
  Error& next(std::string text) &;
  Error&& next(std::string text) &&;
  // Puts "<text>: " before the message; used on the way up to name the thing that was worked on.
  Error& within(std::string_view text) &;
  Error&& within(std::string_view text) &&;
  // The failing unit's last output lines (a buildpack's), shown even with --quiet.
  Error& output(std::string text) &;
  Error&& output(std::string text) &&;

  ExitCode code() const { return m_code; }
  Category category() const { return category_of(m_code); }
  const std::string& message() const { return m_message; }
  const std::string& why() const { return m_why; }
  const std::string& next() const { return m_next; }
  const std::string& output() const { return m_output; }
  const char* what() const noexcept override { return m_message.c_str(); }

 private:
  ExitCode m_code;
  std::string m_message;
  std::string m_why;
  std::string m_next;
  std::string m_output;
};

// An Error for a failed system call: "<what>: <strerror>". ENOSPC, EDQUOT, EIO and EROFS become
// ExitCode::disk; EACCES and EPERM become ExitCode::permission; everything else is `otherwise`.
Error system_error(int error_number, std::string_view what, ExitCode otherwise = ExitCode::bug);

// What another exception than Error means: one of std::filesystem as system_error says, any other is a bug of ours.
Error error_of(const std::exception& exception);

}  // namespace cib
