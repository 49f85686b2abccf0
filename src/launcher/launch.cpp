#include "launcher/launch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "launcher/api.hpp"
#include "launcher/environment.hpp"
#include "launcher/exec_d.hpp"
#include "launcher/failure.hpp"
#include "launcher/layers.hpp"
#include "launcher/metadata.hpp"
#include "launcher/process.hpp"
#include "launcher/shell.hpp"

namespace cib::launcher {

namespace {

std::string variable(const char* name, std::string_view otherwise) {
  const char* value = std::getenv(name);
  return std::string(value == nullptr || *value == '\0' ? otherwise : std::string_view(value));
}

// Relative folders are meant from where the container starts, not from the application's folder.
std::string absolute(std::string path) {
  if (path.starts_with('/')) return path;
  char* current = getcwd(nullptr, 0);
  if (current == nullptr) throw launch_failure("getcwd: " + error_text(errno));
  std::string result = std::string(current) + '/' + path;
  std::free(current);
  return result;
}

ApiVersion platform_api(const std::string& requested) {
  if (requested.empty()) {
    throw Failure(ExitCode::platform_api,
                  "failed to get platform API version; please set 'CNB_PLATFORM_API' to specify the desired platform "
                  "API version");
  }
  const auto version = parse_api(requested);
  if (!version) throw Failure(ExitCode::platform_api, "failed to parse platform API '" + requested + "'");
  if (!is_supported_platform(*version)) {
    throw Failure(ExitCode::platform_api, "failed to set platform API: platform API version '" + requested +
                                              "' is incompatible with the lifecycle");
  }
  return *version;
}

void change_folder(const std::string& path, std::string_view meaning) {
  if (chdir(path.c_str()) != 0) throw system_failure(errno, "chdir", path).within(meaning);
}

// 0 when the file can be executed.
int executable_error(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  if (faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) != 0) return errno;
  return 0;
}

// The file that a command names: in PATH, or from the current folder when it has a '/'.
std::string look_up(const std::string& command, std::string_view path) {
  const auto failure = [&](const std::string& reason) {
    return launch_failure("path lookup: exec: " + quoted(command) + ": " + reason);
  };
  if (command.find('/') != std::string::npos) {
    const int error = executable_error(command);
    if (error == ENOENT || error == ENOTDIR) throw failure("stat " + command + ": " + error_text(error));
    if (error != 0) throw failure(error_text(error));
    return command;
  }
  while (!command.empty() && !path.empty()) {
    const std::size_t colon = path.find(':');
    const std::string_view folder = path.substr(0, colon);
    const std::string candidate = std::string(folder.empty() ? "." : folder) + '/' + command;
    if (executable_error(candidate) == 0) {
      // What stands in the current folder is started only when it is asked for with "./".
      if (!candidate.starts_with('/')) throw failure("cannot run executable found relative to current directory");
      return candidate;
    }
    if (colon == std::string_view::npos) break;
    // An empty last part is the current folder too.
    path = colon + 1 == path.size() ? "." : path.substr(colon + 1);
  }
  throw failure("executable file not found in $PATH");
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& string : strings) result.push_back(const_cast<char*>(string.c_str()));
  result.push_back(nullptr);
  return result;
}

[[noreturn]] void execute(const std::string& file, const std::vector<std::string>& arguments,
                          const Environment& environment, std::string_view meaning) {
  const std::vector<std::string> entries = environment.list();
  execve(file.c_str(), pointers(arguments).data(), pointers(entries).data());
  throw launch_failure(error_text(errno)).within(meaning);
}

[[noreturn]] void launch_direct(const Process& process, const Environment& environment, const std::string& app_dir) {
  // The look-up comes first: a relative command is looked for in the application's folder, but started from the
  // working directory.
  const std::string file = look_up(process.command[0], environment.get("PATH"));
  change_folder(process.working_dir.empty() ? app_dir : process.working_dir, "change to working directory");
  std::vector<std::string> arguments = process.command;
  arguments.insert(arguments.end(), process.args.begin(), process.args.end());
  execute(file, arguments, environment, "direct exec");
}

[[noreturn]] void launch_process(const Process& process, Environment environment, const Metadata& metadata,
                                 const std::string& layers_dir, const std::string& app_dir, const std::string& self) {
  change_folder(app_dir, "change to app directory");
  const auto layers = within("modify env", [&] {
    auto listed = list_layers(layers_dir, metadata);
    add_layers(environment, listed, process.type);
    return listed;
  });
  within("exec.d", [&] { run_exec_d(environment, layers, process.type); });
  if (process.direct) launch_direct(process, environment, app_dir);
  const auto profiles = within("find profiles", [&] { return list_profiles(layers, process.type, app_dir); });
  execute("/bin/bash", bash_arguments(process, profiles, app_dir, self), environment, "bash exec");
}

}  // namespace

void launch(const std::string& self, const std::vector<std::string>& user_args, const char* const* environment) {
  const std::string requested = variable("CNB_PLATFORM_API", "");
  const ApiVersion platform = platform_api(requested);
  const std::string layers_dir = absolute(variable("CNB_LAYERS_DIR", "/layers"));
  const std::string app_dir = absolute(variable("CNB_APP_DIR", "/workspace"));
  const Metadata metadata = read_metadata(layers_dir + "/config/metadata.toml");

  if (const std::string type = variable("CNB_PROCESS_TYPE", ""); !type.empty()) {
    print_warning("CNB_PROCESS_TYPE is not supported in Platform API " + requested);
    print_warning("Run with ENTRYPOINT '" + type + "' to invoke the '" + type + "' process type");
  }
  try {
    const Process process = within("determine start command",
                                   [&] { return select_process(metadata, platform, self, user_args); });
    launch_process(process, Environment(environment), metadata, layers_dir, app_dir, self);
  } catch (Failure& failure) {
    failure.within("failed to launch");
    throw;
  }
}

}  // namespace cib::launcher
