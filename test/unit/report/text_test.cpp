#include "report/text.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace cib::report {
namespace {

std::string plain(std::string_view line) { return clean_line(line, Colours::strip); }
std::string coloured(std::string_view line) { return clean_line(line, Colours::keep); }

TEST(CleanLine, leaves_ordinary_text_alone) {
  EXPECT_EQ(plain("  ä → 日本 😀\ttab"), "  ä → 日本 😀\ttab");
  EXPECT_EQ(plain(""), "");
}

TEST(CleanLine, keeps_or_drops_colours_and_ends_them) {
  EXPECT_EQ(coloured("\x1b[1;31mred"), "\x1b[1;31mred\x1b[0m");
  EXPECT_EQ(coloured("\x1b[38:5:1mred"), "\x1b[38:5:1mred\x1b[0m");
  EXPECT_EQ(plain("\x1b[1;31mred\x1b[0m"), "red");
}

TEST(CleanLine, drops_other_sequences_whole) {
  for (const auto clean : {plain, coloured}) {
    EXPECT_EQ(clean("a\x1b[2Jb\x1b[10;10Hc\x1b[?25ld"), "abcd");
    EXPECT_EQ(clean("a\x1b]0;title\x07" "b\x1b]8;;http://x\x1b\\c"), "abc");
    EXPECT_EQ(clean("a\x1bPq1\x1b\\b\x1b(Bc\x1b" "7d"), "abcd");
    EXPECT_EQ(clean("a\x1b[>4;2mb"), "ab");
    EXPECT_EQ(clean("a\x1b"), "a");
    EXPECT_EQ(clean("a\x1b["), "a");
  }
}

TEST(CleanLine, a_string_sequence_without_an_end_hides_nothing) { EXPECT_EQ(plain("a\x1b]0;rest of line"), "a0;rest of line"); }

TEST(CleanLine, shows_control_characters_and_broken_bytes) {
  EXPECT_EQ(plain("a\bb\x7f\x01"), "a\\x08b\\x7f\\x01");
  EXPECT_EQ(plain(std::string_view("nul\0", 4)), "nul\\x00");
  EXPECT_EQ(plain("\xc2\x9b" "31m"), "\\u{009b}31m");
  EXPECT_EQ(plain("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(plain("\xc0\xaf"), "\\xc0\\xaf");
  EXPECT_EQ(plain("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(plain("a\xe2\x80\xae" "b"), "a\\u{202e}b");
}

TEST(CleanLine, shows_the_last_state_of_a_redrawn_line) {
  EXPECT_EQ(plain("10%\r50%\r100%"), "100%");
  EXPECT_EQ(plain("10%\r100%\r"), "100%");
  EXPECT_EQ(plain("windows\r"), "windows");
}

TEST(CleanText, keeps_lines_and_drops_blank_ones_at_the_end) { EXPECT_EQ(clean_text("a\x1b[2J\nb\n\n"), "a\nb"); }

std::vector<std::string> joined(LineJoiner& joiner, std::initializer_list<std::string_view> parts) {
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  for (const std::string_view part : parts) joiner.add(part, take);
  joiner.flush(take);
  return lines;
}

TEST(LineJoiner, joins_pieces) {
  LineJoiner joiner;
  EXPECT_EQ(joined(joiner, {"a", "b\nc\n\nd", "e"}), (std::vector<std::string>{"ab", "c", "", "de"}));
  EXPECT_EQ(joined(joiner, {}), std::vector<std::string>{});
}

TEST(LineJoiner, gives_out_endless_lines_in_parts_without_losing_a_byte_or_breaking_a_character) {
  LineJoiner joiner;
  std::string endless = "x";
  while (endless.size() < 200'000) endless += "€";
  const std::vector<std::string> lines = joined(joiner, {endless, endless, "\nend\n"});
  std::string all;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    EXPECT_LE(lines[i].size(), 65536u);
    EXPECT_NE(static_cast<unsigned char>(lines[i].front()) & 0xc0, 0x80);
    all += lines[i];
  }
  EXPECT_EQ(all, endless + endless);
  EXPECT_EQ(lines.back(), "end");
}

}  // namespace
}  // namespace cib::report
