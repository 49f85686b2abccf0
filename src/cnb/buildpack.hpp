// One buildpack as its buildpack.toml describes it (spec: buildpack.md "buildpack.toml").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cnb/api.hpp"
#include "cnb/order.hpp"
#include "cnb/target.hpp"

namespace cib::cnb {

struct Buildpack {
  BuildpackApi api;
  std::string id;
  std::string version;
  std::string name;
  std::string homepage;
  bool clear_env = false;                 // the user's variables are not for it
  std::vector<std::string> sbom_formats;  // media types, parameters included
  std::vector<std::string> exec_env;      // empty: every execution environment
  Order order;                            // not empty: a composite, which has nothing to run
  std::vector<std::string> stacks;        // ids
  std::vector<Target> targets;

  std::string full_name() const { return id + "@" + version; }
  bool is_composite() const { return !order.empty(); }
};

// Throws Error(buildpack_api) for an API that is not supported, and Error(configuration), naming the
// file and the key, for everything else that is wrong. Unknown keys are ignored.
Buildpack parse_buildpack_toml(std::string_view text, std::string_view file_name);

// The id as the name of a folder: '/' becomes '_'.
std::string escaped_id(std::string_view id);

// Ids and versions become names of folders. What is wrong with one, as the end of a sentence ("must not
// contain …"); empty when it is fine. Reserved ids: app, config, generated, sbom.
std::string id_fault(std::string_view id);
std::string version_fault(std::string_view version);

}  // namespace cib::cnb
