// OCI image layouts (image-spec image-layout.md): a folder with oci-layout, index.json and blobs/.
#pragma once

#include <memory>
#include <string>

#include "base/file.hpp"
#include "oci/image.hpp"
#include "oci/target.hpp"

namespace cib::oci {

// Opens the image of a layout: the one with this tag (annotation org.opencontainers.image.ref.name), or with an
// empty tag the only one. Indexes in it are resolved to `platform`. Manifest and configuration are verified by
// digest. Throws Error(configuration).
std::shared_ptr<const Image> open_layout(const fs::path& folder, const std::string& tag = "",
                                         const Platform& platform = {"linux", "amd64", ""});

// True if the folder holds a layout with that image.
bool layout_has(const fs::path& folder, const std::string& tag = "");

// Writes an image into a layout. A new layout appears complete or not at all; in an existing one the image
// with the same tag is replaced, other images stay, and blobs that nobody refers to any more are removed.
std::unique_ptr<ImageTarget> layout_target(const fs::path& folder, const std::string& tag = "");

}  // namespace cib::oci
