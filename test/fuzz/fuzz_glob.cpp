// Patterns of slices, from launch.toml, against a name: the first line is the pattern.
#include "cnb/slices.hpp"
#include "guard.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto text = cib::fuzz::text_of(data, size);
  const auto line = text.substr(0, text.find('\n'));
  cib::fuzz::guarded([&] {
    cib::cnb::GlobPattern(line).matches(text.substr(std::min(text.size(), line.size() + 1)));
    cib::cnb::clean_path(line);
  });
  return 0;
}
