// What is known about layers: the <layer>.toml of a buildpack, and the label io.buildpacks.lifecycle.metadata of
// an image (buildpack spec "Layer Content Metadata"; platform spec "io.buildpacks.lifecycle.metadata").
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/exit_code.hpp"

namespace cib::cnb {

// <layers>/<buildpack>/<layer>.toml
struct LayerToml {
  bool launch = false;
  bool build = false;
  bool cache = false;
  std::string data_json = "null";  // [metadata], canonical JSON
  bool has_types = false;          // a [types] table is there
  bool operator==(const LayerToml&) const = default;
};

// `file` is for messages. What is malformed, and flags outside of [types], are Error(code): `build` after a
// buildpack ran, `export_image` at export.
LayerToml parse_layer_toml(std::string_view text, std::string_view file, ExitCode code = ExitCode::build);

// The file that a restored layer gets: [metadata] alone. Types are never restored: the buildpack has to say
// again what the layer is for (and some append a table of their own). Nothing for "null".
std::string restored_layer_toml(const std::string& data_json);

struct LayerMetadata {
  std::string sha;                 // diffID; may be empty
  std::string data_json = "null";  // canonical JSON
  bool build = false;
  bool launch = false;
  bool cache = false;
  bool operator==(const LayerMetadata&) const = default;
};

struct BuildpackLayers {
  std::string key;  // id, unescaped
  std::string version;
  std::map<std::string, LayerMetadata> layers;  // by name
  std::string store_json = "null";  // store.toml as a whole, {"metadata":{…}}; "null" when there is none
  bool operator==(const BuildpackLayers&) const = default;
};

struct AppMetadata {
  struct RunImage {
    std::string top_layer;  // diffID of the topmost layer of the run image
    std::string reference;  // with digest
    std::string image;      // the name that a rebase looks for
    std::vector<std::string> mirrors;
    bool operator==(const RunImage&) const = default;
  };
  struct Stack {
    std::string image;
    std::vector<std::string> mirrors;
    bool operator==(const Stack&) const = default;
  };

  std::vector<std::string> app;  // diffIDs of the application's slices
  std::optional<std::string> sbom;
  std::vector<BuildpackLayers> buildpacks;  // in group order
  std::string config;
  std::string launcher;
  std::string process_types;  // empty without processes
  RunImage run_image;
  std::optional<Stack> stack;

  // The first entry of this id, whatever its version; nullptr when there is none.
  const BuildpackLayers* find(std::string_view id) const;
  bool operator==(const AppMetadata&) const = default;
};

// Nothing when the label cannot be decoded: then there is no previous image to reuse layers from. Missing and
// null members are read as empty, unknown ones are ignored.
std::optional<AppMetadata> parse_app_metadata(std::string_view label);

// The label's text, in the shape and with the omissions of the Go lifecycle at Platform API 0.12.
std::string to_json(const AppMetadata& metadata);

}  // namespace cib::cnb
