#include "cnb/environment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.hpp"
#include "base/file.hpp"

namespace cib::cnb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

Variables after(Variables before, const EnvFiles& files, EnvAction without_suffix = EnvAction::set_always) {
  Environment env(std::move(before));
  apply_env_files(env, files, without_suffix);
  return env.variables();
}

// The message of the Error that `body` throws with `code`.
template <class Body>
std::string refusal(ExitCode code, Body body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.message();
  }
  return "";
}

TEST(Environment, a_variable_that_is_not_set_reads_as_empty) {
  Environment env(Variables{{"A", "1"}});
  EXPECT_EQ(env.get("B"), "");
  EXPECT_FALSE(env.has("B"));
  env.set("B", "x=y");
  EXPECT_THAT(env.strings(), ElementsAre("A=1", "B=x=y"));
}

TEST(EnvFiles, without_suffix_override_in_a_layer) { EXPECT_EQ(after({{"A", "old"}}, {{"A", "new"}}), (Variables{{"A", "new"}})); }

TEST(EnvFiles, without_suffix_are_defaults_in_build_config) {
  EXPECT_EQ(after({{"A", "old"}}, {{"A", "new"}, {"B", "new"}}, EnvAction::set_default), (Variables{{"A", "old"}, {"B", "new"}}));
}

TEST(EnvFiles, override_replaces) { EXPECT_EQ(after({{"A", "old"}}, {{"A.override", "new"}}), (Variables{{"A", "new"}})); }

TEST(EnvFiles, default_sets_what_is_unset_or_empty) {
  EXPECT_EQ(after({{"A", "old"}, {"B", ""}}, {{"A.default", "new"}, {"B.default", "new"}, {"C.default", "new"}}),
            (Variables{{"A", "old"}, {"B", "new"}, {"C", "new"}}));
}

TEST(EnvFiles, append_and_prepend_put_the_delimiter_between) {
  EXPECT_EQ(after({{"A", "old"}, {"B", "old"}}, {{"A.append", "new"}, {"A.delim", ":"}, {"B.prepend", "new"}, {"B.delim", ", "}}),
            (Variables{{"A", "old:new"}, {"B", "new, old"}}));
}

TEST(EnvFiles, there_is_no_default_delimiter) {
  EXPECT_EQ(after({{"A", "old"}, {"PATH", "/bin"}}, {{"A.append", "new"}, {"PATH.prepend", "/x"}}),
            (Variables{{"A", "oldnew"}, {"PATH", "/x/bin"}}));
}

TEST(EnvFiles, no_delimiter_beside_nothing) {
  EXPECT_EQ(after({{"A", ""}}, {{"A.append", "new"}, {"A.delim", ":"}, {"B.prepend", "new"}, {"B.delim", ":"}}),
            (Variables{{"A", "new"}, {"B", "new"}}));
}

TEST(EnvFiles, values_are_taken_as_they_are) {
  EXPECT_EQ(after({{"A", "x"}}, {{"A.append", " y\n"}, {"A.delim", "\n"}}), (Variables{{"A", "x\n y\n"}}));
}

TEST(EnvFiles, are_applied_in_the_order_of_their_names) {
  EXPECT_EQ(after({}, {{"A", "1"}, {"A.append", "2"}, {"A.prepend", "0"}}), (Variables{{"A", "012"}}));
  EXPECT_EQ(after({{"A", "x"}}, {{"A.append", "1"}, {"A.override", "2"}}), (Variables{{"A", "2"}}));
}

TEST(EnvFiles, the_suffix_begins_at_the_first_dot_and_unknown_ones_are_ignored) {
  EXPECT_EQ(after({{"A", "x"}}, {{"A.foo", "1"}, {"A.append.bak", "2"}, {"A.B.append", "3"}, {"A.", "4"}, {".append", "5"}, {"A.delim", "6"}}),
            (Variables{{"A", "x"}}));
}

TEST(EnvFiles, what_no_process_can_be_given_is_refused) {
  EXPECT_THAT(refusal(ExitCode::build, [] { after({}, {{"A", std::string("x\0y", 3)}}); }), HasSubstr("NUL"));
  EXPECT_THAT(refusal(ExitCode::build, [] { after({}, {{"A=B", "x"}}); }), HasSubstr("'='"));
}

