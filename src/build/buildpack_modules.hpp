// The buildpacks that a builder.toml names, found on this machine: folders, archives, buildpackages (layouts, .cnb
// files), and those that a composite brings along in its package.toml.
#pragma once

#include <string>
#include <vector>

#include "base/file.hpp"
#include "cnb/buildpack.hpp"
#include "cnb/builder_toml.hpp"

namespace cib::build {

struct BuildpackModule {
  cnb::Buildpack buildpack;
  fs::path folder;  // holds buildpack.toml
};

// In order of id and version, each once. `folder` is where relative uris start; archives are unpacked below `scratch`.
// Throws Error(configuration): not found, not a buildpack, another id or version than stated, the same buildpack
// twice with different contents named, an address that would have to be downloaded.
std::vector<BuildpackModule> find_modules(const std::vector<cnb::BuilderToml::Module>& wanted, const fs::path& folder,
                                          const fs::path& scratch);

// The place that a uri ("../x", "/x", "file:///x") names, `folder` when it is relative. Throws Error(configuration) for
// other schemes.
fs::path local_path(const std::string& uri, const fs::path& folder);

// A folder, or an archive (.tar, .tgz, .tar.gz) unpacked below `scratch`.
fs::path as_folder(const fs::path& place, const fs::path& scratch);

}  // namespace cib::build
