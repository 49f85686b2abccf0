// Running processes in a root file system that is not ours. One Sandbox is one "container": all its processes
// share the root, its mounts and its network; each process gets its own pid namespace and dies whole.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "store/root_tree.hpp"

namespace cib::sandbox {

// A file or folder of this machine that is seen inside at `target` (absolute; made when missing).
struct Mount {
  fs::path source;
  std::string target;
  bool read_only = true;
};

enum class Network { host, none };

struct Setup {
  store::RootTree root;
  std::vector<Mount> mounts;  // in order; a later one may lie inside an earlier one
  uid_t uid = 0;              // of every process: the CNB user
  gid_t gid = 0;
  Network network = Network::host;
  std::string hostname = "build";
};

struct Process {
  std::vector<std::string> argv;  // argv[0] is the absolute path inside the root
  std::vector<std::string> env;   // NAME=value; nothing else is inherited
  std::string cwd = "/";
};

// How a process ended.
struct Exit {
  int code = 0;        // exit status, or -1 when a signal ended it
  int signal = 0;      // the signal, or 0
  bool started = true; // false: it could not be executed; `error` says why
  std::string error;
};

class Sandbox {
 public:
  virtual ~Sandbox() = default;
  // "namespaces (root)", for the log, and why this rung.
  virtual std::string_view rung() const = 0;
  // Whether the cloud's metadata addresses (169.254.169.254, 169.254.170.2, fd00:ec2::254), which hand out the job's
  // credentials, are out of reach from inside. On the host's network they are not.
  virtual bool blocks_metadata() const { return false; }
  // Runs the process to its end, stdin from /dev/null, stdout and stderr as one stream to `output` (called on the
  // calling thread, with bytes as they come). May be called from several threads at once. On a stop request the
  // process group gets SIGTERM, and everything in its pid namespace SIGKILL two seconds later; then throws
  // Error(interrupted). Whatever the process left running is dead when this returns. Throws Error when the
  // sandbox itself fails.
  virtual Exit run(const Process& process, const std::function<void(std::string_view)>& output,
                   std::stop_token stop) = 0;
};

}  // namespace cib::sandbox
