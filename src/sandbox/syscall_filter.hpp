// The system calls that no process inside may make: those with which an unprivileged user attacks the kernel or
// leaves the sandbox, in the main those that container engines refuse by default too.
#pragma once

#include <linux/filter.h>

#include <vector>

namespace cib::sandbox {

// The filter as a program for the kernel, for this machine's architecture and its 32-bit sibling. Throws Error.
std::vector<sock_filter> make_syscall_filter();

// Puts it on the calling process for good; no_new_privs must be set. Throws Error.
void load_syscall_filter(const std::vector<sock_filter>& filter);

}  // namespace cib::sandbox
