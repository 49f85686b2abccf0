// Applies a layer's tar to a folder (OCI image-spec layer.md). The archive is hostile until proven otherwise: no
// entry reaches anything outside of the folder, whatever names and links it brings.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/stream.hpp"
#include "store/layer_record.hpp"

namespace cib::store {

struct ExtractLimits {
  std::uint64_t entries = 5'000'000;
  // Sum of the names that are kept in memory until the end: folders, whiteouts and (apply) all entries.
  std::uint64_t name_bytes = 512u << 20;
};

struct ExtractOptions {
  enum class Mode {
    // The folder becomes one layer of the store: whiteouts become overlayfs's marks and are listed in the result. A
    // folder entry is a folder even where a lower layer has a link of that name, as with overlayfs.
    layer,
    // The folder is a root file system made of the layers below: whiteouts delete, links on the way to an entry are
    // followed inside the root.
    apply,
  };
  Mode mode = Mode::layer;
  std::string name;      // of the layer, for messages: "layer sha256:0123456789ab of IMAGE"
  bool devices = false;  // create device nodes; else they are skipped and listed
  // Give entries the archive's uid and gid; meaningful as root only. Where the system refuses (an id that is not mapped
  // here), entries stay ours.
  bool change_owner = false;
  Sink* owners = nullptr;  // gets a format_owner() record for every entry
  ExtractLimits limits;
  std::function<void(std::uint64_t)> progress;  // bytes of the tar read so far; called for every read
  std::stop_token stop;
};

struct Extracted {
  LayerRecord record;
  std::vector<std::string> skipped;  // device nodes and names that mean nothing here; at most 100
};

// Reads the tar to its end, and the source behind it, so that a verifying source has its say: on any exception what
// the folder holds is worthless. Later entries of a name replace earlier ones. Modes and times of folders are set at
// the end. As an ordinary user, files and folders are always readable (folders: writable too) for their owner, and
// set-id bits are left out; the `owners` tell the archive's.
// Throws Error(configuration) for entries that are refused, Error(disk) when the disk is full, Error(interrupted).
Extracted extract(Source& tar, const fs::path& folder, const ExtractOptions& options);

}  // namespace cib::store
