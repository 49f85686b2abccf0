#include "oci/image.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "oci/compression.hpp"

namespace cib::oci {

namespace {

// Hashes what passes; at the end the digest must be the expected one.
class VerifyingSource : public Source {
 public:
  VerifyingSource(std::unique_ptr<Source> source, Digest expected, std::uint64_t size, bool check_size,
                  std::string_view what)
      : m_source(std::move(source)), m_expected(expected), m_size(size), m_check_size(check_size), m_what(what) {}

  std::size_t read(std::span<std::byte> buffer) override {
    if (buffer.empty()) return 0;
    const std::size_t count = m_source->read(buffer);
    if (count) {
      m_hash.write(Bytes(buffer).first(count));
      if (m_check_size && m_hash.size() > m_size) mismatch("is longer than its descriptor says");
      return count;
    }
    if (!m_done) {
      m_done = true;
      if (m_check_size && m_hash.size() != m_size) mismatch("is shorter than its descriptor says");
      if (m_hash.finish() != m_expected) mismatch("does not have that digest");
    }
    return 0;
  }

 private:
  [[noreturn]] void mismatch(std::string_view how) const {
    throw Error(ExitCode::configuration, fmt::format("{} {} {}", m_what, m_expected.brief(), how))
        .why("its bytes were damaged or replaced on the way")
        .next("fetch or make the image again");
  }

  std::unique_ptr<Source> m_source;
  Digest m_expected;
  std::uint64_t m_size;
  bool m_check_size;
  std::string_view m_what;
  Sha256 m_hash;
  bool m_done = false;
};

// The tar, and behind its end the rest of the blob: both digests have to hold before the end is reported.
class LayerTar : public Source {
 public:
  explicit LayerTar(const Layer& layer) {
    auto blob = std::make_unique<VerifyingSource>(layer.open(), layer.descriptor().digest, layer.descriptor().size,
                                                  true, "layer");
    m_blob = blob.get();
    m_tar = std::make_unique<VerifyingSource>(inflate(std::move(blob)), layer.diff_id(), 0, false,
                                              "uncompressed layer");
  }

  std::size_t read(std::span<std::byte> buffer) override {
    const std::size_t count = m_tar->read(buffer);
    if (count || buffer.empty()) return count;
    std::array<std::byte, 4096> rest;
    while (m_blob->read(rest)) {
    }
    return 0;
  }

 private:
  VerifyingSource* m_blob;  // owned by m_tar's chain
  std::unique_ptr<Source> m_tar;
};

}  // namespace

std::unique_ptr<Source> open_tar(const Layer& layer) { return std::make_unique<LayerTar>(layer); }

int find_layer(const Image& image, const Digest& diff_id) {
  const auto& ids = image.config().diff_ids;
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (ids[i] == diff_id) return static_cast<int>(i);
  return -1;
}

}  // namespace cib::oci
