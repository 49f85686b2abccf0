#include "cnb/slices.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"

namespace cib::cnb {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

bool matches(std::string_view pattern, std::string_view name) { return GlobPattern(pattern).matches(name); }

TEST(Glob, matches_the_whole_name_literally) {
  EXPECT_TRUE(matches("abc", "abc"));
  EXPECT_FALSE(matches("abc", "abcd"));
  EXPECT_FALSE(matches("abc", "ab"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "a"));
}

TEST(Glob, star_stays_inside_one_element) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*", "abc"));
  EXPECT_TRUE(matches("*c", "abc"));
  EXPECT_TRUE(matches("a*", "a"));
  EXPECT_TRUE(matches("a*/b", "abc/b"));
  EXPECT_FALSE(matches("a*", "ab/c"));
  EXPECT_FALSE(matches("a*/b", "a/c/b"));
  EXPECT_TRUE(matches("a*b*c*d*e*/f", "axbxcxdxexxx/f"));
  EXPECT_FALSE(matches("a*b*c*d*e*/f", "axbxcxdxe/xxx/f"));
  EXPECT_TRUE(matches("a*b?c*x", "abxbbxdbxebxczzx"));
  EXPECT_FALSE(matches("a*b?c*x", "abxbbxdbxebxczzy"));
}

TEST(Glob, two_stars_are_one_star) {
  EXPECT_FALSE(matches("static/**/*.js", "static/a/b/c.js"));
  EXPECT_TRUE(matches("static/**/*.js", "static/a/c.js"));
  EXPECT_TRUE(matches("**", "abc"));
  EXPECT_FALSE(matches("**", "a/b"));
}

TEST(Glob, star_matches_hidden_files) { EXPECT_TRUE(matches("*", ".env")); }

TEST(Glob, question_mark_is_one_character_but_no_slash) {
  EXPECT_TRUE(matches("a?b", "axb"));
  EXPECT_TRUE(matches("a?b", "a\xe2\x98\xba"
                             "b"));
  EXPECT_FALSE(matches("a???b", "a\xe2\x98\xba"
                                "b"));
  EXPECT_FALSE(matches("a?b", "a/b"));
  EXPECT_FALSE(matches("a?", "a"));
}

TEST(Glob, classes_hold_characters_and_ranges) {
  EXPECT_TRUE(matches("ab[c]", "abc"));
  EXPECT_TRUE(matches("ab[b-d]", "abc"));
  EXPECT_FALSE(matches("ab[e-g]", "abc"));
  EXPECT_FALSE(matches("ab[^b-d]", "abc"));
  EXPECT_TRUE(matches("ab[^e-g]", "abc"));
  EXPECT_TRUE(matches("[a-zA-Z0-9]*", "Z9"));
  EXPECT_TRUE(matches("[\xce\xb1-\xcf\x89]", "\xce\xb2"));
  EXPECT_FALSE(matches("[d-b]", "c"));
}

TEST(Glob, class_can_match_a_slash) {
  EXPECT_TRUE(matches("a[^b]c", "a/c"));
  EXPECT_TRUE(matches("a[/]c", "a/c"));
}

TEST(Glob, star_does_not_cross_a_slash_that_a_class_before_it_could_have_taken) {
  EXPECT_FALSE(matches("*[^a]*b", "x/yb"));
}

TEST(Glob, special_characters_of_a_class_are_literal_elsewhere_and_escaped_inside) {
  EXPECT_TRUE(matches("[*]", "*"));
  EXPECT_TRUE(matches("[?]a", "?a"));
  EXPECT_TRUE(matches("[\\]a]", "]"));
  EXPECT_TRUE(matches("[\\-]", "-"));
  EXPECT_TRUE(matches("[x\\-]", "-"));
  EXPECT_TRUE(matches("a]", "a]"));
  EXPECT_TRUE(matches("[[]", "["));
}

TEST(Glob, backslash_takes_the_next_character_literally) {
  EXPECT_TRUE(matches("a\\*b", "a*b"));
  EXPECT_FALSE(matches("a\\*b", "ab"));
  EXPECT_TRUE(matches("a\\\\b", "a\\b"));
  EXPECT_TRUE(matches("\\a", "a"));
}

