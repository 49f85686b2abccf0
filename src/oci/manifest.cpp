#include "oci/manifest.hpp"

#include "oci/json_fields.hpp"

namespace cib::oci {

namespace {

constexpr std::size_t most_layers = 1000;

Descriptor parse_descriptor(const Json& json, std::string_view document) {
  if (!json.is_object()) bad_json(document, "a descriptor is not an object");
  Descriptor descriptor;
  descriptor.media_type = string_field(json, "mediaType", document);
  const auto digest = Digest::try_parse(string_field(json, "digest", document));
  if (!digest) bad_json(document, "a descriptor's \"digest\" is not a sha256 digest");
  descriptor.digest = *digest;
  descriptor.size = size_field(json, "size", document);
  descriptor.annotations = string_map(json, "annotations", document);
  if (json.contains("platform")) {
    const Json& platform = child(json, "platform", Json::value_t::object, document);
    descriptor.platform = Platform{string_field(platform, "os", document),
                                   string_field(platform, "architecture", document),
                                   string_field(platform, "variant", document)};
  }
  return descriptor;
}

// Keys in the specification's order; readers do not care, people do.
nlohmann::ordered_json descriptor_json(const Descriptor& descriptor) {
  nlohmann::ordered_json json;
  json["mediaType"] = descriptor.media_type;
  json["digest"] = descriptor.digest.str();
  json["size"] = descriptor.size;
  if (!descriptor.annotations.empty()) json["annotations"] = descriptor.annotations;
  if (descriptor.platform) {
    json["platform"]["architecture"] = descriptor.platform->architecture;
    json["platform"]["os"] = descriptor.platform->os;
    if (!descriptor.platform->variant.empty()) json["platform"]["variant"] = descriptor.platform->variant;
  }
  return json;
}

void check_schema(const Json& json, std::string_view document) {
  const auto found = json.find("schemaVersion");
  if (found == json.end() || !found->is_number_integer() || found->get<std::int64_t>() != 2)
    bad_json(document, "\"schemaVersion\" is not 2");
}

}  // namespace

bool is_index(std::string_view text) {
  const Json json = parse_json(text, "manifest");
  const auto type = string_field(json, "mediaType", "manifest");
  if (type == media_type::oci_index || type == media_type::docker_index) return true;
  return type.empty() && json.contains("manifests");
}

Manifest parse_manifest(std::string_view text) {
  const std::string_view document = "image manifest";
  const Json json = parse_json(text, document);
  check_schema(json, document);
  Manifest manifest;
  manifest.media_type = string_field(json, "mediaType", document);
  if (manifest.media_type.empty()) manifest.media_type = media_type::oci_manifest;
  if (manifest.media_type != media_type::oci_manifest && manifest.media_type != media_type::docker_manifest)
    bad_json(document, fmt::format("\"mediaType\" {} is not an image manifest", manifest.media_type));
  if (!json.contains("config")) bad_json(document, "\"config\" is missing");
  manifest.config = parse_descriptor(json["config"], document);
  const Json& layers = child(json, "layers", Json::value_t::array, document);
  if (layers.size() > most_layers) bad_json(document, fmt::format("more than {} layers", most_layers));
  for (const Json& layer : layers) manifest.layers.push_back(parse_descriptor(layer, document));
  manifest.annotations = string_map(json, "annotations", document);
  return manifest;
}

Index parse_index(std::string_view text) {
  const std::string_view document = "image index";
  const Json json = parse_json(text, document);
  check_schema(json, document);
  Index index;
  index.media_type = string_field(json, "mediaType", document);
  if (index.media_type.empty()) index.media_type = media_type::oci_index;
  const Json& manifests = child(json, "manifests", Json::value_t::array, document);
  if (manifests.size() > most_layers) bad_json(document, fmt::format("more than {} manifests", most_layers));
  for (const Json& manifest : manifests) index.manifests.push_back(parse_descriptor(manifest, document));
  index.annotations = string_map(json, "annotations", document);
  return index;
}

std::string to_json(const Manifest& manifest) {
  nlohmann::ordered_json json;
  json["schemaVersion"] = 2;
  json["mediaType"] = manifest.media_type;
  json["config"] = descriptor_json(manifest.config);
  json["layers"] = nlohmann::ordered_json::array();
  for (const Descriptor& layer : manifest.layers) json["layers"].push_back(descriptor_json(layer));
  if (!manifest.annotations.empty()) json["annotations"] = manifest.annotations;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_json(const Index& index) {
  nlohmann::ordered_json json;
  json["schemaVersion"] = 2;
  if (!index.media_type.empty()) json["mediaType"] = index.media_type;
  json["manifests"] = nlohmann::ordered_json::array();
  for (const Descriptor& manifest : index.manifests) json["manifests"].push_back(descriptor_json(manifest));
  if (!index.annotations.empty()) json["annotations"] = index.annotations;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace cib::oci
