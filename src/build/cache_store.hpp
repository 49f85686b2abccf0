// Where layers are kept from build to build. What it holds is believed only after its diffID held; a cache is
// never a reason to fail.
#pragma once

#include <memory>
#include <string>

#include "base/stream.hpp"
#include "cnb/cache_metadata.hpp"
#include "oci/target.hpp"

namespace cib::build {

class CacheStore {
 public:
  virtual ~CacheStore() = default;
  // For the log.
  virtual const std::string& name() const = 0;
  // What the last build left; empty when there is nothing, or nothing that can be read.
  virtual const cnb::CacheMetadata& metadata() const = 0;
  // The tar of a layer, verified while it is read: at the end read() throws Error(configuration) if its diffID is not
  // the one asked for. nullptr when the cache does not hold it.
  virtual std::unique_ptr<Source> open(const oci::Digest& diff_id) = 0;

  // The next generation. It takes the place of the present one at commit(), and not before.
  // A layer of the present generation stays; false when it cannot.
  virtual bool keep(const oci::Digest& diff_id) = 0;
  // A new layer: its tar is written, its diffID given at BlobWriter::commit.
  virtual std::unique_ptr<oci::BlobWriter> begin_layer() = 0;
  virtual void commit(const cnb::CacheMetadata& metadata) = 0;
};

}  // namespace cib::build
