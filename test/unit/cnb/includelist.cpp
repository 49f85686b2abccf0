#include "cnb/includelist.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace cib::cnb {
namespace {

TEST(Includelist, lets_the_listed_variables_through_and_no_other) {
  const std::vector<std::string> names = {"CNB_STACK_ID", "HOSTNAME", "HOME",     "HTTP_PROXY",      "http_proxy",   "HTTPS_PROXY", "https_proxy",
                                          "NO_PROXY",     "no_proxy", "PATH",     "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH",       "PKG_CONFIG_PATH"};
  for (const std::string& name : names) EXPECT_TRUE(is_included(name)) << name;
  for (const char* name : {"LANG", "TZ", "USER", "CNB_USER_ID", "CNB_REGISTRY_AUTH", "path", "HOME2", "", "AWS_SECRET_ACCESS_KEY"})
    EXPECT_FALSE(is_included(name)) << name;
}

TEST(Includelist, filters_an_images_environment) {
  const std::vector<std::string> env = {"PATH=/a", "LANG=C", "HOME=/home/a=b", "NO_PROXY=", "HOSTNAME", "PATH=/b"};
  EXPECT_EQ(included(env).variables(), (std::map<std::string, std::string>{{"HOME", "/home/a=b"}, {"NO_PROXY", ""}, {"PATH", "/b"}}));
}

}  // namespace
}  // namespace cib::cnb
