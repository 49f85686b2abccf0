// Sizes, times, digests and names in the form in which people read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cib::report {

// "812 B", "1.2 kB", "640 kB", "1.2 MB", "143 MB", "12.4 GB" (decimal units; MB up to 9999).
std::string human_size(std::uint64_t bytes);

// "212 of 611 MB": both in the unit of the total. Without a total (0) just the size.
std::string human_part(std::uint64_t done, std::uint64_t total);

// "0.6 s", "13.4 s", "125 s": one decimal below 100.
std::string human_seconds(double seconds);

// "sha256:e3b0c44298fc…": the algorithm and the first 12 digits. What is no digest stays as it is.
std::string brief_digest(std::string_view digest);

// The same for every sha256 digest inside a text.
std::string brief_digests(std::string_view text);

// "cpython" of "paketo-buildpacks/cpython", "cpython:layer" of "paketo-buildpacks/cpython:layer".
std::string_view short_name(std::string_view id);

// How many columns a text takes, taking every code point that is not ASCII for one.
std::size_t columns(std::string_view text);

// The text with blanks behind it up to `width` columns.
std::string padded(std::string_view text, std::size_t width);

}  // namespace cib::report
