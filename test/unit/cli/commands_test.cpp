#include "cli/commands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "base/error.hpp"
#include "base/version.hpp"

namespace cib::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

std::vector<std::string> seen;

int bake(const std::vector<std::string>& arguments) {
  seen = arguments;
  return 51;
}
int throws_error(const std::vector<std::string>&) { throw Error(ExitCode::disk, "full").next("free some"); }
int throws_other(const std::vector<std::string>&) { throw std::out_of_range("vector::at"); }
int throws_memory(const std::vector<std::string>&) { throw std::bad_alloc(); }
std::string help_text() { return "help of it\n"; }

constexpr Command table[] = {{"bake", "make bread", bake, help_text},
                             {"oven create", "make an oven", throws_error, help_text},
                             {"oven remove", "break an oven", throws_other, help_text},
                             {"mem", "use all of it", throws_memory, help_text}};

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome run(const std::vector<std::string>& arguments) {
  seen.clear();
  CaptureStdout();
  CaptureStderr();
  const int code = main_of(table, arguments);
  return {code, GetCapturedStdout(), GetCapturedStderr()};
}

TEST(Dispatch, gives_a_command_what_follows_its_name_and_returns_its_code) {
  EXPECT_EQ(run({"bake", "-x", "oven"}).code, 51);
  EXPECT_THAT(seen, ElementsAre("-x", "oven"));
}

TEST(Dispatch, shows_help_wherever_it_is_asked_for) {
  for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{
           {"bake", "--help"}, {"bake", "--wrong", "-h"}, {"help", "bake"}, {"--help", "bake"}, {"oven", "create", "-h"},
           {"help", "oven", "create"}, {"help", "bake", "--help"}}) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.out, "help of it\n");
    EXPECT_EQ(outcome.err, "");
    EXPECT_EQ(outcome.code, 0);
  }
  EXPECT_EQ(run({"bake", "--", "--help"}).code, 51);
  for (const std::vector<std::string>& words :
       std::initializer_list<std::vector<std::string>>{{"--help"}, {"-h"}, {"help"}, {"help", "help"}, {"version", "-h"}})
    EXPECT_EQ(run(words).out, overview(table));
  for (const std::vector<std::string>& words : std::initializer_list<std::vector<std::string>>{{"oven", "--help"}, {"help", "oven"}}) {
    EXPECT_THAT(run(words).out, HasSubstr("  oven remove      break an oven\n"));
    EXPECT_THAT(run(words).out, ::testing::Not(HasSubstr("bake")));
  }
}

TEST(Dispatch, tells_its_version) {
  EXPECT_EQ(run({"--version"}).out, "ci-image-builder " + std::string(program_version) + "\n");
  EXPECT_EQ(run({"version"}).out, "ci-image-builder " + std::string(program_version) + "\n");
}

TEST(Dispatch, refuses_with_one_line_and_a_suggestion) {
  const auto refused = [](const std::vector<std::string>& words) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.out, "");
    return outcome.err.substr(0, outcome.err.find('\n'));
  };
  EXPECT_EQ(refused({"bkae"}), "error: no such command: bkae (did you mean \"bake\"?)");
  EXPECT_EQ(refused({"hlep"}), "error: no such command: hlep (did you mean \"help\"?)");
  EXPECT_EQ(refused({"help", "bkae"}), "error: no such command: bkae (did you mean \"bake\"?)");
  EXPECT_EQ(refused({"oven", "craete", "-x"}), "error: no such command: oven craete (did you mean \"oven create\"?)");
  EXPECT_EQ(refused({"ovne", "create"}), "error: no such command: ovne (did you mean \"oven\"?)");
  EXPECT_EQ(refused({"oven-create"}), "error: no such command: oven-create (did you mean \"oven create\"?)");
  EXPECT_EQ(refused({"zzzzzz"}), "error: no such command: zzzzzz");
  EXPECT_EQ(refused({"oven"}), "error: oven: which command?");
  EXPECT_EQ(refused({}), "error: no command given");
  EXPECT_EQ(refused({"--verion"}), "error: unknown flag --verion before a command (did you mean \"--version\"?)");
  EXPECT_EQ(refused({""}), "error: no such command: ");
}

TEST(MainOf, prints_an_error_once_and_returns_its_code) {
  const Outcome outcome = run({"oven", "create"});
  EXPECT_EQ(outcome.code, 74);
  EXPECT_EQ(outcome.err, "error: full\n  next: free some\n  exit code 74 (disk)\n");
}

TEST(MainOf, calls_any_other_exception_a_bug_of_ours) {
  const Outcome outcome = run({"oven", "remove"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("error: vector::at\n  why:  this is a bug of ci-image-builder"));
  EXPECT_EQ(run({"mem"}).code, 75);
}

TEST(Overview, lists_every_command) {
  const std::string text = overview(table);
  for (const Command& command : table) {
    EXPECT_THAT(text, HasSubstr(std::string(command.name)));
    EXPECT_THAT(text, HasSubstr(std::string(command.summary)));
  }
}

TEST(Version, is_that_of_the_build_files) {
  std::ifstream file(CIB_GOLDENS "/../../../CMakeLists.txt");
  std::stringstream text;
  text << file.rdbuf();
  std::smatch match;
  const std::string all = text.str();
  ASSERT_TRUE(std::regex_search(all, match, std::regex("project\\([^)]*VERSION ([0-9.]+)")));
  EXPECT_EQ(match[1].str(), program_version);
}

}  // namespace
}  // namespace cib::cli
