// Compressed streams: gzip, zstd, or neither.
#include "guard.hpp"
#include "oci/compression.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  cib::fuzz::guarded([&] {
    const auto source = cib::oci::inflate(std::make_unique<cib::MemorySource>(cib::fuzz::text_of(data, size)));
    cib::read_all(*source, 8u << 20);
  });
  return 0;
}
