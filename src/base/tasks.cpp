#include "base/tasks.hpp"

#include <algorithm>
#include <atomic>

namespace cib {

TaskPool::TaskPool(unsigned workers) {
  for (unsigned i = 0; i < std::max(workers, 1u); ++i) m_threads.emplace_back([this] { work(); });
}

TaskPool::~TaskPool() {
  {
    std::lock_guard lock(m_mutex);
    m_closing = true;
  }
  m_wake.notify_all();
  for (auto& thread : m_threads) thread.join();
}

void TaskPool::post(std::function<void()> task) {
  {
    std::lock_guard lock(m_mutex);
    m_queue.push_back(std::move(task));
  }
  m_wake.notify_one();
}

void TaskPool::work() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(m_mutex);
      m_wake.wait(lock, [this] { return m_closing || !m_queue.empty(); });
      if (m_queue.empty()) return;
      task = std::move(m_queue.front());
      m_queue.pop_front();
    }
    task();
  }
}

void for_each_index(unsigned workers, std::size_t count, const std::function<void(std::size_t)>& body) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::optional<std::pair<std::size_t, Error>> failure;
  std::atomic<bool> failed = false;
  auto work = [&] {
    while (!failed) {
      const std::size_t index = next++;
      if (index >= count) return;
      if (auto result = capture([&] { body(index); }); !result) {
        std::lock_guard lock(mutex);
        failed = true;
        if (!failure || index < failure->first) failure.emplace(index, result.error());
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    const std::size_t extra = std::min<std::size_t>(std::max(workers, 1u), count);
    for (std::size_t i = 1; i < extra; ++i) threads.emplace_back(work);
    work();
  }
  if (failure) throw failure->second;
}

void throw_if_stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(ExitCode::interrupted, "cancelled");
}

}  // namespace cib
