// From which Buildpack or Platform API on a behaviour holds: one table, and nothing else compares
// versions (spec: buildpack.md, platform.md "API version"). One row, one test.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cib::cnb {

// A version "<major>.<minor>". It can be told from another one, but not ordered: ask holds().
template <class Kind>
class ApiVersion {
 public:
  constexpr ApiVersion() = default;
  constexpr ApiVersion(unsigned major, unsigned minor) : m_major(major), m_minor(minor) {}
  // "0.10", "1", "v0.9"; nothing for any other text.
  static std::optional<ApiVersion> parse(std::string_view text);

  std::string text() const;
  constexpr bool operator==(const ApiVersion&) const = default;

 private:
  friend Kind;
  unsigned m_major = 0;
  unsigned m_minor = 0;
};

struct BuildpackApiKind;
struct PlatformApiKind;
using BuildpackApi = ApiVersion<BuildpackApiKind>;
using PlatformApi = ApiVersion<PlatformApiKind>;

// What we do as a platform, and what CNB_PLATFORM_API of an exported image says: every launcher that
// supports Buildpack API 0.10 supports it.
inline constexpr PlatformApi platform_api{0, 12};

// Behaviour that depends on the API of the buildpack at hand.
enum class Since {
  env_variables_for_paths,  // CNB_PLATFORM_DIR, CNB_BUILD_PLAN_PATH, CNB_LAYERS_DIR, CNB_BP_PLAN_PATH
  working_dir,              // a process has a working-dir; before: ignored with a warning
  command_array,            // a process's command is a list; before: a string
  direct_forbidden,         // the key direct is an error; before: false means "through a shell"
  args_overridable,         // arguments at launch replace args; before: they follow them
  target_variables,         // CNB_TARGET_*
  stack_bionic_is_target,   // stack bionic beside others means Ubuntu 18.04 on amd64; before: only when alone
  exec_env,                 // CNB_EXEC_ENV, exec-env of buildpacks and processes
};

// Behaviour that depends on the Platform API.
enum class PlatformSince {
  sbom_layers,           // *.sbom.* files are collected and restored
  legacy_sbom,           // sbom.legacy.json is always written
  epoch_is_created,      // SOURCE_DATE_EPOCH
  metadata_command_array,  // command in metadata.toml and label is a list
  build_config,          // build-config/env
  launcher_sbom,         // the launcher's own SBOM goes into the image
  run_toml,              // run.toml instead of stack.toml
  target_matching,       // targets instead of stacks and mixins
  image_history,         // the run image's history is kept
  cache_metadata_alone,  // metadata of cache+launch layers comes from the cache when the image lacks it
  system_buildpacks,     // system.toml
  exec_env,              // exec-env lists decide who takes part
};

bool holds(Since behaviour, const BuildpackApi& api);
bool holds(PlatformSince behaviour, const PlatformApi& api = platform_api);

// Buildpack APIs 0.7 to 0.12.
bool is_supported(const BuildpackApi& api);

// The API that buildpack `who` ("id@version") declares. Throws Error(buildpack_api) when it is no version
// or not supported.
BuildpackApi require_supported_api(std::string_view text, std::string_view who);

}  // namespace cib::cnb
