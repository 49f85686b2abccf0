#include "cnb/layer_metadata.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cnb/fields.hpp"
#include "cnb/go_json.hpp"
#include "cnb/layer_metadata_json.hpp"
#include "cnb/step_error.hpp"
#include "cnb/toml.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

std::string sha_of(const Fields& document, const std::string& member) { return document.table(member).text("sha"); }

ordered_json sha_value(const std::string& sha) { return ordered_json{{"sha", sha}}; }

// A member of any type as canonical JSON.
std::string any_data(const Fields& table, const std::string& key) {
  return table.has(key) ? table.value().at(key).dump() : "null";
}

void add_image(ordered_json& to, const std::string& image, const std::vector<std::string>& mirrors) {
  if (!image.empty()) to["image"] = image;
  if (!mirrors.empty()) to["mirrors"] = mirrors;
}

}  // namespace

LayerToml parse_layer_toml(std::string_view text, std::string_view file, ExitCode code) {
  return with_exit_code(code, [&] {
    const json document = parse_toml(text, file);
    const Fields fields(document, file);
    for (const char* flag : {"launch", "build", "cache"})
      if (fields.has(flag))
        throw Error(code, fmt::format("the launch, cache and build flags should be in the types table of {}", file))
            .why("this is how buildpacks before Buildpack API 0.6 said it")
            .next("use a version of the buildpack that writes a [types] table");
    LayerToml layer;
    layer.has_types = fields.has("types");
    const Fields types = fields.table("types");
    layer.launch = types.flag("launch");
    layer.build = types.flag("build");
    layer.cache = types.flag("cache");
    layer.data_json = any_data(fields, "metadata");
    return layer;
  });
}

std::string restored_layer_toml(const std::string& data_json) {
  if (data_json.empty() || data_json == "null") return "";
  return json_to_toml(R"({"metadata":)" + data_json + "}");
}

std::vector<BuildpackLayers> read_buildpack_layers(const Fields& document) {
  std::vector<BuildpackLayers> buildpacks;
  for (const Fields& entry : document.tables("buildpacks")) {
    BuildpackLayers buildpack;
    buildpack.key = entry.text("key");
    buildpack.version = entry.text("version");
    buildpack.store_json = entry.data("store");
    const Fields layers = entry.table("layers");
    for (const auto& [name, unused] : layers.value().items()) {
      const Fields layer = layers.table(name);
      buildpack.layers[name] = LayerMetadata{
          .sha = layer.text("sha"),
          .data_json = any_data(layer, "data"),
          .build = layer.flag("build"),
          .launch = layer.flag("launch"),
          .cache = layer.flag("cache"),
      };
    }
    buildpacks.push_back(std::move(buildpack));
  }
  return buildpacks;
}

ordered_json buildpack_layers_value(const std::vector<BuildpackLayers>& buildpacks, bool with_store) {
  ordered_json list = ordered_json::array();
  for (const BuildpackLayers& buildpack : buildpacks) {
    ordered_json layers = ordered_json::object();
    for (const auto& [name, layer] : buildpack.layers)
      layers[name] = {{"sha", layer.sha},
                      {"data", data_value(layer.data_json)},
                      {"build", layer.build},
                      {"launch", layer.launch},
                      {"cache", layer.cache}};
    ordered_json entry = {{"key", buildpack.key}, {"version", buildpack.version}, {"layers", std::move(layers)}};
    if (with_store && buildpack.store_json != "null") entry["store"] = data_value(buildpack.store_json);
    list.push_back(std::move(entry));
  }
  return null_if_empty(std::move(list));
}

const BuildpackLayers* AppMetadata::find(std::string_view id) const {
  const auto found = std::ranges::find(buildpacks, id, &BuildpackLayers::key);
  return found == buildpacks.end() ? nullptr : &*found;
}

std::optional<AppMetadata> parse_app_metadata(std::string_view label) {
  try {
    constexpr std::string_view name = "io.buildpacks.lifecycle.metadata";
    const json document = parse_json(label, name);
    const Fields fields(document, name);
    AppMetadata metadata;
    for (const Fields& slice : fields.tables("app")) metadata.app.push_back(slice.text("sha"));
    if (fields.has("sbom")) metadata.sbom = sha_of(fields, "sbom");
    metadata.buildpacks = read_buildpack_layers(fields);
    metadata.config = sha_of(fields, "config");
    metadata.launcher = sha_of(fields, "launcher");
    metadata.process_types = sha_of(fields, "process-types");
    const Fields run = fields.table("runImage");
    metadata.run_image = {run.text("topLayer"), run.text("reference"), run.text("image"), run.texts("mirrors")};
    if (fields.has("stack")) {
      const Fields stack = fields.table("stack");
      const Fields stack_run = stack.table("runImage");
      metadata.stack = AppMetadata::Stack{stack_run.text("image"), stack_run.texts("mirrors")};
    }
    return metadata;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string to_json(const AppMetadata& metadata) {
  ordered_json app = ordered_json::array();
  for (const std::string& sha : metadata.app) app.push_back(sha_value(sha));
  ordered_json document;
  document["app"] = null_if_empty(std::move(app));
  if (metadata.sbom) document["sbom"] = sha_value(*metadata.sbom);
  document["buildpacks"] = buildpack_layers_value(metadata.buildpacks, true);
  document["config"] = sha_value(metadata.config);
  document["launcher"] = sha_value(metadata.launcher);
  document["process-types"] = sha_value(metadata.process_types);
  ordered_json run = {{"topLayer", metadata.run_image.top_layer}, {"reference", metadata.run_image.reference}};
  add_image(run, metadata.run_image.image, metadata.run_image.mirrors);
  document["runImage"] = std::move(run);
  if (metadata.stack) {
    ordered_json stack_run = ordered_json::object();
    add_image(stack_run, metadata.stack->image, metadata.stack->mirrors);
    document["stack"] = ordered_json{{"runImage", std::move(stack_run)}};
  }
  return go_json(document);
}

}  // namespace cib::cnb
