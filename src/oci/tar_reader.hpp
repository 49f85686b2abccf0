// Reads tar streams of any origin: USTAR, PAX (path, linkpath, size, uid, gid, mtime, SCHILY.xattr),
// GNU long names. The bytes are foreign: every field is checked.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/stream.hpp"
#include "oci/tar_writer.hpp"

namespace cib::oci {

struct TarEntry : TarHeader {
  std::map<std::string, std::string> xattrs;
};

class TarReader {
 public:
  explicit TarReader(Source& source) : m_source(source) {}
  // The next entry, or false at the end of the archive (two zero blocks, or the end of the stream after a
  // complete entry). Contents that were not read are skipped. Sparse and other exotic types, broken checksums,
  // numbers out of range, a stream that ends inside an entry, names with a NUL or longer than 4,096 bytes:
  // Error(configuration).
  bool next(TarEntry& entry);
  // Contents of the current entry; 0 at its end.
  std::size_t read(std::span<std::byte> buffer);

 private:
  void skip();
  void read_exactly(std::span<std::byte> buffer);

  Source& m_source;
  std::uint64_t m_left = 0;     // of the current entry
  std::uint64_t m_padding = 0;  // after it
};

}  // namespace cib::oci
