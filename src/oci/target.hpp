// Where an image is written to: a layout, an archive, later a registry.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/stream.hpp"
#include "oci/config.hpp"
#include "oci/image.hpp"
#include "oci/manifest.hpp"

namespace cib::oci {

// A blob on its way. Destroying it without commit() leaves nothing behind.
class BlobWriter : public Sink {
 public:
  // The blob is complete and has this digest (the caller computed it on the way).
  virtual void commit(const Digest& digest) = 0;
};

// Everything written stays invisible under the image's name until commit(); destroying the target without
// commit() leaves nothing behind: no blob, no file, no folder.
class ImageTarget {
 public:
  virtual ~ImageTarget() = default;
  virtual const std::string& name() const = 0;
  // Whether layers should be handed over compressed (an archive wants them plain).
  virtual bool wants_compression() const = 0;
  // True when the blob is already there, so that it need not be written.
  virtual bool has(const Digest& digest) const = 0;
  virtual std::unique_ptr<BlobWriter> begin_blob() = 0;
  // Makes the image visible under its name, in place of what stood there. All blobs of the manifest, its
  // config apart, must have been committed or has() them. Returns the image's digest as a person would look
  // it up (manifest digest; for an archive the digest of the configuration).
  virtual Digest commit(const Manifest& manifest, const std::string& manifest_json,
                        const std::string& config_json) = 0;
};

}  // namespace cib::oci
