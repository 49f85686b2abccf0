// Feeds a fuzz target its seeds and a fixed number of mutations of each, always the same ones: what a fuzzer once
// found stays found, without a fuzzer.
#include <cstdio>
#include <random>
#include <vector>

#include "base/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int mutations = 300;

void feed(const std::string& text) {
  // A copy of exact size: reading past the end is then seen by the sanitizer.
  const std::vector<std::uint8_t> bytes(text.begin(), text.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::string mutated(std::string text, std::mt19937& random) {
  static const std::string interesting[] = {"\"", "{", "[", "]", "=", "\n", "..", "/", std::string(1, '\0'), "-1", "\xff",
                                            "99999999999999999999", "null", "[[", "'''", "\\u0000"};
  for (unsigned i = 0, count = 1 + random() % 4; i < count && !text.empty(); ++i) {
    const std::size_t at = random() % text.size();
    switch (random() % 5) {
      case 0: text[at] = static_cast<char>(random()); break;
      case 1: text.erase(at, 1 + random() % 16); break;
      case 2: text.insert(at, interesting[random() % std::size(interesting)]); break;
      case 3: text.insert(at, text.substr(at, 1 + random() % 64)); break;
      case 4: text.resize(at); break;
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  std::mt19937 random(1);
  std::size_t inputs = 0;
  feed("");
  for (int i = 1; i < argc; ++i)
    for (const auto& entry : cib::list_folder(argv[i])) {
      const std::string seed = cib::read_file(cib::fs::path(argv[i]) / entry.name);
      feed(seed);
      for (int k = 0; k < mutations; ++k) feed(mutated(seed, random));
      inputs += mutations + 1;
    }
  if (inputs == 0) {
    std::fputs("no seeds\n", stderr);
    return 1;
  }
  std::printf("%zu inputs\n", inputs);
  return 0;
}
