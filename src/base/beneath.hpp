// Reading what a stranger left in a folder: whatever links it holds, nothing outside of the folder is opened.
#pragma once

#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/file.hpp"

namespace cib {

// Opens `path` (relative) below the folder `base`. Links are followed only where they stay below it
// (openat2(2) with RESOLVE_BENEATH; on kernels without it links are not followed at all). Nothing when it does not
// exist. Throws Error(`code`) for a link that leads out, system_error for other failures.
std::optional<Fd> open_beneath(int base, const std::string& path, int flags, ExitCode code);

// The regular file `path` below the folder `base`; nothing when it does not exist. Throws Error(`code`) for what is no
// file, is longer than `limit` bytes, or lies behind a link that leads out.
std::optional<std::string> read_file_beneath(const fs::path& base, const std::string& path, ExitCode code,
                                             std::size_t limit = 4u << 20);

}  // namespace cib
