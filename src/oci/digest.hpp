// Content digests of the OCI image specification. Only sha256 is accepted.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/stream.hpp"

namespace cib::oci {

class Digest {
 public:
  // The digest of nothing is no digest: a default one is all zeros and only a place to assign to.
  Digest() = default;
  explicit Digest(const std::array<std::uint8_t, 32>& bytes) : m_bytes(bytes) {}

  // "sha256:<64 lower-case hex digits>"; anything else: Error(configuration), or nothing.
  static Digest parse(std::string_view text);
  static std::optional<Digest> try_parse(std::string_view text);

  std::string str() const;  // "sha256:…"
  std::string hex() const;  // the 64 digits
  std::string brief() const;  // "sha256:0123456789ab", for people

  auto operator<=>(const Digest&) const = default;

 private:
  std::array<std::uint8_t, 32> m_bytes{};
};

// A running SHA-256; usable as the end of a row of sinks.
class Sha256 : public Sink {
 public:
  Sha256();
  ~Sha256() override;
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void write(Bytes bytes) override;
  std::uint64_t size() const { return m_size; }
  // The digest of all that was written; afterwards only destruction is allowed.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> m_state;
  std::uint64_t m_size = 0;
};

Digest sha256_of(std::string_view text);

}  // namespace cib::oci
