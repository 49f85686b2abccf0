#include "build/fetch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "base/error.hpp"
#include "base/tasks.hpp"

namespace cib::build {

namespace {

// The order without what the build brings itself: its layers are not the builder's.
cnb::Order without(const cnb::Order& order, const std::vector<std::string>& extras) {
  cnb::Order rest = order;
  for (cnb::Group& group : rest)
    std::erase_if(group, [&](const cnb::GroupElement& element) {
      return std::find(extras.begin(), extras.end(), element.id + "@" + element.version) != extras.end();
    });
  return rest;
}

}  // namespace

Fetched fetch_builder(const oci::Image& image, const cnb::Builder& builder, const cnb::Order& order,
                      const std::vector<std::string>& extras, const store::LayerStore& layers, unsigned jobs,
                      EventSink& events, std::stop_token stop) {
  const std::set<oci::Digest> needed = cnb::layers_needed(builder, without(order, extras));
  const std::set<oci::Digest> of_buildpacks = cnb::buildpack_layers(builder);
  std::vector<const oci::Layer*> wanted;
  std::set<oci::Digest> found;
  for (const auto& layer : image.layers()) {
    if (of_buildpacks.contains(layer->diff_id()) && !needed.contains(layer->diff_id())) continue;
    wanted.push_back(layer.get());
    found.insert(layer->diff_id());
  }
  for (const oci::Digest& diff_id : needed)
    if (!found.contains(diff_id))
      throw Error(ExitCode::configuration,
                  fmt::format("{}: the label {} names layer {}, which is not in the image", image.name(),
                              "io.buildpacks.buildpack.layers", diff_id.brief()))
          .next("make or fetch the builder again");

  std::uint64_t total = 0;
  for (const oci::Layer* layer : wanted)
    if (!layers.find(layer->diff_id())) total += layer->descriptor().size;
  std::atomic<std::uint64_t> moved = 0;
  std::atomic<std::size_t> unpacked = 0;
  Fetched fetched;
  fetched.layers.resize(wanted.size());
  for_each_index(jobs, wanted.size(), [&](std::size_t i) {
    std::uint64_t before = 0;
    bool did = false;
    const auto progress = [&](std::uint64_t done, std::uint64_t) {
      did = true;
      moved += done - before;
      before = done;
      events.on(event::BytesMoved{Phase::fetch, "builder layers", moved, total});
    };
    fetched.layers[i] = layers.get(*wanted[i], image.name(), progress, stop);
    if (did) ++unpacked;
  });
  fetched.unpacked = unpacked;
  return fetched;
}

}  // namespace cib::build
