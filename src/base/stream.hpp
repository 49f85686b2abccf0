// Everything that moves bytes is a Source or a Sink; hashing, compressing and counting are sinks in a row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cib {

using Bytes = std::span<const std::byte>;

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Source {
 public:
  virtual ~Source() = default;
  // Reads 1 to buffer.size() bytes; 0 only at the end (or for an empty buffer). Throws Error.
  virtual std::size_t read(std::span<std::byte> buffer) = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Takes all bytes or throws Error.
  virtual void write(Bytes bytes) = 0;
};

// Bytes that are already in memory. The text must outlive the source.
class MemorySource : public Source {
 public:
  explicit MemorySource(std::string_view text) : m_rest(as_bytes(text)) {}
  explicit MemorySource(Bytes bytes) : m_rest(bytes) {}
  std::size_t read(std::span<std::byte> buffer) override;

 private:
  Bytes m_rest;
};

class StringSink : public Sink {
 public:
  void write(Bytes bytes) override { text.append(as_text(bytes)); }
  std::string text;
};

class NullSink : public Sink {
 public:
  void write(Bytes bytes) override { count += bytes.size(); }
  std::uint64_t count = 0;
};

class TeeSink : public Sink {
 public:
  TeeSink(Sink& first, Sink& second) : m_first(first), m_second(second) {}
  void write(Bytes bytes) override {
    m_first.write(bytes);
    m_second.write(bytes);
  }

 private:
  Sink& m_first;
  Sink& m_second;
};

// Reads until the buffer is full or the source ends; returns how much it got.
std::size_t read_full(Source& source, std::span<std::byte> buffer);

// Copies everything; returns the number of bytes.
std::uint64_t copy(Source& source, Sink& sink);

// The whole source as text. Throws Error(configuration) when it is longer than `limit` bytes.
std::string read_all(Source& source, std::size_t limit);

}  // namespace cib
