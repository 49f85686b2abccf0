#include "sandbox/ca_bundle.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"

namespace cib::sandbox {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Not certificates, but DER sequences: "0\x03" and three bytes.
constexpr std::string_view one = "-----BEGIN CERTIFICATE-----\nMANhYmM=\n-----END CERTIFICATE-----\n";
constexpr std::string_view one_otherwise =
    "subject=/CN=one\r\n-----BEGIN CERTIFICATE-----\r\n  MANh\r\n\tYmM=\r\n-----END CERTIFICATE-----\r\n";
constexpr std::string_view two = "-----BEGIN CERTIFICATE-----\nMANkZWY=\n-----END CERTIFICATE-----\n";

std::string join(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

TEST(CaBundle, gains_what_the_root_lacks) {
  const MergedBundle merged = merge_ca_bundles(one, join({one, two}));
  EXPECT_EQ(merged.text, join({one, two}));
  EXPECT_EQ(merged.added, 1u);
}

TEST(CaBundle, of_the_root_stays_as_it_is) {
  const std::string root = join({"# comment\n", one_otherwise, "-----BEGIN TRUSTED CERTIFICATE-----\nx\n"});
  const MergedBundle merged = merge_ca_bundles(root, one);
  EXPECT_EQ(merged.text, root);
  EXPECT_EQ(merged.added, 0u);
}

TEST(CaBundle, compares_the_certificates_not_their_spelling) {
  EXPECT_EQ(merge_ca_bundles(one, one_otherwise).added, 0u);
  EXPECT_EQ(merge_ca_bundles(one_otherwise, one).added, 0u);
}

TEST(CaBundle, takes_each_certificate_once) { EXPECT_EQ(merge_ca_bundles("", join({two, one, two})).added, 2u); }

TEST(CaBundle, takes_only_certificates) {
  const MergedBundle merged = merge_ca_bundles(
      one, join({"-----BEGIN PRIVATE KEY-----\nMANkZWY=\n-----END PRIVATE KEY-----\nwords\n", two}));
  EXPECT_EQ(merged.text, join({one, two}));
  EXPECT_THAT(merged.text, Not(HasSubstr("PRIVATE")));
}

TEST(CaBundle, leaves_malformed_certificates_out) {
  for (const std::string_view bad :
       {"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMANhYmNk\n-----END CERTIFICATE-----\n",  // a byte after the sequence
        "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMANhYmM=x\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nMANh"}) {
    const MergedBundle merged = merge_ca_bundles("", join({bad, "\n", two}));
    EXPECT_EQ(merged.text, two) << bad;
  }
}

TEST(CaBundle, a_block_without_an_end_does_not_hide_the_next) {
  EXPECT_EQ(merge_ca_bundles("", join({"-----BEGIN CERTIFICATE-----\nMANh\n", one, two})).added, 2u);
}

TEST(CaBundle, long_certificates_are_wrapped_at_64_characters) {
  // A sequence of 200 bytes: 30 81 c8, and its contents.
  std::string base64 = "MIHI";
  for (int i = 0; i < 66; ++i) base64 += "YWJj";
  base64 += "YWI=";
  const std::string pem =
      join({"-----BEGIN CERTIFICATE-----\n", base64, "\n-----END CERTIFICATE-----\n"});
  const MergedBundle merged = merge_ca_bundles("no newline", pem);
  EXPECT_EQ(merged.added, 1u);
  EXPECT_TRUE(merged.text.starts_with("no newline\n-----BEGIN CERTIFICATE-----\n" + base64.substr(0, 64) + "\n"));
  EXPECT_EQ(merge_ca_bundles(merged.text, pem).added, 0u);
}

TEST(CaBundle, the_flag_wins_over_the_variable_and_the_system) {
  const TempFolder folder;
  const std::string flag = folder.path() / "flag.pem";
  const std::string variable = folder.path() / "variable.pem";
  write_file(flag, one);
  write_file(variable, two);
  EXPECT_EQ(find_host_bundle(flag, variable), flag);
  EXPECT_EQ(find_host_bundle("", variable), variable);
  EXPECT_THROW(find_host_bundle(folder.path() / "missing", variable), Error);
  EXPECT_THROW(find_host_bundle("", folder.path() / "missing"), Error);
}

}  // namespace
}  // namespace cib::sandbox
