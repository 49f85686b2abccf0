// The image configuration (OCI image-spec config.md; Docker's image JSON). Fields that this program
// changes are typed; all others are carried through untouched.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/digest.hpp"
#include "oci/manifest.hpp"

namespace cib::oci {

struct History {
  std::string created;  // RFC 3339; may be empty
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;
  bool operator==(const History&) const = default;
};

class ImageConfig {
 public:
  Platform platform;
  std::string os_version;
  std::string created;  // RFC 3339
  std::string author;
  std::vector<Digest> diff_ids;
  std::vector<History> history;

  // The container part ("config").
  std::vector<std::string> env;  // NAME=value, in order
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string working_dir;
  std::string user;
  std::map<std::string, std::string> labels;

  // The value of an environment variable, or nothing.
  std::optional<std::string> variable(std::string_view name) const;
  // Replaces the variable where it stands, or appends it.
  void set_variable(std::string_view name, std::string_view value);
  std::optional<std::string> label(std::string_view name) const;

  // Everything that was parsed and is not above, as JSON text; "" for a new configuration.
  std::string foreign;
};

// Throws Error(configuration) that names what is wrong.
ImageConfig parse_config(std::string_view json);

// Deterministic: equal values give equal bytes. The foreign fields are kept, `container`,
// `container_config` and `docker_version` excepted (§6.4 of the lifecycle: they describe another machine).
std::string to_json(const ImageConfig& config);

}  // namespace cib::oci
