#include "oci/digest.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/error.hpp"

namespace cib::oci {

namespace {

constexpr std::string_view algorithm = "sha256:";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::optional<Digest> Digest::try_parse(std::string_view text) {
  if (!text.starts_with(algorithm)) return std::nullopt;
  text.remove_prefix(algorithm.size());
  if (text.size() != 64) return std::nullopt;
  std::array<std::uint8_t, 32> bytes;
  for (std::size_t i = 0; i < 32; ++i) {
    const int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return Digest(bytes);
}

Digest Digest::parse(std::string_view text) {
  if (auto digest = try_parse(text)) return *digest;
  throw Error(ExitCode::configuration, fmt::format("\"{}\" is not a sha256 digest", text.substr(0, 100)));
}

std::string Digest::hex() const {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(64);
  for (const std::uint8_t byte : m_bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string Digest::str() const { return std::string(algorithm) + hex(); }
std::string Digest::brief() const { return str().substr(0, algorithm.size() + 12); }

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : m_state(std::make_unique<State>()) {
  if (!m_state->context || EVP_DigestInit_ex(m_state->context, EVP_sha256(), nullptr) != 1)
    throw Error(ExitCode::bug, "SHA-256 is not available in OpenSSL");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::write(Bytes bytes) {
  m_size += bytes.size();
  EVP_DigestUpdate(m_state->context, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
  std::array<std::uint8_t, 32> bytes;
  unsigned size = bytes.size();
  if (EVP_DigestFinal_ex(m_state->context, bytes.data(), &size) != 1 || size != bytes.size())
    throw Error(ExitCode::bug, "SHA-256 failed in OpenSSL");
  return Digest(bytes);
}

Digest sha256_of(std::string_view text) {
  Sha256 hash;
  hash.write(as_bytes(text));
  return hash.finish();
}

}  // namespace cib::oci
