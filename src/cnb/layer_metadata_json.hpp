// The part that the labels of application and cache have in common.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "cnb/layer_metadata.hpp"

namespace cib::cnb {

class Fields;

// The list under "buildpacks". Throws Error(configuration) for members of the wrong type.
std::vector<BuildpackLayers> read_buildpack_layers(const Fields& document);

// The same list for a label: null when empty. The cache holds no store.
nlohmann::ordered_json buildpack_layers_value(const std::vector<BuildpackLayers>& buildpacks, bool with_store);

}  // namespace cib::cnb
