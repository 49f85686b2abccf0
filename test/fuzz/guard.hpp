// What a parser may do with hostile input: return, or throw an Error that is the input's fault. Everything else (another
// exception, a code that blames us) ends the fuzz target.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/error.hpp"

namespace cib::fuzz {

template <class Body>
void guarded(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    if (error.code() == ExitCode::bug) {
      std::fprintf(stderr, "blames us: %s\n", error.what());
      std::abort();
    }
  }
}

inline std::string_view text_of(const unsigned char* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace cib::fuzz
