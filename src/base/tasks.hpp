// A fixed set of worker threads. An exception never crosses a thread: a task ends with a value or with
// an Error as a value.
#pragma once

#include <condition_variable>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/error.hpp"

namespace cib {

class TaskPool {
 public:
  // At least one worker.
  explicit TaskPool(unsigned workers);
  // Waits for what was posted.
  ~TaskPool();
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  unsigned workers() const { return static_cast<unsigned>(m_threads.size()); }
  // The task must not throw; tasks that wait for other tasks of the same pool may deadlock.
  void post(std::function<void()> task);

 private:
  void work();

  std::mutex m_mutex;
  std::condition_variable m_wake;
  std::deque<std::function<void()>> m_queue;
  bool m_closing = false;
  std::vector<std::thread> m_threads;
};

// What `body` returns or throws, as a value. Other exceptions than Error become Error(bug).
template <class Body>
auto capture(Body&& body) -> std::expected<decltype(body()), Error> {
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
      return {};
    } else {
      return body();
    }
  } catch (Error& error) {
    return std::unexpected(std::move(error));
  } catch (const std::bad_alloc&) {
    return std::unexpected(Error(ExitCode::unavailable, "out of memory").next("give the job more memory, or use fewer --jobs"));
  } catch (const std::exception& error) {
    return std::unexpected(error_of(error));
  }
}

// Runs body(0) … body(count-1) on up to `workers` threads (the calling thread is one of them) and waits.
// After the first failure no further index is begun; the failure with the lowest index is thrown.
void for_each_index(unsigned workers, std::size_t count, const std::function<void(std::size_t)>& body);

// Throws Error(interrupted) when the token was asked to stop.
void throw_if_stopped(const std::stop_token& stop);

}  // namespace cib
