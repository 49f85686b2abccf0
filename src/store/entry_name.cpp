#include "store/entry_name.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace cib::store {

namespace {

// Calls `part` with every component that is neither empty nor ".".
template <class Part>
void each_component(std::string_view path, Part&& part) {
  while (!path.empty()) {
    const std::size_t end = path.find('/');
    const std::string_view component = path.substr(0, end);
    if (!component.empty() && component != ".") part(component);
    if (end == std::string_view::npos) return;
    path.remove_prefix(end + 1);
  }
}

}  // namespace

std::string normalise_entry_name(std::string_view name) {
  const auto refuse = [&](std::string_view reason) {
    return Error(ExitCode::configuration, fmt::format("entry {}: {}", quote_name(name), reason));
  };
  if (name.empty()) throw refuse("the name is empty");
  if (name.size() > max_entry_name) throw refuse(fmt::format("the name is longer than {} bytes", max_entry_name));
  if (name.find('\0') != std::string_view::npos) throw refuse("the name holds a NUL byte");
  std::string result;
  result.reserve(name.size());
  std::size_t depth = 0;
  each_component(name, [&](std::string_view component) {
    if (component == "..") throw refuse("the name leads out of the root with '..'");
    if (++depth > max_entry_depth) throw refuse(fmt::format("the name is more than {} folders deep", max_entry_depth));
    if (!result.empty()) result += '/';
    result += component;
  });
  return result;
}

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  each_component(path, [&](std::string_view component) { parts.emplace_back(component); });
  return parts;
}

SplitName split_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::string join_name(std::string_view folder, std::string_view name) {
  std::string path;
  path.reserve(folder.size() + 1 + name.size());
  path += folder;
  if (!folder.empty()) path += '/';
  path += name;
  return path;
}

std::string quote_name(std::string_view name) {
  std::string text = "'";
  for (const char c : name.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      text += fmt::format("\\x{:02x}", byte);
    else
      text += c;
  }
  if (name.size() > 200) text += "...";
  return text + "'";
}

}  // namespace cib::store
