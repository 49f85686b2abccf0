#include "cnb/platform_env.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

std::optional<std::string> host(const std::string& name) {
  if (name == "ENV2_CONTENTS") return "from the host";
  return std::nullopt;
}

using Pair = std::pair<std::string, std::string>;

TEST(EnvFlag, splits_at_the_first_equals_sign) {
  EXPECT_EQ(parse_env_flag("A=b=c", host), (Pair{"A", "b=c"}));
  EXPECT_EQ(parse_env_flag("A=", host), (Pair{"A", ""}));
  EXPECT_EQ(parse_env_flag("A= b\n", host), (Pair{"A", " b\n"}));
}

TEST(EnvFlag, without_a_value_takes_the_hosts) {
  EXPECT_EQ(parse_env_flag("ENV2_CONTENTS", host), (Pair{"ENV2_CONTENTS", "from the host"}));
  EXPECT_EQ(parse_env_flag("UNSET", host), (Pair{"UNSET", ""}));
}

TEST(EnvFlag, refuses_a_name_that_cannot_be_a_files) {
  for (const std::string& text : {"=x"s, ""s, "."s, "..=x"s, "a/b=x"s, "../x=y"s, "a\0b=x"s, std::string(256, 'a') + "=x"}) {
    try {
      parse_env_flag(text, host);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      EXPECT_THAT(error.why(), HasSubstr("a file's name"));
    }
  }
  EXPECT_EQ(parse_env_flag("a.b-c d=x", host).first, "a.b-c d");
}

TEST(EnvFlag, refuses_a_value_that_no_process_can_be_given) { EXPECT_THROW(parse_env_flag("A=x\0y"s, host), Error); }

TEST(EnvFlag, a_refused_name_does_not_reach_the_terminal_raw) {
  try {
    parse_env_flag("a\x1b[31m/b=x", host);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("'a?[31m/b'"));
  }
}

TEST(EnvFile, has_one_variable_a_line) {
  EXPECT_EQ(parse_env_file("  A=1 \r\n\n\t\nB=x=y\nENV2_CONTENTS\nUNSET\nA=2", "env", host),
            (EnvFiles{{"A", "2"}, {"B", "x=y"}, {"ENV2_CONTENTS", "from the host"}, {"UNSET", ""}}));
  EXPECT_EQ(parse_env_file("", "env", host), EnvFiles{});
}

TEST(EnvFile, has_whole_lines_as_comments_and_no_quotes) {
  EXPECT_EQ(parse_env_file("#X=1\nA=\"q\"\nB='q' # c\n", "env", host), (EnvFiles{{"A", "\"q\""}, {"B", "'q' # c"}}));
}

TEST(EnvFile, names_the_line_of_a_fault) {
  try {
    parse_env_file("A=1\n\na/b=1\n", "my.env", host);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_EQ(error.message(), "my.env: line 3: environment variable 'a/b': the name contains '/'");
  }
}

TEST(PlatformEnv, later_sources_win) {
  EXPECT_EQ(merged(merged({{"A", "project"}, {"B", "project"}, {"C", "project"}}, {{"B", "file"}, {"C", "file"}}), {{"C", "flag"}}),
            (EnvFiles{{"A", "project"}, {"B", "file"}, {"C", "flag"}}));
}

}  // namespace
}  // namespace cib::cnb
