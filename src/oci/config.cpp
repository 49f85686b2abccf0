#include "oci/config.hpp"

#include "oci/json_fields.hpp"

namespace cib::oci {

namespace {

constexpr std::string_view document = "image configuration";

History parse_history(const Json& json) {
  if (!json.is_object()) bad_json(document, "a history entry is not an object");
  History entry;
  entry.created = string_field(json, "created", document);
  entry.created_by = string_field(json, "created_by", document);
  entry.author = string_field(json, "author", document);
  entry.comment = string_field(json, "comment", document);
  if (const auto empty = json.find("empty_layer"); empty != json.end() && empty->is_boolean())
    entry.empty_layer = empty->get<bool>();
  return entry;
}

Json history_json(const History& entry) {
  Json json = Json::object();
  if (!entry.created.empty()) json["created"] = entry.created;
  if (!entry.created_by.empty()) json["created_by"] = entry.created_by;
  if (!entry.author.empty()) json["author"] = entry.author;
  if (!entry.comment.empty()) json["comment"] = entry.comment;
  if (entry.empty_layer) json["empty_layer"] = true;
  return json;
}

template <class Value>
void set_or_erase(Json& object, const char* key, const Value& value) {
  if (value.empty())
    object.erase(key);
  else
    object[key] = value;
}

}  // namespace

std::optional<std::string> ImageConfig::variable(std::string_view name) const {
  for (const std::string& entry : env)
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
      return entry.substr(name.size() + 1);
  return std::nullopt;
}

void ImageConfig::set_variable(std::string_view name, std::string_view value) {
  const std::string replacement = fmt::format("{}={}", name, value);
  for (std::string& entry : env)
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      entry = replacement;
      return;
    }
  env.push_back(replacement);
}

std::optional<std::string> ImageConfig::label(std::string_view name) const {
  const auto found = labels.find(std::string(name));
  if (found == labels.end()) return std::nullopt;
  return found->second;
}

ImageConfig parse_config(std::string_view text) {
  Json json = parse_json(text, document);
  ImageConfig config;
  config.platform = {string_field(json, "os", document), string_field(json, "architecture", document),
                     string_field(json, "variant", document)};
  config.os_version = string_field(json, "os.version", document);
  config.created = string_field(json, "created", document);
  config.author = string_field(json, "author", document);
  const Json& rootfs = child(json, "rootfs", Json::value_t::object, document);
  for (const std::string& diff_id : string_list(rootfs, "diff_ids", document)) {
    const auto digest = Digest::try_parse(diff_id);
    if (!digest) bad_json(document, fmt::format("diffID \"{}\" is not a sha256 digest", diff_id.substr(0, 100)));
    config.diff_ids.push_back(*digest);
  }
  for (const Json& entry : child(json, "history", Json::value_t::array, document))
    config.history.push_back(parse_history(entry));
  const Json& container = child(json, "config", Json::value_t::object, document);
  config.env = string_list(container, "Env", document);
  config.entrypoint = string_list(container, "Entrypoint", document);
  config.cmd = string_list(container, "Cmd", document);
  config.working_dir = string_field(container, "WorkingDir", document);
  config.user = string_field(container, "User", document);
  config.labels = string_map(container, "Labels", document);
  config.foreign = dump(json);
  return config;
}

std::string to_json(const ImageConfig& config) {
  Json json = config.foreign.empty() ? Json::object() : Json::parse(config.foreign);
  for (const char* key : {"container", "container_config", "docker_version"}) json.erase(key);
  set_or_erase(json, "os", config.platform.os);
  set_or_erase(json, "architecture", config.platform.architecture);
  set_or_erase(json, "variant", config.platform.variant);
  set_or_erase(json, "os.version", config.os_version);
  set_or_erase(json, "created", config.created);
  set_or_erase(json, "author", config.author);
  json["rootfs"] = {{"type", "layers"}, {"diff_ids", Json::array()}};
  for (const Digest& diff_id : config.diff_ids) json["rootfs"]["diff_ids"].push_back(diff_id.str());
  json["history"] = Json::array();
  for (const History& entry : config.history) json["history"].push_back(history_json(entry));
  if (config.history.empty()) json.erase("history");
  Json container = json.contains("config") && json["config"].is_object() ? json["config"] : Json::object();
  set_or_erase(container, "Env", config.env);
  set_or_erase(container, "Entrypoint", config.entrypoint);
  set_or_erase(container, "Cmd", config.cmd);
  set_or_erase(container, "WorkingDir", config.working_dir);
  set_or_erase(container, "User", config.user);
  set_or_erase(container, "Labels", config.labels);
  json["config"] = std::move(container);
  return dump(json);
}

}  // namespace cib::oci
