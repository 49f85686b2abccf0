// The sandbox made of namespaces, as root or rootless: the program's side of it.
#pragma once

#include <memory>

#include "sandbox/helper.hpp"
#include "sandbox/probe.hpp"
#include "sandbox/sandbox.hpp"

namespace cib::sandbox {

// Makes the namespaces and mounts everything. The rung is one that `probe` chose with this helper. A writable Mount at
// /tmp gets mode 1777; without one, /tmp is in memory. Throws Error, whose message names the step that failed.
std::unique_ptr<Sandbox> make_sandbox(Helper& helper, const Rung& rung, const Setup& setup);

}  // namespace cib::sandbox
