// Layers from tars of a whole root file system: without what belongs to the machine or the moment of the
// installation, and only with what a layer below does not have yet. Equal roots give equal bytes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/stream.hpp"
#include "oci/digest.hpp"

namespace cib::build {

// What every file of a root is, by name ("usr/bin/env"); enough to tell whether another root has the same.
struct SystemEntry {
  char type = '0';
  std::uint32_t mode = 0;
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::int64_t mtime = 0;
  std::string link;        // target of a symbolic or hard link
  oci::Digest contents;    // of a file
  bool operator==(const SystemEntry&) const = default;
};
using SystemIndex = std::map<std::string, SystemEntry, std::less<>>;

struct SystemRules {
  // Files that are younger were made by the installation: they get the fixed time of all layers. Seconds since 1970.
  std::int64_t installed_at = 0;
  // Files that the layer gets beside those of the root (root:root 0644), by name; their folders exist in the root.
  std::map<std::string, std::string> extra;
};

// True for what never belongs into an image: devices and mount points, caches, logs, temporary files, name service
// and package sources of the machine. The folders themselves stay, empty.
bool is_left_out(std::string_view name);

// Reads the tar of a root; `os_release`, when given, gets the text of its usr/lib/os-release. Throws
// Error(configuration) when it is broken.
SystemIndex index_system(Source& tar, const SystemRules& rules, std::string* os_release = nullptr);

// Writes the layer of the root that `tar` holds (its index is `index`). With `below`, the index of the layer under it:
// only what is new or different, the folders that lead there, and whiteouts for what is gone.
void write_system_layer(Source& tar, const SystemIndex& index, const SystemIndex* below, const SystemRules& rules,
                        Sink& layer);

}  // namespace cib::build
