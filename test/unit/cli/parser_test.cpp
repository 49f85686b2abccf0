#include "cli/parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace cib::cli {
namespace {

struct Kitchen {
  std::string oven;
  std::string dough;
  std::vector<std::string> spices;
  bool hot = false;
  std::shared_ptr<CLI::App> app = make_app("bake", "Makes bread.", {{"white bread", "--oven big dough"}});
  Kitchen() {
    app->add_flag("--hot", hot, "high heat")->group("Log");
    app->add_option("dough", dough, "what is baked")->type_name("DOUGH")->group("Input");
    app->add_option("-o,--oven", oven,
                    "where, which may take a while to explain, so that the line becomes too long for a terminal of the usual width")
        ->type_name("OVEN")->group("Output");
    app->add_option("--a-spice-with-a-long-name", spices, "taste")->type_name("NAME")->group("Input");
  }
};

std::string refused(const std::vector<std::string>& arguments) {
  Kitchen kitchen;
  try {
    parse(*kitchen.app, arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.message();
  }
  return "accepted";
}

TEST(Help, is_grouped_aligned_and_wrapped) {
  EXPECT_EQ(help_of(*Kitchen().app),
            "Usage: ci-image-builder bake [options] [DOUGH]\n"
            "\n"
            "Makes bread.\n"
            "\n"
            "Input\n"
            "  DOUGH                           what is baked\n"
            "      --a-spice-with-a-long-name NAME\n"
            "                                  taste\n"
            "\n"
            "Output\n"
            "  -o, --oven OVEN                 where, which may take a while to explain, so that the line becomes\n"
            "                                  too long for a terminal of the usual width\n"
            "\n"
            "Log\n"
            "      --hot                       high heat\n"
            "  -h, --help                      this text\n"
            "\n"
            "Examples\n"
            "  # white bread\n"
            "  ci-image-builder bake --oven big dough\n"
            "\n"
            "Exit codes are explained in docs/exit-codes.md.\n");
}

TEST(Parse, fills_the_variables) {
  Kitchen kitchen;
  parse(*kitchen.app, {"--hot", "rye", "-o", "small", "--oven=big", "--a-spice-with-a-long-name", "salt",
                       "--a-spice-with-a-long-name=[a,b]"});
  EXPECT_TRUE(kitchen.hot);
  EXPECT_EQ(kitchen.dough, "rye");
  EXPECT_EQ(kitchen.oven, "big");
  EXPECT_THAT(kitchen.spices, ::testing::ElementsAre("salt", "[a,b]"));
}

TEST(Parse, refuses_what_no_option_takes) {
  EXPECT_EQ(refused({"--ovne", "x"}), "bake: unknown flag --ovne (did you mean \"--oven\"?)");
  EXPECT_EQ(refused({"rye", "wheat"}), "bake: unexpected argument \"wheat\"");
  EXPECT_EQ(refused({"--oven"}), "bake: --oven needs a value");
  EXPECT_EQ(refused({"-o", "--hot"}), "bake: --oven needs a value");
  EXPECT_THAT(refused({"--hot=perhaps"}), ::testing::StartsWith("bake: "));
}

TEST(Parse, gives_what_follows_two_dashes_as_it_is) {
  std::string program;
  std::vector<std::string> rest;
  const auto app = make_app("run", "Runs.", {});
  app->add_option("program", program, "what")->type_name("PROGRAM")->group("Input");
  app->add_option("arguments", rest, "its arguments")->type_name("ARGUMENTS")->group("Input");
  parse(*app, {"jq", "x", "--", "-r", "--", "--help", "", "[a,b]"});
  EXPECT_EQ(program, "jq");
  EXPECT_THAT(rest, ::testing::ElementsAre("x", "-r", "--", "--help", "", "[a,b]"));
  EXPECT_EQ(refused({"--", "rye", "wheat"}), "bake: unexpected argument \"wheat\"");
}

TEST(Choose, gives_the_index_or_a_suggestion) {
  constexpr std::string_view allowed[] = {"auto", "overlay"};
  EXPECT_EQ(choose("--rootfs", "overlay", allowed), 1u);
  try {
    choose("--rootfs", "Overlay", allowed);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "--rootfs: no such value \"Overlay\" (did you mean \"overlay\"?)");
    EXPECT_EQ(error.next(), "write one of: auto, overlay");
  }
}

}  // namespace
}  // namespace cib::cli
