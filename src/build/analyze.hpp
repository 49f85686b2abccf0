// The analyze phase (spec: platform.md "analyzer"): what the previous image says about its layers.
#pragma once

#include <memory>

#include "base/event.hpp"
#include "cnb/layer_metadata.hpp"
#include "oci/image.hpp"

namespace cib::build {

struct Previous {
  std::shared_ptr<const oci::Image> image;  // null: there is none to reuse layers from
  cnb::AppMetadata metadata;                // empty then
};

// An image without a readable io.buildpacks.lifecycle.metadata label is no previous image. `image` may be null.
Previous analyze(std::shared_ptr<const oci::Image> image, EventSink& events);

}  // namespace cib::build
