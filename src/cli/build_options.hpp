// The flags of `build` as plain values: everything that can be judged without opening an image is checked here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "oci/reference.hpp"
#include "sandbox/sandbox.hpp"

namespace cib::cli {

// A file or folder of this machine that buildpacks see at `target`.
struct Volume {
  fs::path source;     // exists, absolute
  std::string target;  // absolute, without . and ..; not / or a folder of the build itself
  bool read_only = true;
};

enum class RootfsChoice { automatic, overlay, flat };
enum class IsolationChoice { automatic, namespaces, rootless };

struct BuildOptions {
  // input
  fs::path path = ".";                     // an existing folder, as it was given
  std::map<std::string, std::string> env;  // the files of --env-file in order, then --env; a later one wins
  std::vector<Volume> volumes;
  std::string default_process;             // empty: the buildpacks decide

  // builder
  std::string builder;                  // as it was given; empty: the embedded one
  std::vector<std::string> buildpacks;  // in order; empty: the builder's own order
  std::string run_image;                // empty: the builder's

  // output
  std::vector<oci::Reference> outputs;        // layouts and archives, no two at one path; empty: a layout in the store
  std::vector<std::string> tags;              // names under which an archive is loaded
  std::string previous_image;                 // empty: what stands at the first output
  std::optional<std::int64_t> creation_time;  // seconds since 1970; nothing: the fixed time of reproducible images
  fs::path report_folder;                              // report.toml goes there; empty: nowhere
  fs::path report_file;                       // JSON; empty: none

  // cache
  std::optional<fs::path> cache_dir;
  bool clear_cache = false;
  fs::path store;  // absolute; store::default_store_path() when --store is not given

  // sandbox
  sandbox::Network network = sandbox::Network::host;
  RootfsChoice rootfs = RootfsChoice::automatic;
  IsolationChoice isolation = IsolationChoice::automatic;
  unsigned jobs = 1;  // 1 to 1024
  std::optional<fs::path> ca_file;
  bool no_host_ca = false;

  // log
  bool no_color = false;
  bool verbose = false;
  bool quiet = false;
};

// Throws Error(usage) naming the flag and the value; Error(configuration) naming file and line for what an
// --env-file says. Reads SOURCE_DATE_EPOCH (when --creation-time is not given) and, for --env NAME and a NAME alone
// in an --env-file, the environment; a variable that is not set there is empty, as with pack.
BuildOptions parse_build_options(const std::vector<std::string>& arguments);

// How many CPUs this process may use: its affinity mask, and the quota of its cgroup rounded up. At least 1.
unsigned usable_cpus();

}  // namespace cib::cli
