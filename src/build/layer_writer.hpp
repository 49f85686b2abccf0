// Puts layers into a target: new ones in one pass (tar → diffID, and → compressed → digest → blob), existing ones as
// they are.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/stream.hpp"
#include "base/tasks.hpp"
#include "oci/image.hpp"
#include "oci/target.hpp"

namespace cib::build {

struct PlacedLayer {
  oci::Descriptor descriptor;  // in the target
  oci::Digest diff_id;
  std::uint64_t written = 0;  // bytes that were new to the target
};

class LayerWriter {
 public:
  // Layers of `known` images are taken instead of compressing equal ones anew. The target and the pool must outlive this.
  LayerWriter(oci::ImageTarget& target, std::vector<std::shared_ptr<const oci::Image>> known, TaskPool& pool,
              std::stop_token stop);

  // A layer from its tar. `produce` writes the tar, and is called once or twice with the same result.
  PlacedLayer make(const std::function<void(Sink&)>& produce);
  // The layer of another image. Throws Error(configuration) when its bytes are not those that its digests promise.
  PlacedLayer copy(const oci::Layer& layer);

 private:
  PlacedLayer write(const std::function<void(Sink&)>& produce);

  oci::ImageTarget& m_target;
  std::vector<std::shared_ptr<const oci::Image>> m_known;
  TaskPool& m_pool;
  std::stop_token m_stop;
};

}  // namespace cib::build
