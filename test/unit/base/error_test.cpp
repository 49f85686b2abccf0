#include "base/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <stdexcept>

using namespace cib;

TEST(Error, what_the_file_system_library_throws_is_no_bug_of_ours) {
  const std::filesystem::filesystem_error denied("status", "/some/place", std::make_error_code(std::errc::permission_denied));
  EXPECT_EQ(error_of(denied).code(), ExitCode::permission);
  EXPECT_EQ(error_of(denied).message(), "/some/place: Permission denied");
  EXPECT_EQ(error_of(std::logic_error("x")).code(), ExitCode::bug);
}

TEST(Error, a_full_disk_has_its_own_exit_code) {
  EXPECT_EQ(system_error(ENOSPC, "x").code(), ExitCode::disk);
  EXPECT_EQ(system_error(EDQUOT, "x").code(), ExitCode::disk);
  EXPECT_NE(system_error(ENOSPC, "x").next(), "");
}

TEST(Error, a_refused_access_is_a_matter_of_permission) {
  EXPECT_EQ(system_error(EACCES, "x").code(), ExitCode::permission);
}

TEST(Error, context_is_put_in_front_on_the_way_up) {
  Error error(ExitCode::configuration, "not a number");
  error.within("line 3").within("a.toml");
  EXPECT_EQ(error.message(), "a.toml: line 3: not a number");
}
