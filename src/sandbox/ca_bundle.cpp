#include "sandbox/ca_bundle.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <set>
#include <vector>

#include "base/error.hpp"

namespace cib::sandbox {

namespace {

constexpr std::string_view begin_line = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view end_line = "-----END CERTIFICATE-----";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The bytes of base64 text with white space anywhere; nothing when it is something else.
std::optional<std::string> decode_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  bool padded = false;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == ' ' || c == '\t') continue;
    if (c == '=') {
      padded = true;
      continue;
    }
    const std::size_t value = alphabet.find(c);
    if (padded || value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> count & 0xff);
    }
  }
  if (count == 6) return std::nullopt;  // a lone character
  return bytes;
}

std::string encode_pem(std::string_view bytes) {
  std::string base64;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) {
      return at < bytes.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at])) : 0;
    };
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    base64 += alphabet[group >> 18];
    base64 += alphabet[group >> 12 & 63];
    base64 += i + 1 < bytes.size() ? alphabet[group >> 6 & 63] : '=';
    base64 += i + 2 < bytes.size() ? alphabet[group & 63] : '=';
  }
  std::string pem = fmt::format("{}\n", begin_line);
  for (std::size_t i = 0; i < base64.size(); i += 64) pem += fmt::format("{}\n", base64.substr(i, 64));
  return pem + fmt::format("{}\n", end_line);
}

// One DER SEQUENCE that is exactly as long as the text: what every certificate is on the outside.
bool is_sequence(std::string_view der) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(der[at]); };
  if (der.size() < 2 || byte(0) != 0x30) return false;
  if (byte(1) < 0x80) return der.size() == 2u + byte(1);
  const std::size_t octets = byte(1) & 0x7fu;
  if (octets == 0 || octets > 4 || der.size() < 2 + octets) return false;
  std::size_t length = 0;
  for (std::size_t i = 0; i < octets; ++i) length = length << 8 | byte(2 + i);
  return der.size() == 2 + octets + length;
}

// The certificates of a bundle, as DER.
std::vector<std::string> certificates(std::string_view bundle) {
  std::vector<std::string> all;
  for (;;) {
    const std::size_t begin = bundle.find(begin_line);
    if (begin == std::string_view::npos) return all;
    bundle.remove_prefix(begin + begin_line.size());
    const std::size_t end = bundle.find(end_line);
    if (end == std::string_view::npos) return all;
    // A block that lacks its end swallows the next one's begin, which is no base64: it is left out, and the next
    // one is looked at from its own begin.
    auto der = decode_base64(bundle.substr(0, end));
    if (!der) continue;
    if (is_sequence(*der)) all.push_back(std::move(*der));
    bundle.remove_prefix(end + end_line.size());
  }
}

}  // namespace

std::optional<fs::path> find_host_bundle(const std::string& ca_file, const std::string& ssl_cert_file) {
  for (const auto& [path, source] : {std::pair(ca_file, "--ca-file"), std::pair(ssl_cert_file, "SSL_CERT_FILE")}) {
    if (path.empty()) continue;
    if (access(path.c_str(), R_OK) != 0) {
      throw system_error(errno, fmt::format("{} {}", source, path), ExitCode::configuration)
          .next("name a readable file of PEM certificates");
    }
    return path;
  }
  for (const std::string_view path : ca_bundle_paths)
    if (access(std::string(path).c_str(), R_OK) == 0) return path;
  return std::nullopt;
}

MergedBundle merge_ca_bundles(std::string_view root_bundle, std::string_view host_bundle) {
  MergedBundle merged{std::string(root_bundle), 0};
  const std::vector<std::string> known = certificates(root_bundle);
  std::set<std::string> seen(known.begin(), known.end());
  for (const std::string& certificate : certificates(host_bundle)) {
    if (!seen.insert(certificate).second) continue;
    if (!merged.text.empty() && !merged.text.ends_with('\n')) merged.text += '\n';
    merged.text += encode_pem(certificate);
    ++merged.added;
  }
  return merged;
}

}  // namespace cib::sandbox
