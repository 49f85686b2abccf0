// Tar streams, byte for byte as the Go lifecycle's archive/tar writes them (USTAR where everything fits,
// else a PAX record in front): two implementations give the same diffID for the same tree.
#pragma once

#include <cstdint>
#include <string>

#include "base/stream.hpp"

namespace cib::oci {

struct TarHeader {
  enum class Type : char {
    file = '0',
    hard_link = '1',
    symlink = '2',
    char_device = '3',
    block_device = '4',
    folder = '5',
    fifo = '6',
  };
  std::string name;  // as it shall stand in the archive: layers use an absolute one without a trailing slash
  Type type = Type::file;
  std::uint32_t mode = 0644;  // permission, set-id and sticky bits
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::uint64_t size = 0;  // of the contents; 0 for everything but files
  std::int64_t mtime = 315532801;  // seconds; 1980-01-01T00:00:01Z, the lifecycle's
  std::string link;                // target of a link
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
};

class TarWriter {
 public:
  explicit TarWriter(Sink& sink) : m_sink(sink) {}
  // Begins an entry; exactly header.size bytes must follow through contents().
  void header(const TarHeader& header);
  void contents(Bytes bytes);
  // Ends the archive: two zero blocks, no further padding. Throws Error(bug) if an entry is incomplete.
  void finish();

 private:
  void pad();

  Sink& m_sink;
  std::uint64_t m_missing = 0;  // bytes of the current entry still to come
  std::uint64_t m_padding = 0;
};

// The 512 bytes (and a PAX record in front, when needed) of one header.
std::string encode_header(const TarHeader& header);

}  // namespace cib::oci
