// The builder's root file system with what the build adds to it: other buildpacks, the user's variables, the site's
// certificates.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/event.hpp"
#include "build/request.hpp"
#include "build/work_tree.hpp"
#include "cnb/builder.hpp"
#include "cnb/buildpack.hpp"

namespace cib::build {

// A buildpack that does not come from the builder, made ready in the build's folder.
struct ExtraBuildpack {
  cnb::Buildpack description;
  fs::path folder;
};

// What --buildpack asks for, as one group.
struct ChosenBuildpacks {
  cnb::Order order;                    // what will be tried
  std::vector<ExtraBuildpack> extras;  // mounted over what the builder has
};

// Resolves the locators (id, id@version, folder, archive) against the builder; without locators the builder's own
// order. Folders and archives are copied into `scratch`. Throws Error(configuration) naming the locator.
ChosenBuildpacks choose_buildpacks(const std::vector<std::string>& locators, const cnb::Builder& builder,
                                   const fs::path& scratch);

// A file of the root, as text; nothing when it is missing. Throws Error(configuration) when it is none or too large.
std::optional<std::string> read_root_file(const store::Rootfs& root, const std::string& path,
                                          std::size_t limit = 16u << 20);

// The files of a folder of environment files in the root (/platform/env, /cnb/build-config/env).
cnb::EnvFiles read_root_env(const store::Rootfs& root, const std::string& folder);

// Home folder of the uid according to the root's /etc/passwd; "/" when it is not listed.
std::string home_of(const store::Rootfs& root, uid_t uid);

}  // namespace cib::build
