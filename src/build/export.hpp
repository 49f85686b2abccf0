// The export phase (spec: platform.md "exporter"): the application image on top of the run image, and the cache.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/event.hpp"
#include "build/analyze.hpp"
#include "build/cache_store.hpp"
#include "build/layer_pipeline.hpp"
#include "build/restore.hpp"
#include "build/work_tree.hpp"
#include "cnb/builder.hpp"
#include "cnb/labels.hpp"
#include "cnb/launch.hpp"
#include "cnb/layer_metadata.hpp"
#include "cnb/plan.hpp"

namespace cib::build {

struct ExportInput {
  const WorkTree& tree;
  const cnb::DetectedGroup& group;
  const cnb::LaunchMetadata& launch;
  const Previous& previous;
  const Restored& restored;

  const oci::Image& run_image;
  cnb::RunImage run_image_names;  // for a rebase; empty image: none is known
  fs::path launcher;              // the builder's, on this machine
  cnb::LauncherSource launcher_source;
  std::map<std::string, fs::path> lifecycle_sboms;  // file names in the builder's lifecycle folder

  std::string default_process;  // empty: as the buildpacks say
  std::int64_t created = 0;     // seconds since 1970
  std::vector<oci::ImageTarget*> targets;
  CacheStore& cache;
  unsigned jobs = 1;
};

struct ExportedImage {
  std::string name;
  oci::Digest digest;  // of the manifest; of the configuration where that is what names it (an archive)
  bool by_config = false;
  std::uint64_t size = 0;           // of the layers as they are stored
  std::uint64_t manifest_size = 0;  // bytes
};

class Exporter {
 public:
  Exporter(ExportInput input, EventSink& events, std::stop_token stop);

  // Makes the layers; nothing is visible yet. Throws Error(export_image) for what no image can be made of,
  // Error(disk), Error(interrupted).
  void make_layers();
  // Makes the image visible at every target.
  std::vector<ExportedImage> publish();
  // Puts the next generation of the cache in place. A failure is a warning.
  void export_cache();

 private:
  struct BuildpackLayer {
    std::string buildpack;
    std::string layer;
    cnb::LayerToml toml;
    bool has_folder = false;
    std::optional<oci::Digest> untouched;  // restored, and nothing in it changed
    std::size_t job = 0;                   // of a launch layer
    std::string folder() const;
  };
  class CacheCopy;

  void read_layers();
  void copy_lifecycle_sboms();
  void add_buildpack_jobs();
  void add_other_jobs();
  void add_slices();
  std::size_t add_job(LayerJob job, std::string created_by);
  cnb::AppMetadata metadata() const;
  oci::ImageConfig config() const;
  std::vector<oci::History> history() const;
  void cache_layers();
  std::string cache_layer(const BuildpackLayer& layer);
  std::string cache_tar(const std::string& name, const TarRecipe& tar);

  ExportInput m_input;
  EventSink& m_events;
  std::stop_token m_stop;
  LayerPipeline m_pipeline;
  std::vector<BuildpackLayer> m_layers;
  std::vector<LayerJob> m_jobs;
  std::vector<std::string> m_created_by;
  std::vector<LayerDone> m_done;
  std::map<std::size_t, std::shared_ptr<CacheCopy>> m_copies;  // by job
  std::optional<std::size_t> m_sbom_job, m_launcher_job, m_config_job, m_types_job;
  std::vector<std::size_t> m_app_jobs;
};

}  // namespace cib::build
