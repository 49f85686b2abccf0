#include "store/read_ahead.hpp"

#include <algorithm>
#include <cstring>

#include "base/tasks.hpp"

namespace cib::store {

ReadAhead::ReadAhead(std::unique_ptr<Source> source, std::size_t blocks, std::size_t block_size)
    : m_source(std::move(source)), m_blocks(blocks), m_block_size(block_size), m_thread([this] { work(); }) {}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard guard(m_mutex);
    m_closing = true;
  }
  m_wake.notify_all();
  m_thread.join();
}

void ReadAhead::work() {
  auto outcome = capture([&] {
    for (;;) {
      Block block;
      {
        std::unique_lock guard(m_mutex);
        m_wake.wait(guard, [&] { return m_closing || m_full.size() < m_blocks; });
        if (m_closing) return;
        if (!m_spare.empty()) {
          block = std::move(m_spare.back());
          m_spare.pop_back();
        }
      }
      block.resize(m_block_size);
      const std::size_t count = m_source->read(block);
      if (count == 0) return;
      block.resize(count);
      {
        const std::lock_guard guard(m_mutex);
        m_full.push_back(std::move(block));
      }
      m_wake.notify_all();
    }
  });
  {
    const std::lock_guard guard(m_mutex);
    m_outcome = std::move(outcome);
    m_ended = true;
  }
  m_wake.notify_all();
}

std::size_t ReadAhead::read(std::span<std::byte> buffer) {
  if (buffer.empty()) return 0;
  if (m_position == m_current.size()) {
    std::unique_lock guard(m_mutex);
    if (m_current.capacity()) m_spare.push_back(std::move(m_current));
    m_current = {};
    m_position = 0;
    m_wake.wait(guard, [&] { return m_ended || !m_full.empty(); });
    if (m_full.empty()) {
      if (!m_outcome) throw m_outcome.error();
      return 0;
    }
    m_current = std::move(m_full.front());
    m_full.pop_front();
    guard.unlock();
    m_wake.notify_all();
  }
  const std::size_t count = std::min(buffer.size(), m_current.size() - m_position);
  std::memcpy(buffer.data(), m_current.data() + m_position, count);
  m_position += count;
  return count;
}

}  // namespace cib::store
