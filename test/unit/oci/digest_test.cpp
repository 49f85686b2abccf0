#include "oci/digest.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

using namespace cib;
using namespace cib::oci;

TEST(Digest, of_nothing_is_the_known_one) {
  EXPECT_EQ(sha256_of("").str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, round_trips_through_text) {
  const Digest digest = sha256_of("abc");
  EXPECT_EQ(Digest::parse(digest.str()), digest);
}

TEST(Digest, refuses_other_algorithms_cases_and_lengths) {
  const std::string hex = sha256_of("abc").hex();
  EXPECT_FALSE(Digest::try_parse("sha512:" + hex));
  EXPECT_FALSE(Digest::try_parse("sha256:" + hex.substr(1)));
  EXPECT_FALSE(Digest::try_parse("sha256:" + hex + "0"));
  EXPECT_FALSE(Digest::try_parse("sha256:" + std::string(64, 'A')));
  EXPECT_FALSE(Digest::try_parse("sha256:../" + hex.substr(3)));
  EXPECT_THROW(Digest::parse(""), Error);
}
