#include "report/error_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cib::report {
namespace {

TEST(ErrorText, has_message_cause_next_step_and_exit_code) {
  EXPECT_EQ(error_text(Error(ExitCode::configuration, "x.yml line 4: unknown key").why("no such key").next("a\nb"), false),
            "error: x.yml line 4: unknown key\n"
            "  why:  no such key\n"
            "  next: a\n        b\n"
            "  exit code 78 (configuration)\n");
  EXPECT_EQ(error_text(Error(ExitCode::usage, "no"), false), "error: no\n  exit code 2 (usage)\n");
}

TEST(ErrorText, a_fault_of_ours_says_so) {
  EXPECT_EQ(error_text(Error(ExitCode::bug, "vector::at"), false),
            "error: vector::at\n"
            "  why:  this is a bug of ci-image-builder, not of the application\n"
            "  next: report it with this output, run again with --verbose\n"
            "  exit code 1 (bug)\n");
}

TEST(ErrorText, a_cancelled_build_is_no_error) {
  EXPECT_EQ(error_text(Error(ExitCode::interrupted, "cancelled"), false), "cancelled\n  exit code 130 (cancelled)\n");
  EXPECT_EQ(error_text(Error(ExitCode::terminated, "while writing"), false),
            "cancelled: while writing\n  exit code 143 (cancelled)\n");
}

TEST(ErrorText, colours_only_the_first_word) {
  EXPECT_THAT(error_text(Error(ExitCode::usage, "no"), true), ::testing::StartsWith("\x1b[1;31merror:\x1b[0m no\n"));
}

TEST(OutputBlock, marks_every_line) {
  EXPECT_EQ(output_block("a\nb\x1b[2J", false), "            │ a\n            │ b\n");
  EXPECT_EQ(output_block("", false), "");
}

}  // namespace
}  // namespace cib::report
