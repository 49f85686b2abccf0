#include "build/analyze.hpp"

#include <fmt/format.h>

#include "cnb/labels.hpp"

namespace cib::build {

Previous analyze(std::shared_ptr<const oci::Image> image, EventSink& events) {
  Previous previous;
  if (!image) {
    events.on(event::Decision{"previous", "none", "nothing was built under this name yet"});
    return previous;
  }
  const auto label = image->config().label(cnb::label::lifecycle_metadata);
  auto metadata = label ? cnb::parse_app_metadata(*label) : std::nullopt;
  if (!metadata) {
    events.on(event::Decision{"previous", image->name(), "not reused: it does not say how it was built"});
    return previous;
  }
  std::size_t layers = 0;
  for (const auto& buildpack : metadata->buildpacks) layers += buildpack.layers.size();
  events.on(event::Decision{"previous", fmt::format("{}@{}", image->name(), image->digest().brief()),
                            fmt::format("{} launch layers of buildpacks", layers)});
  previous.image = std::move(image);
  previous.metadata = std::move(*metadata);
  return previous;
}

}  // namespace cib::build
