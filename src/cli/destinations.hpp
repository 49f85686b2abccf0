// The one place that turns a reference on the command line into an image, a target, a cache or a sandbox.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/event.hpp"
#include "base/file.hpp"
#include "cli/build_options.hpp"
#include "oci/image.hpp"
#include "oci/reference.hpp"
#include "oci/target.hpp"
#include "sandbox/helper.hpp"
#include "sandbox/probe.hpp"
#include "store/rootfs.hpp"
#include "store/store.hpp"

namespace cib::cli {

// Opens an image; `scratch` takes what has to be inflated. `flag` is for messages ("--builder"). Throws
// Error(configuration).
std::shared_ptr<const oci::Image> open_image(std::string_view flag, const oci::Reference& reference,
                                             const fs::path& scratch);

// A layout or archive to be written; `tag` is the name that an archive is loaded under.
std::unique_ptr<oci::ImageTarget> open_target(const oci::Reference& reference, const std::string& tag);

// What stands at an output from an earlier build; null when nothing does, or nothing that can be read (a warning).
std::shared_ptr<const oci::Image> previous_at(const oci::Reference& output, const fs::path& scratch, EventSink& events);

// Where an image goes and where its cache lies when nothing is said: in the store.
oci::Reference default_output(const store::Store& store, const fs::path& app);
fs::path default_cache(const store::Store& store, const oci::Reference& output);

// How root file systems are made on this rung, and why.
struct RootfsDecision {
  store::RootfsKind kind;
  std::string reason;
};
// Throws Error(configuration) for a forced kind that does not work here.
RootfsDecision decide_rootfs(RootfsChoice choice, const sandbox::Rung& rung);

// Where a path leads, whether it exists or not: absolute, without links and dots.
fs::path place_of(const fs::path& path);

// Whether the output lies below the application's folder.
bool lies_within(const oci::Reference& output, const fs::path& app);

}  // namespace cib::cli
