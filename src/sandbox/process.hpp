// One process inside of a sandbox: seen from the container process that owns the sandbox's namespaces.
//
//   container ── runner ── init (pid 1 of a new pid namespace) ── the process and its descendants
//
// The runner listens to the program and waits for init; init reaps, and ends when the process ends, upon which the
// kernel kills whatever is left in the pid namespace. Each of them dies with its parent.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <vector>

#include "base/file.hpp"

namespace cib::sandbox {

// What all processes of a sandbox have in common.
struct Surroundings {
  int root = -1;  // the mounted root, in the container's mount namespace
  uid_t uid = 0;
  gid_t gid = 0;
  bool may_set_groups = true;  // false in a user namespace with a single id
  std::vector<sock_filter> filter;
};

// One request to run.
struct RunRequest {
  Fd control;           // to the program
  Fd output;            // the pipe for stdout and stderr
  std::string payload;  // argv, env, cwd; an empty argv prepares everything and executes nothing
};

// Asks for SIGKILL when the parent dies, and ends at once if it did already.
void die_with(pid_t parent);

// The runner: called in a fresh fork of the container, never returns.
[[noreturn]] void run_process(const Surroundings& surroundings, RunRequest request, pid_t container);

}  // namespace cib::sandbox
