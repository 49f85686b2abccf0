#include "launcher/environment.hpp"

#include <algorithm>
#include <utility>

#include "launcher/failure.hpp"
#include "launcher/file.hpp"

namespace cib::launcher {

namespace {

// The kernel takes no string longer than 128 KiB; with room for what is appended to it.
constexpr std::size_t value_limit = 1u << 20;

constexpr std::string_view launcher_variables[] = {"CNB_APP_DIR", "CNB_DEPRECATION_MODE", "CNB_LAYERS_DIR",
                                                   "CNB_PLATFORM_API", "CNB_PROCESS_TYPE"};
constexpr std::string_view launcher_folders[] = {"/cnb/process", "/cnb/lifecycle"};

template <std::size_t Size>
bool contains(const std::string_view (&list)[Size], std::string_view text) {
  return std::find(list, list + Size, text) != list + Size;
}

std::string without_launcher_folders(std::string_view path) {
  std::string result;
  bool first = true;
  for (;;) {
    const std::size_t colon = path.find(':');
    const std::string_view folder = path.substr(0, colon);
    if (!contains(launcher_folders, folder)) {
      if (!first) result += ':';
      result += folder;
      first = false;
    }
    if (colon == std::string_view::npos) return result;
    path.remove_prefix(colon + 1);
  }
}

std::string read_value(const std::string& path) {
  auto value = read_file_if_exists(path, value_limit);
  if (!value) return {};
  if (value->find('\0') != std::string::npos) throw launch_failure("read " + path + ": a value with a NUL character");
  return std::move(*value);
}

}  // namespace

Environment::Environment(const char* const* entries) {
  for (; entries != nullptr && *entries != nullptr; ++entries) {
    const std::string_view entry = *entries;
    const std::size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string_view::npos) continue;
    const std::string_view name = entry.substr(0, equals);
    if (!contains(launcher_variables, name)) set(name, std::string(entry.substr(equals + 1)));
  }
  if (const auto path = m_values.find("PATH"); path != m_values.end()) {
    path->second = without_launcher_folders(path->second);
  }
}

const std::string& Environment::get(std::string_view name) const {
  static const std::string none;
  const auto found = m_values.find(name);
  return found == m_values.end() ? none : found->second;
}

void Environment::set(std::string_view name, std::string value) {
  m_values.insert_or_assign(std::string(name), std::move(value));
}

void Environment::prepend_path(std::string_view name, const std::string& folder) {
  const std::string& old = get(name);
  set(name, old.empty() ? folder : folder + ':' + old);
}

void Environment::add_root(const std::string& layer) {
  if (const std::string bin = layer + "/bin"; is_folder(bin)) prepend_path("PATH", bin);
  if (const std::string lib = layer + "/lib"; is_folder(lib)) prepend_path("LD_LIBRARY_PATH", lib);
}

void Environment::add_files(const std::string& folder) {
  for (const std::string& file : list_folder(folder, Listed::files)) {
    const std::size_t dot = file.find('.');
    const std::string name = file.substr(0, dot);
    const std::string_view action =
        dot == std::string::npos ? std::string_view("override") : std::string_view(file).substr(dot + 1);
    // "delim" is read with its append or prepend; anything unknown is left alone. A file is no variable's when its
    // name cannot be a variable's.
    if (name.empty() || name.find('=') != std::string::npos) continue;
    if (action == "override") {
      set(name, read_value(folder + '/' + file));
    } else if (action == "default") {
      if (get(name).empty()) set(name, read_value(folder + '/' + file));
    } else if (action == "append" || action == "prepend") {
      std::string value = read_value(folder + '/' + file);
      const std::string old = get(name);
      if (!old.empty()) {
        const std::string delimiter = read_value(folder + '/' + name + ".delim");
        value = action == "append" ? old + delimiter + value : value + delimiter + old;
      }
      set(name, std::move(value));
    }
  }
}

std::vector<std::string> Environment::list() const {
  std::vector<std::string> entries;
  entries.reserve(m_values.size());
  for (const auto& [name, value] : m_values) entries.push_back(name + '=' + value);
  return entries;
}

void add_layers(Environment& environment, const std::vector<BuildpackLayers>& buildpacks, const std::string& type) {
  for (const BuildpackLayers& layers : buildpacks) {
    // All folders of a buildpack come before its files: a file may append to what they set.
    for (const std::string& layer : layers) environment.add_root(layer);
    for (const std::string& layer : layers) {
      environment.add_files(layer + "/env");
      environment.add_files(layer + "/env.launch");
      if (!type.empty()) environment.add_files(layer + "/env.launch/" + type);
    }
  }
}

}  // namespace cib::launcher
