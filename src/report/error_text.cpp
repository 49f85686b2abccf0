#include "report/error_text.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "report/text.hpp"

namespace cib::report {

namespace {

// "  why:  text", later lines of the text below its first.
std::string field(std::string_view name, std::string_view text) {
  std::string out = fmt::format("  {:<6}", fmt::format("{}:", name));
  for (const char c : clean_text(text)) {
    out += c;
    if (c == '\n') out += "        ";
  }
  return out + "\n";
}

}  // namespace

std::string error_text(const Error& error, bool colours) {
  const bool cancelled = error.category() == Category::cancelled;
  const std::string message = clean_text(error.message());
  std::string head = cancelled ? "cancelled" : "error";
  // "cancelled: cancelled" would say nothing twice.
  const bool telling = message != head;
  if (telling) head += ':';
  if (colours) head = fmt::format("\x1b[1;{}m{}\x1b[0m", cancelled ? 33 : 31, head);
  std::string out = telling ? fmt::format("{} {}\n", head, message) : head + "\n";
  std::string_view next = error.next();
  if (error.category() == Category::bug) {
    if (error.why().empty()) out += field("why", "this is a bug of ci-image-builder, not of the application");
    if (next.empty()) next = "report it with this output, run again with --verbose";
  }
  if (!error.why().empty()) out += field("why", error.why());
  if (!next.empty()) out += field("next", next);
  out += fmt::format("  exit code {} ({})\n", static_cast<int>(error.code()), category_name(error.category()));
  return out;
}

std::string output_block(std::string_view output, bool colours) {
  std::string out;
  LineJoiner joiner;
  const auto take = [&](std::string_view line) {
    out += fmt::format("            │ {}\n", clean_line(line, colours ? Colours::keep : Colours::strip));
  };
  joiner.add(output, take);
  joiner.flush(take);
  return out;
}

bool stderr_takes_colours(bool no_color_flag) {
  if (no_color_flag || isatty(STDERR_FILENO) == 0) return false;
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

void write_to_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      // Somebody who shares the descriptor made it non-blocking.
      pollfd writable{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
      ::poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

void print_error(const Error& error, bool no_color_flag) {
  const bool colours = stderr_takes_colours(no_color_flag);
  write_to_stderr(output_block(error.output(), colours) + error_text(error, colours));
}

}  // namespace cib::report
