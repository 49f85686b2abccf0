// gzip and zstd. What we write depends on the input bytes and the level alone: a row of gzip members of
// 1 MiB of input each, whatever --jobs, memory or the size of the writes are.
#pragma once

#include <memory>

#include "base/stream.hpp"
#include "base/tasks.hpp"

namespace cib::oci {

inline constexpr std::size_t gzip_member_size = 1u << 20;  // bytes of input a member
inline constexpr int gzip_level = 1;                       // ISA-L's

// Compresses members on the pool's workers and hands them on in order. With no pool on the calling thread.
class GzipSink : public Sink {
 public:
  // At most `ahead` members are in flight.
  GzipSink(Sink& sink, TaskPool* pool, unsigned ahead = 4);
  ~GzipSink() override;
  void write(Bytes bytes) override;
  // Flushes; nothing may be written afterwards. An empty input gives one empty member.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

// Wraps a source so that gzip (any number of members) or zstd is inflated, and everything else passes as it
// is; told from the first bytes. Throws Error(configuration) on a broken or truncated stream.
std::unique_ptr<Source> inflate(std::unique_ptr<Source> source);

}  // namespace cib::oci
