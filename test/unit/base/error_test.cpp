#include "base/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>

using namespace cib;

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
