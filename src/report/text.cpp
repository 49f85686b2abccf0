#include "report/text.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <optional>

namespace cib::report {

namespace {

constexpr std::size_t longest_line = 64u << 10;
constexpr std::size_t longest_sequence = 4096;
constexpr char escape = '\x1b';

struct CodePoint {
  std::uint32_t value;
  std::size_t length;
};

// The code point at the front; nothing when the bytes are no UTF-8 (overlong forms and surrogates included).
std::optional<CodePoint> decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  std::size_t length = 0;
  std::uint32_t value = 0;
  if (first < 0x80) return CodePoint{first, 1};
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
    value = first & 0x1fu;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    value = first & 0x0fu;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    value = first & 0x07u;
  } else {
    return std::nullopt;
  }
  if (text.size() < length) return std::nullopt;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  if ((length == 3 && value < 0x800) || (length == 4 && value < 0x10000) || value > 0x10ffff) return std::nullopt;
  if (value >= 0xd800 && value <= 0xdfff) return std::nullopt;
  return CodePoint{value, length};
}

// Marks that reorder what is shown, or lines that a log viewer would break.
bool misleads(std::uint32_t c) {
  return (c >= 0x80 && c <= 0x9f) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
         c == 0x200f || c == 0x061c || c == 0x2028 || c == 0x2029;
}

struct Sequence {
  std::size_t length;  // of the escape sequence, ESC included
  bool colour;
};

// The terminal sequence at the front, which is ESC.
Sequence sequence_at(std::string_view text) {
  if (text.size() < 2) return {1, false};
  if (text[1] == '[') {
    std::size_t i = 2;
    bool plain = true;  // only digits, ; and : before the final byte
    while (i < text.size() && text[i] >= 0x20 && text[i] <= 0x3f) {
      plain = plain && text[i] >= '0' && text[i] <= ';';
      ++i;
    }
    if (i < text.size() && text[i] >= 0x40 && text[i] <= 0x7e) return {i + 1, plain && text[i] == 'm'};
    return {i, false};
  }
  // OSC, DCS, SOS, PM, APC: a string up to BEL or ST. Without a near end only the introducer is dropped, so that
  // nobody can hide the rest of a line.
  if (std::string_view("]PX^_").find(text[1]) != std::string_view::npos) {
    for (std::size_t i = 2; i < text.size() && i < longest_sequence; ++i) {
      if (text[i] == '\a') return {i + 1, false};
      if (text[i] == escape && i + 1 < text.size() && text[i + 1] == '\\') return {i + 2, false};
    }
    return {2, false};
  }
  std::size_t i = 1;
  while (i < text.size() && text[i] >= 0x20 && text[i] <= 0x2f) ++i;
  if (i < text.size() && text[i] >= 0x30 && text[i] <= 0x7e) ++i;
  return {i, false};
}

// What stands on the screen after carriage returns: the last part that has something in it.
std::string_view last_state(std::string_view line) {
  while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  const std::size_t at = line.rfind('\r');
  return at == std::string_view::npos ? line : line.substr(at + 1);
}

}  // namespace

std::string clean_line(std::string_view line, Colours colours) {
  line = last_state(line);
  std::string out;
  out.reserve(line.size());
  bool coloured = false;
  while (!line.empty()) {
    const char c = line.front();
    if (c == escape) {
      const Sequence sequence = sequence_at(line);
      if (sequence.colour && colours == Colours::keep) {
        out += line.substr(0, sequence.length);
        coloured = true;
      }
      line.remove_prefix(sequence.length);
      continue;
    }
    const std::optional<CodePoint> point = decode(line);
    if (!point) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      line.remove_prefix(1);
      continue;
    }
    if ((point->value < 0x20 && c != '\t') || point->value == 0x7f)
      out += fmt::format("\\x{:02x}", point->value);
    else if (misleads(point->value))
      out += fmt::format("\\u{{{:04x}}}", point->value);
    else
      out += line.substr(0, point->length);
    line.remove_prefix(point->length);
  }
  if (coloured) out += "\x1b[0m";
  return out;
}

std::string clean_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out += clean_line(text.substr(0, end), Colours::strip);
    if (end == std::string_view::npos) break;
    out += '\n';
    text.remove_prefix(end + 1);
    // Blanks before it do not keep a service from taking it for a command.
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin != std::string_view::npos && text.substr(begin).starts_with("::")) out += "│ ";
  }
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

void LineJoiner::add(std::string_view text, const Taker& take) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end != std::string_view::npos && m_rest.size() + end <= longest_line) {
      m_rest += text.substr(0, end);
      text.remove_prefix(end + 1);
      const std::string line = std::move(m_rest);
      m_rest.clear();
      take(line);
      continue;
    }
    const std::size_t room = longest_line - m_rest.size();
    if (text.size() <= room) {
      m_rest += text;
      return;
    }
    m_rest += text.substr(0, room);
    text.remove_prefix(room);
    // Not inside a character: its first bytes go with the next part.
    std::size_t cut = m_rest.size();
    while (cut > m_rest.size() - 3 && (static_cast<unsigned char>(m_rest[cut - 1]) & 0xc0) == 0x80) --cut;
    if (static_cast<unsigned char>(m_rest[cut - 1]) >= 0xc0) --cut;
    else cut = m_rest.size();
    const std::string line = m_rest.substr(0, cut);
    m_rest.erase(0, cut);
    take(line);
  }
}

void LineJoiner::flush(const Taker& take) {
  if (m_rest.empty()) return;
  const std::string line = std::move(m_rest);
  m_rest.clear();
  take(line);
}

}  // namespace cib::report
