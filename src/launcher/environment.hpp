// The environment of the process: the container's, changed by the layers.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/layers.hpp"

namespace cib::launcher {

class Environment {
 public:
  // Takes "NAME=value" entries, of which the last of a name counts. Without the variables that are meant for the
  // launcher alone, and without its folders in PATH.
  explicit Environment(const char* const* entries);

  // Empty when it is not set.
  const std::string& get(std::string_view name) const;
  void set(std::string_view name, std::string value);

  // Puts <layer>/bin before PATH and <layer>/lib before LD_LIBRARY_PATH, where they exist.
  void add_root(const std::string& layer);

  // Applies the files NAME[.action] of a folder; a missing folder is none. Throws Failure when a file cannot be read
  // or cannot be a value.
  void add_files(const std::string& folder);

  // "NAME=value", sorted by name.
  std::vector<std::string> list() const;

 private:
  void prepend_path(std::string_view name, const std::string& folder);

  std::map<std::string, std::string, std::less<>> m_values;
};

// All layers' folders and env, env.launch and env.launch/<type> files; `type` may be empty.
void add_layers(Environment& environment, const std::vector<BuildpackLayers>& buildpacks, const std::string& type);

}  // namespace cib::launcher
