#include "oci/tar_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace cib::oci {

namespace {

constexpr std::size_t block_size = 512;
constexpr std::size_t type_offset = 156;
constexpr std::size_t longest_name = 4096;
constexpr std::size_t longest_extension = 1u << 20;  // PAX records or a GNU long name
constexpr std::uint64_t largest_file = 1ull << 50;

using Block = std::array<char, block_size>;

[[noreturn]] void bad(std::string_view what) { throw Error(ExitCode::configuration, fmt::format("tar: {}", what)); }

std::string_view field_text(const Block& block, std::size_t offset, std::size_t size) {
  const std::string_view field(block.data() + offset, size);
  return field.substr(0, field.find('\0'));
}

// Octal digits padded with spaces and NULs, or GNU's base-256 with the top bit set.
std::uint64_t field_number(const Block& block, std::size_t offset, std::size_t size, std::string_view what) {
  if (static_cast<unsigned char>(block[offset]) & 0x80) {
    if (static_cast<unsigned char>(block[offset]) & 0x40) bad(fmt::format("a negative {}", what));
    std::uint64_t value = static_cast<unsigned char>(block[offset]) & 0x3f;
    for (std::size_t i = 1; i < size; ++i) {
      if (value >> 55) bad(fmt::format("{} out of range", what));
      value = value << 8 | static_cast<unsigned char>(block[offset + i]);
    }
    return value;
  }
  std::string_view text = field_text(block, offset, size);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '7') bad(fmt::format("{} is not a number", what));
    value = value * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

bool is_zero(const Block& block) {
  return std::all_of(block.begin(), block.end(), [](char c) { return c == 0; });
}

void check_sum(const Block& block) {
  unsigned sum = 0;
  int signed_sum = 0;  // some old writers summed signed characters
  for (std::size_t i = 0; i < block_size; ++i) {
    const char c = i >= 148 && i < 156 ? ' ' : block[i];
    sum += static_cast<unsigned char>(c);
    signed_sum += static_cast<signed char>(c);
  }
  const std::uint64_t stored = field_number(block, 148, 8, "checksum");
  if (stored != sum && static_cast<std::int64_t>(stored) != signed_sum) bad("a header's checksum is wrong");
}

std::uint64_t parse_decimal(std::string_view text, std::string_view what) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) bad(fmt::format("{} is not a number", what));
  return value;
}

// "seconds" or "seconds.fraction", possibly negative; the fraction is dropped.
std::int64_t parse_time(std::string_view text) {
  text = text.substr(0, text.find('.'));
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) bad("mtime is not a number");
  return value;
}

using Records = std::map<std::string, std::string>;

void parse_pax(std::string_view data, Records& records) {
  while (!data.empty()) {
    const std::size_t space = data.find(' ');
    if (space == std::string_view::npos || space > 10) bad("a PAX record has no length");
    const std::uint64_t length = parse_decimal(data.substr(0, space), "the length of a PAX record");
    if (length <= space + 1 || length > data.size() || data[length - 1] != '\n') bad("a PAX record's length is wrong");
    const std::string_view record = data.substr(space + 1, length - space - 2);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos || equals == 0) bad("a PAX record has no key");
    records[std::string(record.substr(0, equals))] = record.substr(equals + 1);
    data.remove_prefix(length);
  }
}

std::optional<std::string> record(const Records& records, const char* key) {
  const auto found = records.find(key);
  if (found == records.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

void check_text(const std::string& text, std::string_view what) {
  if (text.size() > longest_name) bad(fmt::format("a {} longer than {} bytes", what, longest_name));
  if (text.find('\0') != std::string::npos) bad(fmt::format("a {} with a NUL byte", what));
}

TarHeader::Type entry_type(char flag, const std::string& name) {
  switch (flag) {
    case '\0':
    case '0':
    case '7': return name.ends_with('/') ? TarHeader::Type::folder : TarHeader::Type::file;
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6': return static_cast<TarHeader::Type>(flag);
    default: bad(fmt::format("{}: entries of type {} are not supported", name, static_cast<int>(flag)));
  }
}

}  // namespace

void TarReader::read_exactly(std::span<std::byte> buffer) {
  if (read_full(m_source, buffer) != buffer.size()) bad("the archive ends in the middle of an entry");
}

void TarReader::skip() {
  std::array<std::byte, 64 * 1024> buffer;
  while (m_left || m_padding) {
    std::uint64_t& count = m_left ? m_left : m_padding;
    const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(count, buffer.size()));
    read_exactly(std::span(buffer).first(part));
    count -= part;
  }
}

