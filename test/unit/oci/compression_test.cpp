#include "oci/compression.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include <random>

#include "base/error.hpp"
#include "oci/digest.hpp"

using namespace cib;
using namespace cib::oci;

namespace {

std::string noise(std::size_t size) {
  std::mt19937 random(42);
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>('a' + random() % 13);
  return text;
}

std::string gzip(std::string_view text, TaskPool* pool, std::size_t step) {
  StringSink sink;
  GzipSink gzip(sink, pool);
  for (std::size_t i = 0; i < text.size(); i += step) gzip.write(as_bytes(text.substr(i, step)));
  gzip.finish();
  return sink.text;
}

std::string inflated(std::string_view bytes) {
  // One byte more than the text, so that the buffer's end never coincides with a member's.
  const auto source = inflate(std::make_unique<MemorySource>(bytes));
  return read_all(*source, 64u << 20);
}

}  // namespace

TEST(Gzip, equal_input_gives_equal_bytes_whatever_the_workers_and_the_writes_are) {
  const std::string text = noise(5 * gzip_member_size / 2);
  const std::string expected = gzip(text, nullptr, text.size());
  TaskPool one(1), three(3);
  EXPECT_EQ(gzip(text, &one, 1000), expected);
  EXPECT_EQ(gzip(text, &three, 77777), expected);
}

TEST(Gzip, what_was_compressed_inflates_to_the_same) {
  for (const std::size_t size : {std::size_t(0), std::size_t(1), gzip_member_size - 1, gzip_member_size,
                                 gzip_member_size + 1, 3 * gzip_member_size}) {
    const std::string text = noise(size);
    EXPECT_EQ(inflated(gzip(text, nullptr, 65536)), text) << size;
  }
}

TEST(Gzip, a_cut_stream_is_refused) {
  const std::string bytes = gzip(noise(100000), nullptr, 65536);
  EXPECT_THROW(inflated(std::string_view(bytes).substr(0, bytes.size() - 1)), Error);
  EXPECT_THROW(inflated(std::string_view(bytes).substr(0, bytes.size() / 2)), Error);
}

TEST(Gzip, a_flipped_bit_is_refused) {
  std::string bytes = gzip(noise(100000), nullptr, 65536);
  bytes[bytes.size() / 2] ^= 0x10;
  EXPECT_THROW(inflated(bytes), Error);
}

TEST(Gzip, zero_padding_behind_the_stream_is_tolerated_and_anything_else_is_not) {
  const std::string bytes = gzip("text", nullptr, 10);
  EXPECT_EQ(inflated(bytes + std::string(512, '\0')), "text");
  EXPECT_THROW(inflated(bytes + "garbage"), Error);
}

TEST(Inflate, tells_zstd_and_plain_bytes_from_the_first_bytes) {
  const std::string text = noise(300000);
  std::string compressed(ZSTD_compressBound(text.size()), '\0');
  compressed.resize(ZSTD_compress(compressed.data(), compressed.size(), text.data(), text.size(), 3));
  EXPECT_EQ(inflated(compressed), text);
  EXPECT_THROW(inflated(std::string_view(compressed).substr(0, compressed.size() - 10)), Error);
  EXPECT_EQ(inflated(text), text);
  EXPECT_EQ(inflated(""), "");
}