TEST(RootFolders, stand_in_front_of_their_variables_while_building) {
  Environment env(Variables{{"PATH", "/bin"}, {"CPATH", "/c"}});
  add_root_folders(env, "/layers/a/l", {"bin", "include", "lib", "other", "pkgconfig"}, LayerUse::build);
  EXPECT_EQ(env.variables(), (Variables{{"PATH", "/layers/a/l/bin:/bin"},
                                        {"LD_LIBRARY_PATH", "/layers/a/l/lib"},
                                        {"LIBRARY_PATH", "/layers/a/l/lib"},
                                        {"CPATH", "/layers/a/l/include:/c"},
                                        {"PKG_CONFIG_PATH", "/layers/a/l/pkgconfig"}}));
}

TEST(RootFolders, at_launch_are_bin_and_lib_only) {
  Environment env;
  add_root_folders(env, "/l", {"bin", "include", "lib", "pkgconfig"}, LayerUse::launch);
  EXPECT_EQ(env.variables(), (Variables{{"PATH", "/l/bin"}, {"LD_LIBRARY_PATH", "/l/lib"}}));
}

TEST(RootFolders, that_are_missing_add_nothing) {
  Environment env;
  add_root_folders(env, "/l", {}, LayerUse::build);
  EXPECT_EQ(env, Environment());
}

TEST(Overrides, the_users_values_replace) {
  EXPECT_EQ(with_overrides(Environment(Variables{{"A", "x"}}), {{"A", "new\n"}, {"B.append", "b"}}, {}, false).variables(),
            (Variables{{"A", "new\n"}, {"B.append", "b"}}));
}

TEST(Overrides, the_users_path_lists_stand_in_front) {
  const EnvFiles user = {{"PATH", "/u"}, {"LD_LIBRARY_PATH", "/u"}, {"LIBRARY_PATH", "/u"}, {"CPATH", "/u"}, {"PKG_CONFIG_PATH", "/u"}, {"XPATH", "/u"}};
  EXPECT_EQ(with_overrides(Environment(Variables{{"PATH", "/b"}, {"CPATH", ""}, {"LD_LIBRARY_PATH", "/b"}, {"LIBRARY_PATH", "/b"}, {"PKG_CONFIG_PATH", "/b"}, {"XPATH", "/b"}}),
                           user, {}, false)
                .variables(),
            (Variables{{"PATH", "/u:/b"}, {"CPATH", "/u"}, {"LD_LIBRARY_PATH", "/u:/b"}, {"LIBRARY_PATH", "/u:/b"}, {"PKG_CONFIG_PATH", "/u:/b"}, {"XPATH", "/u"}}));
}

TEST(Overrides, build_config_comes_after_the_user_and_plain_names_are_defaults) {
  EXPECT_EQ(with_overrides(Environment(), {{"A", "user"}, {"B", "user"}}, {{"A", "config"}, {"B.override", "config"}, {"C", "config"}}, false).variables(),
            (Variables{{"A", "user"}, {"B", "config"}, {"C", "config"}}));
}

TEST(Overrides, clear_env_keeps_the_user_out_but_not_build_config) {
  EXPECT_EQ(with_overrides(Environment(Variables{{"X", "x"}}), {{"A", "user"}}, {{"C", "config"}}, true).variables(), (Variables{{"C", "config"}, {"X", "x"}}));
}

TEST(Overrides, never_enter_the_accumulated_environment) {
  const Environment env(Variables{{"PATH", "/b"}});
  with_overrides(env, {{"PATH", "/u"}}, {{"C", "config"}}, false);
  EXPECT_EQ(env.variables(), (Variables{{"PATH", "/b"}}));
}

class EnvFolder : public testing::Test {
 protected:
  void put(const std::string& path, std::string_view text = "") {
    make_folders((m_folder.path() / path).parent_path());
    write_file(m_folder.path() / path, text);
  }
  const fs::path& base() const { return m_folder.path(); }

 private:
  TempFolder m_folder;
};

