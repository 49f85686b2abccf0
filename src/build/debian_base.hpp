// Base layers made of Debian packages with mmdebstrap and the machine's own apt sources, proxies and keys. Nothing of
// the machine stays in them.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace cib::build {

struct DebianUser {
  std::string name;
  unsigned uid = 0;
  unsigned gid = 0;  // its group has the same name as the first user with this gid
};

struct DebianRequest {
  std::string release = "bookworm";
  std::vector<std::string> packages;        // of both images, beside the essential ones
  std::vector<std::string> build_packages;  // of the build image alone
  std::vector<DebianUser> users;            // each gets a folder in /home
};

// The two layers, as plain tars in the scratch folder. Without build packages there is no upper one.
struct DebianLayers {
  fs::path base;
  fs::path build;  // over `base`; empty: none
  std::string os_release;  // the text of /etc/os-release
};

// Equal requests and equal package versions give equal layers. `say` gets lines of progress. Throws
// Error(configuration) when mmdebstrap is missing, a name is no name of a package, or a package does not exist;
// Error(unavailable) when the packages cannot be fetched; Error(interrupted).
DebianLayers make_debian_layers(const DebianRequest& request, const fs::path& scratch,
                                const std::function<void(std::string_view)>& say, std::stop_token stop);

// Everything that decides how the layers look, package versions apart, as one line.
std::string fingerprint(const DebianRequest& request);

}  // namespace cib::build
