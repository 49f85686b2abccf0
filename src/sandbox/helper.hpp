// The process that makes sandboxes: this program executed again, with an empty environment and one thread, before the
// program itself has threads or credentials. It can enter user namespaces, which a threaded process cannot, and it
// holds no secret that a forked copy could leak.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string_view>

#include "base/file.hpp"

namespace cib::sandbox {

// main() calls this first: in the helper it does the helper's work and returns its exit code; otherwise nothing.
std::optional<int> maybe_helper(int argc, char** argv);

// Makes the calling process undumpable: no process of the same user can read its memory, environment or descriptors.
void protect_process();

// Must outlive the sandboxes that it makes. When it ends, or this process does in whatever way, the helper and all
// that runs in its sandboxes is killed.
class Helper {
 public:
  // Starts the helper and protects this process. Call it before there are threads. Throws Error.
  static std::unique_ptr<Helper> start();
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  pid_t pid() const { return m_pid; }

  // Starts a container process (container.hpp) and returns our end of its socket. Thread-safe.
  Fd start_container(std::string_view request);

 private:
  Helper(pid_t pid, Fd socket) : m_pid(pid), m_socket(std::move(socket)) {}

  pid_t m_pid;
  Fd m_socket;
};

}  // namespace cib::sandbox
