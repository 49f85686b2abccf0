// The entrypoint of an image: every process type is a link to this program, which prepares the environment and
// becomes the process.
#include <unistd.h>

#include <exception>
#include <string>
#include <vector>

#include "base/exit_code.hpp"
#include "launcher/failure.hpp"
#include "launcher/launch.hpp"

int main(int argc, char** argv) {
  using namespace cib::launcher;
  try {
    const std::string self = argc > 0 ? argv[0] : "";
    const std::vector<std::string> user_args(argv + (argc > 0 ? 1 : 0), argv + argc);
    launch(self, user_args, environ);
  } catch (const Failure& failure) {
    print_error(failure.message());
    return static_cast<int>(failure.code());
  } catch (const std::exception& error) {  // memory
    print_error(std::string("failed to launch: ") + error.what());
    return static_cast<int>(cib::ExitCode::launch);
  }
}
