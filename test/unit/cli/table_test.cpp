#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/commands.hpp"

namespace cib::cli {
namespace {

using ::testing::HasSubstr;

TEST(Commands, each_has_help_with_usage_grouped_flags_and_examples) {
  for (const Command& command : commands()) {
    const std::string name(command.name);
    const std::string help = command.help();
    EXPECT_THAT(help, HasSubstr("Usage: ci-image-builder " + name)) << name;
    EXPECT_THAT(help, HasSubstr("\nLog\n")) << name;
    EXPECT_THAT(help, HasSubstr("-h, --help")) << name;
    EXPECT_THAT(help, HasSubstr("\nExamples\n  # ")) << name;
    EXPECT_THAT(help, HasSubstr("\n  ci-image-builder " + name)) << name;
  }
}

TEST(Commands, have_names_of_their_own_and_a_summary) {
  std::set<std::string_view> names;
  for (const Command& command : commands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_FALSE(command.summary.empty());
  }
  EXPECT_TRUE(names.contains("build"));
  EXPECT_TRUE(names.contains("builder create"));
}

}  // namespace
}  // namespace cib::cli
