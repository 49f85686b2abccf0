// The environment that buildpacks run with, and what layers add to it (spec: buildpack.md "Environment",
// "Layer Paths", "Environment Variable Modification Rules").
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cib::cnb {

// Variables by name. A variable that is not set reads as empty.
class Environment {
 public:
  Environment() = default;
  explicit Environment(std::map<std::string, std::string> variables) : m_variables(std::move(variables)) {}

  const std::string& get(const std::string& name) const;
  bool has(const std::string& name) const { return m_variables.contains(name); }
  void set(const std::string& name, std::string value) { m_variables[name] = std::move(value); }
  const std::map<std::string, std::string>& variables() const { return m_variables; }
  // "NAME=value", sorted by name.
  std::vector<std::string> strings() const;
  bool operator==(const Environment&) const = default;

 private:
  std::map<std::string, std::string> m_variables;
};

// Names of files and what they hold, as in <layer>/env or <platform>/env.
using EnvFiles = std::map<std::string, std::string>;

// What a file name without suffix means: `set_always` in layers, `set_default` in build-config.
enum class EnvAction { set_always, set_default };

// Applies the files in the order of their names: NAME, NAME.override, .default (where unset or empty),
// .append, .prepend (both with NAME.delim's bytes between, if there is something to be between). Any
// other suffix is ignored; the suffix begins at the first dot. Values are taken as they are.
// Throws Error(build) for a name with "=" or a value with a NUL byte.
void apply_env_files(Environment& env, const EnvFiles& files, EnvAction without_suffix);

// The variables that point into layers.
enum class LayerUse { build, launch };

// Prepends "<layer>/<sub-folder>:" to the variables that stand for it: bin, lib, include, pkgconfig while
// building, bin and lib at launch. `sub_folders` are the names that exist in the layer, `layer` is its
// path as processes see it. Where the variable was empty nothing but the path is set.
void add_root_folders(Environment& env, std::string_view layer, const std::vector<std::string>& sub_folders, LayerUse use);

// What a build layer means for the buildpacks after it: add_root_folders, then env/, then env.build/.
// `base` is a trusted folder on this machine, `layer` the layer's path below it ("python" below
// <layers>/<buildpack>); `seen_as` is the layer's path as processes see it. A link called bin, lib, … counts
// wherever it points; files are read as read_env_folder does. Throws what read_env_folder throws.
void apply_build_layer(Environment& env, const std::filesystem::path& base, const std::string& layer, std::string_view seen_as);

// apply_env_files on what read_env_folder gives.
void apply_env_folder(Environment& env, const std::filesystem::path& base, const std::filesystem::path& folder,
                      EnvAction without_suffix);

// The files of `folder`, a path below the trusted folder `base`; none when it does not exist. Folders in
// it are left out. Links are followed only where they stay below `base`: what a buildpack leaves behind
// must not make us read files of our own. Throws Error(build) for a link that does not, for what is
// neither file nor folder, and for more than 1 MiB in a file; system_error for other failures.
EnvFiles read_env_folder(const std::filesystem::path& base, const std::filesystem::path& folder);

// What one process gets: the accumulated environment with the user's variables over it (PATH and the
// like: in front, with ":"; all others: instead), then the builder's build-config, whose plain names are
// defaults. With `clear_env` (buildpack.toml) the user's are left out. `env` itself stays as it is.
Environment with_overrides(const Environment& env, const EnvFiles& platform_env, const EnvFiles& build_config, bool clear_env);

}  // namespace cib::cnb
