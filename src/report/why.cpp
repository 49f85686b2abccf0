#include "report/why.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace cib::report {

namespace {

struct Unit {
  double bytes;
  const char* name;
};
constexpr Unit kilo{1e3, "kB"};
constexpr Unit mega{1e6, "MB"};
constexpr Unit giga{1e9, "GB"};

// The limits are where rounding would reach the next unit: 999 600 bytes are 1.0 MB, not 1000 kB.
Unit unit_of(std::uint64_t bytes) {
  if (bytes < 1000) return {1, "B"};
  if (bytes < 999'500) return kilo;
  if (bytes < 9'999'500'000) return mega;
  return giga;
}

std::string in_unit(std::uint64_t bytes, Unit unit) {
  if (unit.bytes == 1) return fmt::format("{}", bytes);
  const double value = static_cast<double>(bytes) / unit.bytes;
  // 0 only for nothing at all, and one decimal where the whole number would hide a lot.
  if (bytes == 0) return "0";
  if (value < 9.95 || unit.bytes == giga.bytes) return fmt::format("{:.1f}", value);
  return fmt::format("{:.0f}", value);
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

constexpr std::size_t shown_digits = 12;

}  // namespace

std::string human_size(std::uint64_t bytes) {
  const Unit unit = unit_of(bytes);
  return fmt::format("{} {}", in_unit(bytes, unit), unit.name);
}

std::string human_part(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return human_size(done);
  const Unit unit = unit_of(total);
  return fmt::format("{} of {} {}", in_unit(done, unit), in_unit(total, unit), unit.name);
}

std::string human_seconds(double seconds) {
  if (!(seconds > 0)) seconds = 0;
  return seconds < 99.95 ? fmt::format("{:.1f} s", seconds) : fmt::format("{:.0f} s", seconds);
}

std::string brief_digest(std::string_view digest) {
  const std::size_t colon = digest.find(':');
  if (colon == std::string_view::npos || digest.size() - colon - 1 < 32) return std::string(digest);
  for (const char c : digest.substr(colon + 1))
    if (!is_hex(c)) return std::string(digest);
  return fmt::format("{}…", digest.substr(0, colon + 1 + shown_digits));
}

std::string brief_digests(std::string_view text) {
  constexpr std::string_view start = "sha256:";
  std::string out;
  while (true) {
    const std::size_t at = text.find(start);
    if (at == std::string_view::npos) break;
    std::size_t end = at + start.size();
    while (end < text.size() && is_hex(text[end])) ++end;
    out += text.substr(0, at);
    const std::string_view digest = text.substr(at, end - at);
    out += digest.size() == start.size() + 64 ? brief_digest(digest) : std::string(digest);
    text.remove_prefix(end);
  }
  out += text;
  return out;
}

std::string_view short_name(std::string_view id) {
  const std::size_t slash = id.substr(0, id.find(':')).rfind('/');
  return slash == std::string_view::npos || slash + 1 == id.size() ? id : id.substr(slash + 1);
}

std::size_t columns(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text)
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) ++count;
  return count;
}

std::string padded(std::string_view text, std::size_t width) {
  const std::size_t taken = columns(text);
  std::string out(text);
  if (taken < width) out.append(width - taken, ' ');
  return out;
}

}  // namespace cib::report
