// Reads a source on a thread of its own, so that inflating and hashing go on while files are written.
#pragma once

#include <condition_variable>
#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "base/stream.hpp"

namespace cib::store {

class ReadAhead : public Source {
 public:
  // Keeps up to `blocks` blocks of `block_size` bytes.
  explicit ReadAhead(std::unique_ptr<Source> source, std::size_t blocks = 8, std::size_t block_size = 256 * 1024);
  // Waits until the read that is going on returns.
  ~ReadAhead() override;
  // What the source throws comes here, after the bytes before it.
  std::size_t read(std::span<std::byte> buffer) override;

 private:
  using Block = std::vector<std::byte>;
  void work();

  std::unique_ptr<Source> m_source;
  const std::size_t m_blocks;
  const std::size_t m_block_size;
  std::mutex m_mutex;
  std::condition_variable m_wake;
  std::deque<Block> m_full;
  std::vector<Block> m_spare;
  std::expected<void, Error> m_outcome;
  bool m_ended = false;
  bool m_closing = false;
  Block m_current;
  std::size_t m_position = 0;
  std::thread m_thread;  // last: works on all of the above
};

}  // namespace cib::store
