// Unpacks the tar of a cached or previous buildpack layer into the layers folder (lifecycle restore, cnb: archive
// extraction rules): no owners and times of the archive, nothing but folders, files and symbolic links.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "base/file.hpp"
#include "base/stream.hpp"
#include "store/layer_record.hpp"

namespace cib::store {

struct RestoreOptions {
  // The archive's names are absolute: what lies below `prefix` ("/layers") lands below `folder`. Entries for the
  // prefix itself and the folders above it are passed over, all others outside of it refused.
  std::string prefix;
  fs::path folder;
  std::string name;  // of the layer, for messages
  // Whom everything that is made belongs to; nobody is changed without.
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::uint64_t max_entries = 5'000'000;
  std::stop_token stop;
};

struct Restored {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // contents of the files
};

// Folders that exist keep their mode; new ones get the archive's at the end, missing parents 0755. Existing files are
// replaced, an existing symbolic link (or one on the way) is an error, as are hard links, devices and fifos: those
// throw Error(configuration). Reads the source to its end. After an exception the caller removes what was restored.
Restored restore_tree(Source& tar, const RestoreOptions& options);

}  // namespace cib::store
