// The tars of image layers, byte for byte as the Go lifecycle makes them from the same trees (lifecycle "layers"):
// fixed times, given owners, entries in a fixed order. Reads folders that buildpacks wrote: no link is followed.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/stream.hpp"
#include "build/work_tree.hpp"

namespace cib::build {

// A tar that can be made any number of times, each time with the same bytes if the tree did not change.
using TarRecipe = std::function<void(Sink& sink, std::stop_token stop)>;

// A folder below the work tree's root ("layers/x_bp/layer"): entries for the folders above it, then itself and
// everything in it, depth first, each folder's entries sorted bytewise. Hard links become copies; sockets are left out.
TarRecipe folder_tar(const WorkTree& tree, std::string folder);

// A slice of the application: entries for the folder above the application's (none at /workspace), then these,
// sorted by their whole path. `paths` are relative to the application's folder, "" being the folder itself. An empty
// list gives an empty tar.
TarRecipe slice_tar(const WorkTree& tree, std::vector<std::string> paths);

// Files of root, made up rather than read: name → entry. Folders first where they are needed.
struct MadeEntry {
  enum class Kind { folder, file, link } kind = Kind::file;
  std::string name;    // absolute
  fs::path contents;   // of a file, on this machine
  std::string target;  // of a link
};
// Everything root:root, mode 0755.
TarRecipe made_tar(std::vector<MadeEntry> entries);

}  // namespace cib::build
