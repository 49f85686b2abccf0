#include "base/stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/error.hpp"

namespace cib {

std::size_t MemorySource::read(std::span<std::byte> buffer) {
  const std::size_t count = std::min(buffer.size(), m_rest.size());
  if (count) std::memcpy(buffer.data(), m_rest.data(), count);
  m_rest = m_rest.subspan(count);
  return count;
}

std::size_t read_full(Source& source, std::span<std::byte> buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const std::size_t count = source.read(buffer.subspan(filled));
    if (count == 0) break;
    filled += count;
  }
  return filled;
}

std::uint64_t copy(Source& source, Sink& sink) {
  std::vector<std::byte> buffer(256 * 1024);
  std::uint64_t total = 0;
  while (const std::size_t count = source.read(buffer)) {
    sink.write(Bytes(buffer).first(count));
    total += count;
  }
  return total;
}

std::string read_all(Source& source, std::size_t limit) {
  std::string text;
  std::vector<std::byte> buffer(64 * 1024);
  while (const std::size_t count = source.read(buffer)) {
    if (text.size() + count > limit)
      throw Error(ExitCode::configuration, fmt::format("longer than {} bytes", limit));
    text.append(as_text(Bytes(buffer).first(count)));
  }
  return text;
}

}  // namespace cib
