// From a tree to a layer of the image in one pass: read → tar → diffID, and → compress → digest → target. Several
// layers at once; what is known to be the same is not written, what is known to be untouched not even read.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/event.hpp"
#include "base/tasks.hpp"
#include "build/tree_tar.hpp"
#include "oci/image.hpp"
#include "oci/target.hpp"

namespace cib::build {

// A layer to be.
struct LayerJob {
  std::string name;                      // for the log: "x/bp:layer", "application"
  TarRecipe tar;                         // empty: the layer can only be reused
  std::vector<oci::Digest> previous;     // diffIDs that it may still have; looked for before anything is written
  std::optional<oci::Digest> untouched;  // diffID that it is known to have, without looking
  std::string why_untouched;             // "nothing in it changed since it was restored"
  // Gets the tar too, if one is written (the cache). Returns nothing where that is not wanted. Its failures are its
  // own: it must not throw.
  std::function<Sink*()> copy_to;
};

// What became of it.
struct LayerDone {
  oci::Digest diff_id;
  oci::Descriptor descriptor;  // of the blob in the (first) target
  std::uint64_t tar_size = 0;  // 0 when it was not read
  event::LayerDone::How how = event::LayerDone::How::fresh;
  bool copied = false;  // copy_to got the whole tar
};

class LayerPipeline {
 public:
  // `previous` may be null. Layers of it are taken over as they are, with their media type. `docker_types`: which
  // family of media types new layers get.
  LayerPipeline(std::vector<oci::ImageTarget*> targets, std::shared_ptr<const oci::Image> previous, bool docker_types,
                unsigned jobs, EventSink& events, std::stop_token stop);

  // All layers, each into every target; the results in the order of the jobs. Throws the first failure.
  std::vector<LayerDone> make(const std::vector<LayerJob>& jobs);

  // Takes over layers of another image (the run image): copied where the target lacks them, verified on the way.
  void copy_layers(const oci::Image& image);

  // Descriptor of a layer in this target, for its manifest.
  const oci::Descriptor& descriptor(const oci::ImageTarget* target, const oci::Digest& diff_id) const;

  // Bytes that were new to the target.
  std::uint64_t written(const oci::ImageTarget* target) const;

 private:
  LayerDone one(const LayerJob& job, std::string& reason);
  void tell(const LayerJob& job, const LayerDone& done, const std::string& reason);
  LayerDone write(const LayerJob& job);
  bool reuse(const oci::Digest& diff_id);
  void copy_layer(const oci::Layer& layer);
  std::string_view plain_type() const;
  std::string_view gzip_type() const;

  std::vector<oci::ImageTarget*> m_targets;
  std::shared_ptr<const oci::Image> m_previous;
  bool m_docker_types;
  unsigned m_jobs;
  EventSink& m_events;
  std::stop_token m_stop;
  TaskPool m_pool;
  mutable std::mutex m_mutex;
  std::map<std::pair<const oci::ImageTarget*, oci::Digest>, oci::Descriptor> m_descriptors;
  std::map<const oci::ImageTarget*, std::uint64_t> m_written;
};

}  // namespace cib::build
