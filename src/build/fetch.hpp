// Which layers of the builder a build can need, and getting them into the store.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/event.hpp"
#include "cnb/builder.hpp"
#include "oci/image.hpp"
#include "store/layer_store.hpp"

namespace cib::build {

struct Fetched {
  std::vector<store::UnpackedLayer> layers;  // bottom first
  std::size_t unpacked = 0;                  // how many were not in the store yet
};

// The layers that hold no buildpack, and those of the buildpacks that this order can come to. Buildpacks that the
// build brings itself (`extras`, "id@version") need none.
Fetched fetch_builder(const oci::Image& image, const cnb::Builder& builder, const cnb::Order& order,
                      const std::vector<std::string>& extras, const store::LayerStore& layers, unsigned jobs,
                      EventSink& events, std::stop_token stop);

}  // namespace cib::build
