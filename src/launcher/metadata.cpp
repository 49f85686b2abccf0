#include "launcher/metadata.hpp"

#include <toml++/toml.h>

#include <cerrno>
#include <utility>

#include "launcher/failure.hpp"
#include "launcher/file.hpp"

namespace cib::launcher {

namespace {

constexpr std::size_t file_limit = 16u << 20;

Failure malformed(std::string message) { return Failure(ExitCode::bug, std::move(message)); }

// Strings become paths and arguments of system calls, which end at a NUL.
std::string checked(const std::string& text, std::string_view key) {
  if (text.find('\0') != std::string::npos) throw malformed(std::string(key) + " contains a NUL character");
  return text;
}

std::string optional_string(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return {};
  const auto* text = node->as_string();
  if (text == nullptr) throw malformed(std::string(key) + " is not a string");
  return checked(text->get(), key);
}

bool optional_bool(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return false;
  const auto* value = node->as_boolean();
  if (value == nullptr) throw malformed(std::string(key) + " is neither true nor false");
  return value->get();
}

std::vector<std::string> strings(const toml::node* node, std::string_view key) {
  std::vector<std::string> result;
  if (node == nullptr) return result;
  const toml::array* array = node->as_array();
  if (array == nullptr) throw malformed(std::string(key) + " is not an array");
  for (const toml::node& element : *array) {
    const auto* text = element.as_string();
    if (text == nullptr) throw malformed(std::string(key) + " is not an array of strings");
    result.push_back(checked(text->get(), key));
  }
  return result;
}

Buildpack buildpack_of(const toml::table& table) {
  Buildpack buildpack;
  buildpack.id = optional_string(table, "id");
  // The id becomes a folder's name; these would name other folders.
  if (buildpack.id.empty() || buildpack.id == "." || buildpack.id == "..") {
    throw malformed("'" + buildpack.id + "' is not an id");
  }
  const std::string api = optional_string(table, "api");
  const auto version = parse_api(api);
  if (!version) {
    throw Failure(ExitCode::buildpack_api,
                  "failed to parse buildpack API '" + api + "' for buildpack '" + buildpack.id + "'");
  }
  if (!is_supported_buildpack(*version)) {
    throw Failure(ExitCode::buildpack_api, "failed to set API for buildpack '" + buildpack.id +
                                               "': buildpack API version '" + api +
                                               "' is incompatible with the lifecycle");
  }
  buildpack.api = *version;
  return buildpack;
}

ProcessEntry process_of(const toml::table& table) {
  ProcessEntry process;
  process.type = optional_string(table, "type");
  const toml::node* command = table.get("command");
  if (command != nullptr && command->is_string()) {
    process.command.push_back(optional_string(table, "command"));
  } else {
    process.command = strings(command, "command");
  }
  if (process.command.empty()) throw malformed("process type '" + process.type + "' has no command");
  process.args = strings(table.get("args"), "args");
  process.direct = optional_bool(table, "direct");
  process.working_dir = optional_string(table, "working-dir");
  process.buildpack_id = optional_string(table, "buildpack-id");
  return process;
}

template <typename Item>
std::vector<Item> items(const toml::table& root, std::string_view key, Item (*item_of)(const toml::table&)) {
  std::vector<Item> result;
  const toml::node* node = root.get(key);
  if (node == nullptr) return result;
  const toml::array* array = node->as_array();
  if (array == nullptr) throw malformed(std::string(key) + " is not an array of tables");
  for (const toml::node& element : *array) {
    const toml::table* table = element.as_table();
    if (table == nullptr) throw malformed(std::string(key) + " is not an array of tables");
    result.push_back(item_of(*table));
  }
  return result;
}

std::string read_text(const std::string& path) {
  try {
    auto text = read_file_if_exists(path, file_limit);
    if (!text) throw system_failure(ENOENT, "open", path);
    return std::move(*text);
  } catch (const Failure& failure) {
    throw malformed("failed to read metadata: " + failure.message());
  }
}

}  // namespace

std::string Buildpack::folder() const {
  std::string name = id;
  for (char& c : name) {
    if (c == '/') c = '_';
  }
  return name;
}

const ProcessEntry* Metadata::find_process(std::string_view type) const {
  for (const ProcessEntry& process : processes) {
    if (process.type == type) return &process;
  }
  return nullptr;
}

const Buildpack* Metadata::find_buildpack(std::string_view id) const {
  for (const Buildpack& buildpack : buildpacks) {
    if (buildpack.id == id) return &buildpack;
  }
  return nullptr;
}

Metadata read_metadata(const std::string& path) {
  const std::string text = read_text(path);
  const toml::parse_result parsed = toml::parse(std::string_view(text));
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    throw malformed("failed to read metadata: " + path + ":" + std::to_string(error.source().begin.line) + ": " +
                    std::string(error.description()));
  }
  Metadata metadata;
  try {
    metadata.processes = items(parsed.table(), "processes", process_of);
    metadata.buildpacks = items(parsed.table(), "buildpacks", buildpack_of);
  } catch (Failure& failure) {
    if (failure.code() == ExitCode::bug) failure.within("failed to read metadata: " + path);
    throw;
  }
  return metadata;
}

}  // namespace cib::launcher
