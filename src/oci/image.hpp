// Images and layers as small read-only views: a layout, an archive, later a registry all look the same.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/stream.hpp"
#include "oci/config.hpp"
#include "oci/manifest.hpp"

namespace cib::oci {

class Layer {
 public:
  virtual ~Layer() = default;
  // Media type, digest and size of the blob as it is stored (usually compressed).
  virtual const Descriptor& descriptor() const = 0;
  // Digest of the uncompressed tar, as the configuration states it.
  virtual const Digest& diff_id() const = 0;
  // The blob's bytes, not verified; see open_tar. Throws Error when the blob is missing.
  virtual std::unique_ptr<Source> open() const = 0;
};

class Image {
 public:
  virtual ~Image() = default;
  // How a person would name it: "oci:DIR", "docker-archive:FILE".
  virtual const std::string& name() const = 0;
  virtual const Manifest& manifest() const = 0;
  virtual const ImageConfig& config() const = 0;
  // Digest of the manifest's bytes as they are stored. An archive without a manifest has one that is
  // made of what it holds.
  virtual const Digest& digest() const = 0;
  virtual const std::string& manifest_json() const = 0;
  virtual const std::string& config_json() const = 0;
  // Bottom first; as many as config().diff_ids.
  virtual const std::vector<std::shared_ptr<const Layer>>& layers() const = 0;
};

// The layer's tar, decompressed (gzip of any number of members, zstd, or plain: told from the first
// bytes, as writers mislabel). The blob's digest and the diffID are checked while it is read: at the end,
// read() throws Error(configuration) if either does not match, so nothing may be believed before.
// Read it to its end (drain) even when the tar's end was seen earlier.
std::unique_ptr<Source> open_tar(const Layer& layer);

// Index of the layer with this diffID, the lowest one when it occurs twice (Go caches do that); -1 if none.
int find_layer(const Image& image, const Digest& diff_id);

}  // namespace cib::oci
