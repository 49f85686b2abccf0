#include "cnb/report_toml.hpp"

#include <gtest/gtest.h>

#include "cnb/toml.hpp"

namespace cib::cnb {
namespace {

TEST(ReportToml, says_tags_digest_and_size) {
  EXPECT_EQ(write_report_toml({.tags = {"r/app:1", "r/app:latest"}, .digest = "sha256:ab", .manifest_size = 1234}),
            "[image]\n  tags = [\"r/app:1\", \"r/app:latest\"]\n  digest = \"sha256:ab\"\n  manifest-size = 1234\n");
}

TEST(ReportToml, leaves_out_what_there_is_not) {
  EXPECT_EQ(write_report_toml({}), "[image]\n");
  EXPECT_EQ(write_report_toml({.tags = {"a"}, .image_id = "sha256:cd"}), "[image]\n  tags = [\"a\"]\n  image-id = \"sha256:cd\"\n");
}

TEST(ReportToml, is_toml_whatever_the_names) {
  const std::string name = "a\"b\\c\n\x7f";
  EXPECT_EQ(toml_to_json(write_report_toml({.tags = {name}}), "report.toml"), "{\"image\":{\"tags\":[\"a\\\"b\\\\c\\n\x7f\"]}}");
}

}  // namespace
}  // namespace cib::cnb
