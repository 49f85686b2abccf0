// Makes a builder image, and a run image where its definition describes one, from a builder.toml.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/event.hpp"
#include "base/file.hpp"
#include "cnb/builder_toml.hpp"
#include "oci/image.hpp"
#include "oci/target.hpp"

namespace cib::build {

struct CreateBuilder {
  cnb::BuilderToml definition;
  fs::path folder;   // of the definition: relative paths in it start there
  fs::path scratch;  // an empty folder for whatever is needed until the end; holds some hundred MB with Debian packages
  // Where the images go. The target of the run image is needed exactly when the definition has [run.debian].
  oci::ImageTarget* builder = nullptr;
  oci::ImageTarget* run = nullptr;
  // How the builder refers to the run image made here.
  std::string run_image_name;
  // Images made before from this or another definition: equal layers are taken from them, and layers of Debian packages
  // are not made anew when the same packages were asked for.
  std::vector<std::shared_ptr<const oci::Image>> known;
  unsigned jobs = 1;
};

struct CreatedImage {
  std::string name;
  oci::Digest digest;
};

struct CreatedBuilder {
  CreatedImage builder;
  std::optional<CreatedImage> run;
  bool base_reused = false;  // no packages were installed
};

// Users of images made of Debian packages: one builds, another runs what was built and cannot change it.
inline constexpr unsigned debian_build_uid = 1001;
inline constexpr unsigned debian_run_uid = 1002;
inline constexpr unsigned debian_gid = 1000;

// Emits a LayerDone for every layer and an ImageWritten for every image. Throws Error(configuration) for whatever the
// definition names and is not there or does not fit; see also make_debian_layers(). Nothing appears at the targets then.
CreatedBuilder create_builder(const CreateBuilder& request, EventSink& events, std::stop_token stop);

}  // namespace cib::build