std::size_t TarReader::read(std::span<std::byte> buffer) {
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(m_left, buffer.size()));
  if (wanted == 0) return 0;
  const std::size_t count = m_source.read(buffer.first(wanted));
  if (count == 0) bad("the archive ends in the middle of an entry");
  m_left -= count;
  return count;
}

bool TarReader::next(TarEntry& entry) {
  skip();
  Records records;
  std::optional<std::string> long_name, long_link;
  bool extended = false;
  for (;;) {
    Block block;
    const std::size_t got = read_full(m_source, std::as_writable_bytes(std::span(block)));
    if (got == 0 && !extended) return false;
    if (got != block_size) bad("the archive ends in the middle of a header");
    if (is_zero(block)) {
      if (extended) bad("an extension without an entry");
      return false;
    }
    check_sum(block);
    const char flag = block[type_offset];
    const std::uint64_t size = field_number(block, 124, 12, "size");
    if (size > largest_file) bad("size out of range");
    if (flag == 'x' || flag == 'g' || flag == 'L' || flag == 'K') {
      if (size > longest_extension) bad("an extension header is too large");
      std::vector<char> data(static_cast<std::size_t>(size));
      read_exactly(std::as_writable_bytes(std::span(data)));
      m_padding = (block_size - size % block_size) % block_size;
      skip();
      const std::string_view text(data.data(), data.size());
      if (flag == 'x') parse_pax(text, records);
      if (flag == 'L') long_name = text.substr(0, text.find('\0'));
      if (flag == 'K') long_link = text.substr(0, text.find('\0'));
      extended = extended || flag != 'g';  // global records concern nothing that is read here
      continue;
    }

    entry = TarEntry{};
    entry.name = std::string(field_text(block, 0, 100));
    if (std::memcmp(block.data() + 257, "ustar\0", 6) == 0)
      if (const auto prefix = field_text(block, 345, 155); !prefix.empty())
        entry.name = fmt::format("{}/{}", prefix, entry.name);
    entry.link = std::string(field_text(block, 157, 100));
    if (long_name) entry.name = *long_name;
    if (long_link) entry.link = *long_link;
    if (auto path = record(records, "path")) entry.name = *path;
    if (auto link = record(records, "linkpath")) entry.link = *link;
    check_text(entry.name, "name");
    check_text(entry.link, "link target");
    if (entry.name.empty()) bad("an entry without a name");
    for (const auto& [key, value] : records)
      if (key.starts_with("GNU.sparse.")) bad(fmt::format("{}: sparse files are not supported", entry.name));
    entry.type = entry_type(flag, entry.name);
    entry.mode = static_cast<std::uint32_t>(field_number(block, 100, 8, "mode") & 07777);
    entry.uid = field_number(block, 108, 8, "uid");
    entry.gid = field_number(block, 116, 8, "gid");
    entry.mtime = static_cast<std::int64_t>(field_number(block, 136, 12, "mtime"));
    if (auto uid = record(records, "uid")) entry.uid = parse_decimal(*uid, "uid");
    if (auto gid = record(records, "gid")) entry.gid = parse_decimal(*gid, "gid");
    if (auto mtime = record(records, "mtime")) entry.mtime = parse_time(*mtime);
    if (entry.uid > 0xfffffffe || entry.gid > 0xfffffffe) bad(fmt::format("{}: owner out of range", entry.name));
    std::uint64_t contents = size;
    if (auto text = record(records, "size")) contents = parse_decimal(*text, "size");
    if (contents > largest_file) bad("size out of range");
    if (entry.type == TarHeader::Type::char_device || entry.type == TarHeader::Type::block_device) {
      entry.device_major = static_cast<std::uint32_t>(field_number(block, 329, 8, "device number"));
      entry.device_minor = static_cast<std::uint32_t>(field_number(block, 337, 8, "device number"));
    }
    for (const auto& [key, value] : records)
      if (constexpr std::string_view xattr = "SCHILY.xattr."; key.starts_with(xattr))
        entry.xattrs[key.substr(xattr.size())] = value;
    // Links and folders have no contents, whatever their size field says; some writers fill it in for links.
    const bool has_contents = entry.type == TarHeader::Type::file;
    entry.size = has_contents ? contents : 0;
    m_left = entry.size;
    m_padding = (block_size - m_left % block_size) % block_size;
    return true;
  }
}

}  // namespace cib::oci
