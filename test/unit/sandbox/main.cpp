// The test program is also the sandbox helper and, in lifetime_test.cpp, programs that get killed.
#include <gtest/gtest.h>

#include <cstdlib>

#include "support.hpp"

namespace cib::sandbox::testing {

namespace {
std::unique_ptr<Helper> the_helper;
}

Helper& helper() { return *the_helper; }

}  // namespace cib::sandbox::testing

int main(int argc, char** argv) {
  namespace sandbox = cib::sandbox;
  if (const auto code = sandbox::maybe_helper(argc, argv)) return *code;
  if (const auto code = sandbox::testing::maybe_role(argc, argv)) return *code;
  ::testing::InitGoogleTest(&argc, argv);
  setenv(sandbox::testing::secret_name, sandbox::testing::secret_value, 1);
  sandbox::testing::the_helper = sandbox::Helper::start();
  const int result = RUN_ALL_TESTS();
  sandbox::testing::the_helper.reset();
  return result;
}
