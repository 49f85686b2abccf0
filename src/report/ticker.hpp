// A thread that does something small again and again until it is destroyed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace cib::report {

class Ticker {
 public:
  // Calls `tick` every `interval` (more than 0) on a thread of its own, which takes no signals. `tick` must not throw.
  Ticker(std::chrono::milliseconds interval, std::function<void()> tick);
  // Waits for a running tick.
  ~Ticker();

 private:
  void run();

  std::chrono::milliseconds m_interval;
  std::function<void()> m_tick;
  std::mutex m_mutex;
  std::condition_variable m_wake;
  bool m_ending = false;
  std::thread m_thread;
};

}  // namespace cib::report
