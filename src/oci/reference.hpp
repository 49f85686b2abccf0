// How images are named on the command line: "oci:DIR[:TAG]", "docker-archive:FILE[:NAME:TAG]",
// "registry/name:tag@digest".
#pragma once

#include <string>
#include <string_view>

#include "base/file.hpp"

namespace cib::oci {

struct Reference {
  enum class Kind { layout, archive, registry } kind = Kind::registry;
  fs::path path;     // layout, archive
  std::string tag;   // layout: may be empty; archive: "name:tag" or empty
  std::string text;  // as it was given
};

// Never looks at the disk. An empty path: Error(usage).
Reference parse_reference(std::string_view text);

}  // namespace cib::oci
