// The process that owns the namespaces of one sandbox: made by the helper, it mounts the root and then starts
// processes until the program closes its socket.
#pragma once

#include <string>
#include <string_view>

#include "base/file.hpp"
#include "sandbox/sandbox.hpp"

namespace cib::sandbox {

struct ContainerRequest {
  Setup setup;
  bool user_namespace = false;   // the rootless rung
  bool subordinate_ids = false;  // with newuidmap and newgidmap
};

std::string encode_request(const ContainerRequest& request);
ContainerRequest decode_request(std::string_view payload);

// Called in a fresh fork of the helper: sets up, answers ready or failed on the socket, serves, never returns.
[[noreturn]] void run_container(Fd socket, std::string_view payload, pid_t helper);

}  // namespace cib::sandbox
