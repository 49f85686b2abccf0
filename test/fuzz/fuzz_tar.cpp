// Tar streams of any origin.
#include <array>

#include "guard.hpp"
#include "oci/tar_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  cib::fuzz::guarded([&] {
    cib::MemorySource source(cib::fuzz::text_of(data, size));
    cib::oci::TarReader reader(source);
    cib::oci::TarEntry entry;
    std::array<std::byte, 700> buffer;
    while (reader.next(entry))
      while (reader.read(buffer)) {
      }
  });
  return 0;
}