TEST(Glob, malformed_pattern_fails_the_export_even_where_it_would_not_matter) {
  for (const char* pattern : {"[", "[]", "[]a]", "[^", "[^]", "[a", "[a-", "[a-]", "[-]", "[-x]", "[x-]", "[a-b-c]", "a[", "a[b",
                              "x*[", "\\", "a\\", "[\\", "[a\\", "[\xff]", "zzz*["})
    try {
      GlobPattern{pattern};
      ADD_FAILURE() << pattern;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::export_image);
      EXPECT_THAT(error.message(), testing::HasSubstr(pattern));
    }
}

TEST(CleanPath, is_the_shortest_equal_path) {
  for (const auto& [path, clean] : std::map<std::string, std::string>{
           {"", "."}, {".", "."}, {"./", "."}, {"a/", "a"}, {"./a//b/.", "a/b"}, {"a/../b", "b"}, {"a/..", "."}, {"../a", "../a"},
           {"a/../../b", "../b"}, {"/", "/"}, {"/..", "/"}, {"/a/../../b/", "/b"}, {"a/**/b", "a/**/b"}})
    EXPECT_EQ(clean_path(path), clean) << path;
}

// "x/" in these lists is a folder.
std::vector<AppEntry> tree(const std::vector<std::string>& paths) {
  std::vector<AppEntry> entries = {{"", true}};
  for (const std::string& path : paths)
    entries.push_back(path.ends_with('/') ? AppEntry{path.substr(0, path.size() - 1), true} : AppEntry{path, false});
  return entries;
}

std::vector<std::vector<std::string>> sliced(const std::vector<std::string>& paths, const std::vector<std::vector<std::string>>& slices) {
  std::vector<std::vector<std::string>> lists;
  for (const auto& slice : slice_app(tree(paths), slices)) {
    lists.emplace_back();
    for (const AppEntry& entry : slice) lists.back().push_back(entry.path + (entry.is_folder ? "/" : ""));
  }
  return lists;
}

TEST(Slices, without_slices_everything_is_one_layer) {
  EXPECT_THAT(sliced({"b", "a/", "a/x"}, {}), ElementsAre(ElementsAre("/", "a/", "a/x", "b")));
}

TEST(Slices, are_sorted_by_full_path) {
  EXPECT_THAT(sliced({"a/", "a/x", "a-b", "a.txt"}, {}), ElementsAre(ElementsAre("/", "a/", "a-b", "a.txt", "a/x")));
}

TEST(Slices, rest_comes_last) {
  EXPECT_THAT(sliced({"a", "b", "c"}, {{"b"}}), ElementsAre(ElementsAre("/", "b"), ElementsAre("/", "a", "c")));
}

TEST(Slices, matching_folder_takes_everything_below) {
  EXPECT_THAT(sliced({"d/", "d/e/", "d/e/f", "d/g", "h"}, {{"d"}}),
              ElementsAre(ElementsAre("/", "d/", "d/e/", "d/e/f", "d/g"), ElementsAre("/", "h")));
}

TEST(Slices, folders_above_a_file_come_along) {
  EXPECT_THAT(sliced({"d/", "d/e/", "d/e/f", "d/e/g"}, {{"d/e/f"}}),
              ElementsAre(ElementsAre("/", "d/", "d/e/", "d/e/f"), ElementsAre("/", "d/", "d/e/", "d/e/g")));
}

TEST(Slices, first_slice_that_wants_a_file_gets_it) {
  EXPECT_THAT(sliced({"a.js", "b.js", "c"}, {{"a.*"}, {"*.js"}}),
              ElementsAre(ElementsAre("/", "a.js"), ElementsAre("/", "b.js"), ElementsAre("/", "c")));
}

TEST(Slices, folder_takes_only_what_is_left_below_it) {
  EXPECT_THAT(sliced({"d/", "d/a", "d/b", "z"}, {{"d/a"}, {"d"}}),
              ElementsAre(ElementsAre("/", "d/", "d/a"), ElementsAre("/", "d/", "d/b"), ElementsAre("/", "z")));
}

