// Everything that is decided before a build begins. Images, targets and sandboxes are interfaces here: the pipeline
// does not know where they come from.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "build/cache_store.hpp"
#include "cnb/environment.hpp"
#include "oci/image.hpp"
#include "oci/target.hpp"
#include "sandbox/sandbox.hpp"
#include "store/layer_store.hpp"
#include "store/rootfs.hpp"
#include "store/store.hpp"

namespace cib::build {

struct BuildRequest {
  fs::path app;  // the application's folder; only read
  std::vector<fs::path> leave_out;  // absolute paths in it that builds make: outputs, cache, store

  std::shared_ptr<const oci::Image> builder;
  std::shared_ptr<const oci::Image> run_image;
  std::string run_image_name;  // under which a rebase finds it; empty when it has no such name
  std::shared_ptr<const oci::Image> previous;  // may be null
  std::vector<std::string> buildpacks;         // --buildpack, as given; empty: the builder's order

  cnb::EnvFiles env;                        // of the user
  std::vector<std::string> host_variables;  // NAME=value of this machine that buildpacks get: proxies
  std::vector<sandbox::Mount> volumes;
  std::optional<fs::path> host_ca_bundle;   // certificates of the site; nothing: none are added
  sandbox::Network network = sandbox::Network::host;

  std::string default_process;  // empty: the buildpacks decide
  std::int64_t created = 315532801;

  std::unique_ptr<CacheStore> cache;
  std::vector<std::unique_ptr<oci::ImageTarget>> targets;  // one at least

  const store::Store* store = nullptr;
  store::RootfsKind rootfs = store::RootfsKind::flat;
  std::string rootfs_reason;
  unsigned jobs = 1;
  std::function<std::unique_ptr<sandbox::Sandbox>(const sandbox::Setup&)> make_sandbox;
};

}  // namespace cib::build
