// Definitions of builders.
#include "cnb/builder_toml.hpp"
#include "guard.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  cib::fuzz::guarded([&] { cib::cnb::parse_builder_toml(cib::fuzz::text_of(data, size), "builder.toml"); });
  return 0;
}
