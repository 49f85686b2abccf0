#include "oci/tar_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "base/error.hpp"

namespace cib::oci {

namespace {

constexpr std::size_t block_size = 512;
constexpr std::size_t name_size = 100;
constexpr std::size_t prefix_size = 155;

using Block = std::array<char, block_size>;

struct Field {
  std::size_t offset;
  std::size_t size;
};
constexpr Field name_field{0, 100}, mode_field{100, 8}, uid_field{108, 8}, gid_field{116, 8}, size_field{124, 12},
    mtime_field{136, 12}, checksum_field{148, 8}, link_field{157, 100}, major_field{329, 8}, minor_field{337, 8},
    prefix_field{345, 155};
constexpr std::size_t type_offset = 156;

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) > 0; });
}

std::string to_ascii(std::string_view text) {
  std::string ascii;
  for (const char c : text)
    if (static_cast<signed char>(c) > 0) ascii += c;
  return ascii;
}

bool fits_octal(std::uint64_t value, Field field) { return value < (1ull << (3 * (field.size - 1))); }

void put_octal(Block& block, Field field, std::uint64_t value) {
  const std::string digits = fmt::format("{:0{}o}", fits_octal(value, field) ? value : 0, field.size - 1);
  std::memcpy(block.data() + field.offset, digits.data(), digits.size());
}

// A name that had to be cut and now ends in a slash would read as a folder: that slash becomes NUL.
void put_text(Block& block, Field field, std::string_view text) {
  const std::size_t count = std::min(text.size(), field.size);
  std::memcpy(block.data() + field.offset, text.data(), count);
  if (text.size() > field.size && text[field.size - 1] == '/') {
    const std::size_t last = text.substr(0, field.size - 1).find_last_not_of('/');
    block[field.offset + (last == std::string_view::npos ? 0 : last + 1)] = '\0';
  }
}

void put_checksum(Block& block) {
  std::memset(block.data() + checksum_field.offset, ' ', checksum_field.size);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  const std::string digits = fmt::format("{:06o}", sum);
  std::memcpy(block.data() + checksum_field.offset, digits.data(), 6);
  block[checksum_field.offset + 6] = '\0';
}

struct Split {
  std::string_view prefix, suffix;
  bool ok = false;
};

// USTAR's two-part name: cut at the last slash that leaves a prefix of at most 155 bytes.
Split split_name(std::string_view name) {
  if (name.size() <= name_size || !is_ascii(name)) return {};
  std::size_t length = std::min(name.size(), prefix_size + 1);
  if (length == name.size() && name.back() == '/') --length;
  const std::size_t slash = name.substr(0, length).rfind('/');
  if (slash == std::string_view::npos || slash == 0) return {};
  const std::size_t suffix = name.size() - slash - 1;
  if (suffix == 0 || suffix > name_size || slash > prefix_size) return {};
  return {name.substr(0, slash), name.substr(slash + 1), true};
}

Block basic_block(const TarHeader& header, std::string_view name, std::string_view prefix, std::string_view link,
                  bool devices = true) {
  Block block{};
  put_text(block, name_field, name);
  put_octal(block, mode_field, header.mode);
  put_octal(block, uid_field, header.uid);
  put_octal(block, gid_field, header.gid);
  put_octal(block, size_field, header.size);
  put_octal(block, mtime_field, header.mtime < 0 ? 0 : static_cast<std::uint64_t>(header.mtime));
  block[type_offset] = static_cast<char>(header.type);
  put_text(block, link_field, link);
  std::memcpy(block.data() + 257, "ustar\0" "00", 8);
  if (devices) {
    put_octal(block, major_field, header.device_major);
    put_octal(block, minor_field, header.device_minor);
  }
  put_text(block, prefix_field, prefix);
  put_checksum(block);
  return block;
}

// "<length> <key>=<value>\n", the length counting itself.
std::string pax_record(std::string_view key, std::string_view value) {
  std::size_t size = key.size() + value.size() + 3;  // space, '=', newline
  size += std::to_string(size).size();
  std::string record = fmt::format("{} {}={}\n", size, key, value);
  if (record.size() != size) record = fmt::format("{} {}={}\n", record.size(), key, value);
  return record;
}

std::string pax_name(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::string_view folder = slash == std::string_view::npos ? "" : name.substr(0, slash + 1);
  const std::string_view base = slash == std::string_view::npos ? name : name.substr(slash + 1);
  return fmt::format("{}PaxHeaders.0/{}", folder, base);
}

void append(std::string& out, const Block& block) { out.append(block.data(), block.size()); }

std::string pax_header(const TarHeader& header, const std::map<std::string, std::string>& records) {
  std::string data;
  for (const auto& [key, value] : records) data += pax_record(key, value);
  std::string name = to_ascii(pax_name(header.name)).substr(0, name_size);
  while (!name.empty() && name.back() == '/') name.pop_back();
  TarHeader extra;
  extra.type = static_cast<TarHeader::Type>('x');
  extra.mode = 0;
  extra.mtime = 0;
  extra.size = data.size();
  std::string out;
  append(out, basic_block(extra, name, "", "", false));
  out += data;
  out.append((block_size - data.size() % block_size) % block_size, '\0');
  return out;
}

}  // namespace

std::string encode_header(const TarHeader& header) {
  const Split split = split_name(header.name);
  std::map<std::string, std::string> records;
  bool needs_pax = false;
  if (!is_ascii(header.name) || (header.name.size() > name_size && !split.ok)) needs_pax = true;
  if (!is_ascii(header.link) || header.link.size() > name_size) {
    records["linkpath"] = header.link;
    needs_pax = true;
  }
  if (!fits_octal(header.size, size_field)) records["size"] = std::to_string(header.size), needs_pax = true;
  if (!fits_octal(header.uid, uid_field)) records["uid"] = std::to_string(header.uid), needs_pax = true;
  if (!fits_octal(header.gid, gid_field)) records["gid"] = std::to_string(header.gid), needs_pax = true;
  std::string out;
  if (!needs_pax) {
    append(out, split.ok ? basic_block(header, split.suffix, split.prefix, header.link)
                         : basic_block(header, header.name, "", header.link));
    return out;
  }
  if (!is_ascii(header.name) || header.name.size() > name_size) records["path"] = header.name;
  out = pax_header(header, records);
  append(out, basic_block(header, to_ascii(header.name), "", to_ascii(header.link)));
  return out;
}

void TarWriter::header(const TarHeader& header) {
  if (m_missing) throw Error(ExitCode::bug, "tar: an entry began before the one in front of it was complete");
  m_sink.write(as_bytes(encode_header(header)));
  m_missing = header.size;
  m_padding = (block_size - header.size % block_size) % block_size;
}

void TarWriter::contents(Bytes bytes) {
  if (bytes.size() > m_missing) throw Error(ExitCode::bug, "tar: an entry is longer than its header says");
  m_sink.write(bytes);
  m_missing -= bytes.size();
  if (m_missing == 0) pad();
}

void TarWriter::pad() {
  static constexpr std::array<std::byte, block_size> zeros{};
  if (m_padding) m_sink.write(Bytes(zeros).first(m_padding));
  m_padding = 0;
}

void TarWriter::finish() {
  if (m_missing) throw Error(ExitCode::bug, "tar: the last entry is incomplete");
  static constexpr std::array<std::byte, 2 * block_size> zeros{};
  m_sink.write(zeros);
}

}  // namespace cib::oci
