// SIGINT, SIGTERM and SIGHUP as a stop request. Made once, by a command that can be stopped, after the sandbox's helper
// was started (which must not inherit the mask) and before any other thread is (so that they inherit it).
#pragma once

#include <atomic>
#include <csignal>
#include <stop_token>
#include <thread>

#include "base/error.hpp"

namespace cib::cli {

// While it lives, the signals are blocked in the calling thread and in the threads that it starts; one thread of its own
// waits for them. The first signal is a stop request, the second ends the process at once with 130 or 143. A SIGHUP that was
// ignored before (nohup) stays ignored. Writing to a closed pipe is an error of the write, not the end of the process.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  std::stop_token token() const { return m_stop.get_token(); }
  // The signal that asked for the stop; 0 when there was none.
  int received() const { return m_received; }
  // The failure as it is to be reported: one that was cancelled carries the code of the signal (130, or 143 for
  // SIGTERM and SIGHUP); others stay as they are.
  Error as_reported(Error error) const;

 private:
  void wait();

  sigset_t m_watched;
  sigset_t m_mask_before;
  struct sigaction m_pipe_before;
  std::stop_source m_stop;
  std::atomic<int> m_received = 0;
  std::atomic<bool> m_closing = false;
  std::thread m_thread;
};

}  // namespace cib::cli
