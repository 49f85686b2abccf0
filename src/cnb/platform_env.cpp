#include "cnb/platform_env.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

std::pair<std::string, std::string> parse(std::string_view text, const HostEnv& host, ExitCode code) {
  const auto equals = text.find('=');
  const std::string name(text.substr(0, equals));
  // Before the host is asked: it knows no such names either.
  check_platform_variable(name, "", code);
  std::string value = equals == text.npos ? host(name).value_or("") : std::string(text.substr(equals + 1));
  check_platform_variable(name, value, code);
  return {name, std::move(value)};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n\v\f";
  const auto first = text.find_first_not_of(space);
  if (first == text.npos) return "";
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

// Names come from anywhere: nothing of them may reach a terminal as it is.
std::string shown(std::string_view name) {
  std::string text;
  for (const char c : name) text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text;
}

}  // namespace

void check_platform_variable(std::string_view name, std::string_view value, ExitCode code) {
  std::string fault;
  if (name.empty())
    fault = "is empty";
  else if (name == "." || name == "..")
    fault = "is a folder's";
  else if (name.size() > 255)
    fault = "is longer than 255 bytes";
  else if (name.find('/') != name.npos)
    fault = "contains '/'";
  else if (name.find('=') != name.npos)
    fault = "contains '='";
  else if (name.find('\0') != name.npos)
    fault = "contains a NUL byte";
  if (!fault.empty())
    throw Error(code, fmt::format("environment variable '{}': the name {}", shown(name.substr(0, 255)), fault))
        .why("buildpacks read the variables as files, so a name must be a file's name");
  if (value.find('\0') != value.npos)
    throw Error(code, fmt::format("environment variable '{}': the value contains a NUL byte", shown(name)));
}

std::pair<std::string, std::string> parse_env_flag(std::string_view text, const HostEnv& host) {
  return parse(text, host, ExitCode::usage);
}

EnvFiles parse_env_file(std::string_view text, std::string_view file_name, const HostEnv& host) {
  EnvFiles files;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    try {
      auto [name, value] = parse(line, host, ExitCode::configuration);
      files[name] = std::move(value);
    } catch (Error& error) {
      error.within(fmt::format("{}: line {}", file_name, number));
      throw;
    }
  }
  return files;
}

EnvFiles merged(EnvFiles under, const EnvFiles& over) {
  for (const auto& [name, value] : over) under[name] = value;
  return under;
}

}  // namespace cib::cnb
