// Archives: what `docker save` writes (manifest.json, with or without a layout in it) and OCI layouts in a tar.
#pragma once

#include <memory>

#include "base/file.hpp"
#include "oci/image.hpp"
#include "oci/target.hpp"

namespace cib::oci {

// Opens the only image of the archive; a gzipped one is inflated into `scratch` first. Throws
// Error(configuration).
std::shared_ptr<const Image> open_archive(const fs::path& file, const fs::path& scratch);

// Writes a docker-archive that `docker load`, `podman load` and skopeo read. `tag` is the name it is loaded
// under ("app:latest"). The file appears complete or not at all.
std::unique_ptr<ImageTarget> archive_target(const fs::path& file, const std::string& tag);

}  // namespace cib::oci
