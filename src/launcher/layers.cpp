#include "launcher/layers.hpp"

#include <utility>

#include "launcher/file.hpp"

namespace cib::launcher {

std::vector<BuildpackLayers> list_layers(const std::string& layers_dir, const Metadata& metadata) {
  std::vector<BuildpackLayers> result;
  for (const Buildpack& buildpack : metadata.buildpacks) {
    const std::string folder = layers_dir + '/' + buildpack.folder();
    BuildpackLayers layers;
    for (const std::string& name : list_folder(folder, Listed::folders)) layers.push_back(folder + '/' + name);
    if (!layers.empty()) result.push_back(std::move(layers));
  }
  return result;
}

}  // namespace cib::launcher