TEST_F(EnvFolder, is_read_without_its_sub_folders) {
  put("l/env/B.default", "b\n");
  put("l/env/A", "a");
  put("l/env/web/C", "c");
  EXPECT_EQ(read_env_folder(base(), "l/env"), (EnvFiles{{"A", "a"}, {"B.default", "b\n"}}));
  Environment env;
  apply_env_folder(env, base(), "l/env", EnvAction::set_always);
  EXPECT_EQ(env.variables(), (Variables{{"A", "a"}, {"B", "b\n"}}));
}

TEST_F(EnvFolder, that_is_missing_or_a_file_is_empty) {
  put("l/env");
  EXPECT_EQ(read_env_folder(base(), "l/env"), EnvFiles{});
  EXPECT_EQ(read_env_folder(base(), "m/env"), EnvFiles{});
}

TEST_F(EnvFolder, links_inside_are_followed) {
  put("l/shared/V", "v");
  put("l/env/A", "a");
  fs::create_symlink("../shared/V", base() / "l/env/V");
  fs::create_symlink("../shared", base() / "l/env/folder");
  EXPECT_EQ(read_env_folder(base(), "l/env"), (EnvFiles{{"A", "a"}, {"V", "v"}}));
}

TEST_F(EnvFolder, links_that_leave_are_refused) {
  TempFolder outside;
  write_file(outside.path() / "secret", "s");
  put("l/env/A", "a");
  fs::create_symlink(outside.path() / "secret", base() / "l/env/S");
  EXPECT_THAT(refusal(ExitCode::build, [&] { read_env_folder(base(), "l/env"); }), HasSubstr("l/env/S"));
  fs::create_directory_symlink(outside.path(), base() / "l/env.build");
  EXPECT_THAT(refusal(ExitCode::build, [&] { read_env_folder(base(), "l/env.build"); }), HasSubstr("leads out of its folder"));
  fs::create_directory_symlink(fs::path("../..") / outside.path().filename(), base() / "m");
  EXPECT_THAT(refusal(ExitCode::build, [&] { read_env_folder(base() / "l", "../m"); }), HasSubstr("leads out of its folder"));
}

TEST_F(EnvFolder, pipes_links_to_nothing_and_huge_files_are_refused) {
  put("a/env/X");
  ASSERT_EQ(mkfifo((base() / "a/env/P").c_str(), 0600), 0);
  EXPECT_THAT(refusal(ExitCode::build, [&] { read_env_folder(base(), "a/env"); }), HasSubstr("a/env/P' is no regular file"));
  put("b/env/X");
  fs::create_symlink("nothing", base() / "b/env/N");
  EXPECT_THAT(refusal(ExitCode::build, [&] { read_env_folder(base(), "b/env"); }), HasSubstr("link to nothing"));
  put("c/env/H", std::string((1 << 20) + 1, 'x'));
  EXPECT_THAT(refusal(ExitCode::build, [&] { read_env_folder(base(), "c/env"); }), HasSubstr("longer than 1 MiB"));
}

TEST_F(EnvFolder, a_build_layer_adds_its_roots_then_env_then_env_build) {
  put("py/bin/python");
  put("py/lib/x");
  put("py/env/PATH.prepend", "/first");
  put("py/env/PATH.delim", ":");
  put("py/env/STAGE", "env");
  put("py/env.build/STAGE.append", "+build");
  put("py/env.launch/STAGE", "launch");
  Environment env(Variables{{"PATH", "/bin"}});
  apply_build_layer(env, base(), "py", "/layers/a_b/py");
  EXPECT_EQ(env.variables(), (Variables{{"PATH", "/first:/layers/a_b/py/bin:/bin"},
                                        {"LD_LIBRARY_PATH", "/layers/a_b/py/lib"},
                                        {"LIBRARY_PATH", "/layers/a_b/py/lib"},
                                        {"STAGE", "env+build"}}));
}

TEST_F(EnvFolder, earlier_layers_end_up_behind_later_ones) {
  put("a/bin/x");
  put("b/bin/x");
  Environment env(Variables{{"PATH", "/bin"}});
  apply_build_layer(env, base(), "a", "/layers/p/a");
  apply_build_layer(env, base(), "b", "/layers/p/b");
  EXPECT_EQ(env.get("PATH"), "/layers/p/b/bin:/layers/p/a/bin:/bin");
}

}  // namespace
}  // namespace cib::cnb
