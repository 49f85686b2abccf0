#include "launcher/metadata.hpp"

#include <cerrno>
#include <utility>

#include "launcher/failure.hpp"
#include "launcher/file.hpp"
#include "launcher/toml.hpp"

namespace cib::launcher {

namespace {

constexpr std::size_t file_limit = 16u << 20;

Failure malformed(std::string message) { return Failure(ExitCode::bug, std::move(message)); }

// Strings become paths and arguments of system calls, which end at a NUL.
std::string checked(const std::string& text, std::string_view key) {
  if (text.find('\0') != std::string::npos) throw malformed(std::string(key) + " contains a NUL character");
  return text;
}

std::string optional_string(const TomlValue& table, std::string_view key) {
  const TomlValue* value = table.find(key);
  if (value == nullptr) return {};
  if (value->kind != TomlValue::Kind::string) throw malformed(std::string(key) + " is not a string");
  return checked(value->text, key);
}

bool optional_bool(const TomlValue& table, std::string_view key) {
  const TomlValue* value = table.find(key);
  if (value == nullptr) return false;
  if (value->kind != TomlValue::Kind::boolean) throw malformed(std::string(key) + " is neither true nor false");
  return value->truth;
}

std::vector<std::string> strings(const TomlValue* array, std::string_view key) {
  std::vector<std::string> result;
  if (array == nullptr) return result;
  if (array->kind != TomlValue::Kind::array) throw malformed(std::string(key) + " is not an array");
  for (const TomlValue& element : array->elements) {
    if (element.kind != TomlValue::Kind::string) throw malformed(std::string(key) + " is not an array of strings");
    result.push_back(checked(element.text, key));
  }
  return result;
}

Buildpack buildpack_of(const TomlValue& table) {
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

ProcessEntry process_of(const TomlValue& table) {
  ProcessEntry process;
  process.type = optional_string(table, "type");
  const TomlValue* command = table.find("command");
  if (command != nullptr && command->kind == TomlValue::Kind::string) {
    process.command.push_back(optional_string(table, "command"));
  } else {
    process.command = strings(command, "command");
  }
  if (process.command.empty()) throw malformed("process type '" + process.type + "' has no command");
  process.args = strings(table.find("args"), "args");
  process.direct = optional_bool(table, "direct");
  process.working_dir = optional_string(table, "working-dir");
  process.buildpack_id = optional_string(table, "buildpack-id");
  return process;
}

template <typename Item>
std::vector<Item> items(const TomlValue& root, std::string_view key, Item (*item_of)(const TomlValue&)) {
  std::vector<Item> result;
  const TomlValue* array = root.find(key);
  if (array == nullptr) return result;
  if (array->kind != TomlValue::Kind::array) throw malformed(std::string(key) + " is not an array of tables");
  for (const TomlValue& element : array->elements) {
    if (element.kind != TomlValue::Kind::table) throw malformed(std::string(key) + " is not an array of tables");
    result.push_back(item_of(element));
  }
  return result;
}

std::string read_text(const std::string& path) {
  auto text = read_file_if_exists(path, file_limit);
  if (!text) throw system_failure(ENOENT, "open", path);
  return std::move(*text);
}

Metadata metadata_of(const TomlValue& document) {
  return {.buildpacks = items(document, "buildpacks", buildpack_of),
          .processes = items(document, "processes", process_of)};
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
  constexpr std::string_view step = "failed to read metadata";
  std::string text;
  try {
    text = read_text(path);
  } catch (const Failure& failure) {
    throw malformed(failure.message()).within(step);
  }
  try {
    return metadata_of(parse_toml(text));
  } catch (const Failure& failure) {
    if (failure.code() == ExitCode::buildpack_api) throw;
    throw malformed(failure.message()).within(path).within(step);
  }
}

}  // namespace cib::launcher
