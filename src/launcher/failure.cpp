#include "launcher/failure.hpp"

#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace cib::launcher {

namespace {

bool wants_color() {
  const char* value = std::getenv("CNB_NO_COLOR");
  if (value == nullptr) return true;
  const std::string_view text = value;
  return text != "1" && text != "t" && text != "T" && text != "true" && text != "TRUE" && text != "True";
}

void print_line(std::string_view color, std::string_view label, std::string_view message) {
  std::string line;
  if (wants_color()) {
    line.append("\x1b[").append(color).append("m").append(label).append("\x1b[0m");
  } else {
    line.append(label);
  }
  line.append(message).push_back('\n');
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t written = write(STDOUT_FILENO, rest.data(), rest.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

// "No such file", but "RPC timed out": only a capital before a small letter starts a sentence.
std::string uncapitalized(const char* description, std::string unknown) {
  if (description == nullptr) return unknown;
  std::string text = description;
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && (text[1] < 'A' || text[1] > 'Z')) text[0] += 'a' - 'A';
  return text;
}

}  // namespace

Failure& Failure::within(std::string_view text) {
  m_message.insert(0, ": ").insert(0, text);
  return *this;
}

Failure launch_failure(std::string message) { return Failure(ExitCode::launch, std::move(message)); }

Failure system_failure(int error_number, std::string_view call, std::string_view path) {
  std::string message(call);
  message.append(" ").append(path).append(": ").append(error_text(error_number));
  return launch_failure(std::move(message));
}

std::string error_text(int error_number) {
  return uncapitalized(strerrordesc_np(error_number), "errno " + std::to_string(error_number));
}

std::string signal_text(int signal_number) {
  return uncapitalized(sigdescr_np(signal_number), "number " + std::to_string(signal_number));
}

std::string quoted(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result.append(1, '\\').append(1, c);
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      result.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    } else {
      result += c;
    }
  }
  return result + '"';
}

void print_error(std::string_view message) { print_line("31;1", "ERROR: ", message); }

void print_warning(std::string_view message) { print_line("33;1", "Warning: ", message); }

}  // namespace cib::launcher
