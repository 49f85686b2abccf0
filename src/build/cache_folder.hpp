// A cache in a folder, in the form of the Go lifecycle's -cache-dir: committed/<diffID>.tar and the metadata file,
// made in staging/ and put in place by renames.
#pragma once

#include <memory>
#include <stop_token>

#include "base/file.hpp"
#include "build/cache_store.hpp"

namespace cib::build {

// Makes the folder when it is missing, removes what a crashed build left, and holds it locked against other builds
// (it waits for them; a stop request ends that). With `clear`, what it holds is removed first. Throws Error(configuration) when it cannot be
// made, Error(permission), Error(disk).
std::unique_ptr<CacheStore> open_cache_folder(const fs::path& folder, bool clear, std::stop_token stop = {});

}  // namespace cib::build
