// The layers in the image, listed once.
#pragma once

#include <string>
#include <vector>

#include "launcher/metadata.hpp"

namespace cib::launcher {

// Absolute paths of the layers of one buildpack, sorted by name. Every folder counts, with or without a .toml.
using BuildpackLayers = std::vector<std::string>;

// One element for each buildpack that has a folder, in the order of the metadata. Throws Failure when a folder
// cannot be read.
std::vector<BuildpackLayers> list_layers(const std::string& layers_dir, const Metadata& metadata);

}  // namespace cib::launcher