TEST(Slices, folder_whose_entries_are_all_taken_is_not_part_of_the_rest) {
  EXPECT_THAT(sliced({"d/", "d/e/", "d/e/f", "z"}, {{"d/e/f"}}), ElementsAre(ElementsAre("/", "d/", "d/e/", "d/e/f"), ElementsAre("/", "z")));
  EXPECT_THAT(sliced({"d/", "d/a", "d/b", "z"}, {{"d/a"}, {"d/b"}}),
              ElementsAre(ElementsAre("/", "d/", "d/a"), ElementsAre("/", "d/", "d/b"), ElementsAre("/", "z")));
}

TEST(Slices, empty_folder_is_part_of_the_rest) {
  EXPECT_THAT(sliced({"empty/", "a"}, {{"a"}}), ElementsAre(ElementsAre("/", "a"), ElementsAre("/", "empty/")));
}

TEST(Slices, rest_is_empty_when_everything_is_taken) {
  EXPECT_THAT(sliced({"d/", "d/a", "b"}, {{"*"}}), ElementsAre(ElementsAre("/", "b", "d/", "d/a"), IsEmpty()));
  EXPECT_THAT(sliced({"d/", "d/a", "b"}, {{"."}}), ElementsAre(ElementsAre("/", "b", "d/", "d/a"), IsEmpty()));
  EXPECT_THAT(sliced({"d/", "d/a", "b"}, {{"d/a", "b"}}), ElementsAre(ElementsAre("/", "b", "d/", "d/a"), IsEmpty()));
}

TEST(Slices, that_match_nothing_are_empty) {
  EXPECT_THAT(sliced({"a"}, {{"x", "/a", "../a", "a/b"}, {}}), ElementsAre(IsEmpty(), IsEmpty(), ElementsAre("/", "a")));
}

TEST(Slices, patterns_are_cleaned_first) {
  EXPECT_THAT(sliced({"d/", "d/a", "z"}, {{"./d//"}}), ElementsAre(ElementsAre("/", "d/", "d/a"), ElementsAre("/", "z")));
}

TEST(Slices, star_takes_hidden_files_but_a_hidden_pattern_does_not_take_the_application) {
  EXPECT_THAT(sliced({".env", "a"}, {{".*"}}), ElementsAre(ElementsAre("/", ".env"), ElementsAre("/", "a")));
}

TEST(Slices, malformed_pattern_fails_the_export) { EXPECT_THROW(sliced({"a"}, {{"["}}), Error); }

TEST(Slices, are_those_of_the_reference) {
  const auto golden = nlohmann::json::parse(read_file(std::string(CIB_GOLDENS) + "/expected/plans.json"));
  for (const auto& step : golden["steps"]) {
    std::vector<std::vector<std::string>> expected;
    std::map<std::string, bool> app;
    for (const auto& layer : step["layers"]) {
      std::vector<std::string> paths;
      for (const std::string entry : layer["entries"]) {
        const std::size_t at = entry.find(" /workspace");
        if (at == entry.npos) continue;
        const bool is_folder = entry.starts_with("5");
        const std::string path = entry.substr(std::min(entry.size(), at + 12));
        app[path] = is_folder;
        paths.push_back(path + (is_folder ? "/" : ""));
      }
      if (!paths.empty()) expected.push_back(std::move(paths));
    }
    std::vector<AppEntry> entries;
    for (const auto& [path, is_folder] : app) entries.push_back({path, is_folder});
    std::vector<std::vector<std::string>> found;
    for (const auto& slice : slice_app(entries, {{"static/*.css", "docs"}, {"static/*", "missing/*"}})) {
      found.emplace_back();
      for (const AppEntry& entry : slice) found.back().push_back(entry.path + (entry.is_folder ? "/" : ""));
    }
    ASSERT_EQ(expected.size(), 3u);
    EXPECT_EQ(found, expected);
  }
}

}  // namespace
}  // namespace cib::cnb
