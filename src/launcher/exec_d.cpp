#include "launcher/exec_d.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "launcher/failure.hpp"
#include "launcher/file.hpp"
#include "launcher/toml.hpp"

namespace cib::launcher {

namespace {

constexpr int output_descriptor = 3;
constexpr std::size_t output_limit = 16u << 20;

struct Pipe {
  Fd reading;
  Fd writing;
};

// Both ends above descriptor 3, so that the child's 0 and 3 can be set up without overwriting them, also when
// the launcher was started with some of 0 to 3 closed.
Pipe open_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw launch_failure("pipe: " + error_text(errno));
  const Fd low_reading(ends[0]);
  const Fd low_writing(ends[1]);
  Pipe pipe;
  pipe.reading = Fd(fcntl(low_reading.get(), F_DUPFD_CLOEXEC, output_descriptor + 1));
  pipe.writing = Fd(fcntl(low_writing.get(), F_DUPFD_CLOEXEC, output_descriptor + 1));
  if (pipe.reading.get() < 0 || pipe.writing.get() < 0) throw launch_failure("pipe: " + error_text(errno));
  return pipe;
}

class SpawnActions {
 public:
  SpawnActions() { check(posix_spawn_file_actions_init(&m_actions)); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() { posix_spawn_file_actions_destroy(&m_actions); }
  void open(int fd, const char* path, int flags) {
    check(posix_spawn_file_actions_addopen(&m_actions, fd, path, flags, 0));
  }
  void duplicate(int from, int to) { check(posix_spawn_file_actions_adddup2(&m_actions, from, to)); }
  const posix_spawn_file_actions_t* get() const { return &m_actions; }

 private:
  static void check(int error_number) {
    if (error_number != 0) throw launch_failure("spawn: " + error_text(error_number));
  }
  posix_spawn_file_actions_t m_actions;
};

// How a child ended; nothing when it succeeded.
std::optional<std::string> complaint(int status) {
  if (WIFSIGNALED(status)) return "signal: " + signal_text(WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return "exit status " + std::to_string(WEXITSTATUS(status));
  return std::nullopt;
}

// A started helper, waited for in any case.
class Child {
 public:
  explicit Child(pid_t pid) : m_pid(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (m_pid > 0) wait();
  }
  std::optional<std::string> wait() {
    int status = 0;
    pid_t waited = 0;
    do {
      waited = waitpid(m_pid, &status, 0);
    } while (waited < 0 && errno == EINTR);
    m_pid = 0;
    // With SIGCHLD ignored by whoever started us, the kernel keeps no status.
    if (waited < 0) return errno == ECHILD ? std::nullopt : std::optional("wait: " + error_text(errno));
    return complaint(status);
  }

 private:
  pid_t m_pid;
};

std::string output_of(const std::string& path, const Environment& environment) {
  const std::vector<std::string> entries = environment.list();
  std::vector<char*> envp;
  for (const std::string& entry : entries) envp.push_back(const_cast<char*>(entry.c_str()));
  envp.push_back(nullptr);
  char* const argv[] = {const_cast<char*>(path.c_str()), nullptr};

  Pipe pipe = open_pipe();
  SpawnActions actions;
  actions.open(STDIN_FILENO, "/dev/null", O_RDONLY);
  actions.duplicate(pipe.writing.get(), output_descriptor);
  pid_t pid = 0;
  // No attributes: the child keeps the signal mask and the ignored signals of the container's start.
  if (const int error = posix_spawn(&pid, path.c_str(), actions.get(), nullptr, argv, envp.data()); error != 0) {
    throw launch_failure("failed to execute exec.d file at path '" + path + "': " + error_text(error));
  }
  std::string output;
  {
    Child child(pid);
    pipe.writing.reset();
    try {
      output = read_all(pipe.reading.get(), "descriptor 3", output_limit);
    } catch (Failure& failure) {
      pipe.reading.reset();  // so that a helper that goes on writing is stopped before it is waited for
      failure.within("failed to read output from exec.d file at path '" + path + "'");
      throw;
    }
    if (const auto problem = child.wait()) {
      throw launch_failure("failed to execute exec.d file at path '" + path + "': " + *problem);
    }
  }
  return output;
}

void run_folder(Environment& environment, const std::string& folder) {
  for (const std::string& file : list_folder(folder, Listed::files)) {
    const std::string path = folder + '/' + file;
    const std::string output = output_of(path, environment);
    auto variables = within("failed to decode output from exec.d file at path '" + path + "'",
                            [&] { return parse_exec_d(output); });
    for (auto& [name, value] : variables) environment.set(name, std::move(value));
  }
}

}  // namespace

std::map<std::string, std::string> parse_exec_d(std::string_view output) {
  std::map<std::string, std::string> variables;
  for (const auto& [name, value] : parse_toml(output).members) {
    if (value.kind != TomlValue::Kind::string) throw launch_failure(quoted(name) + " is not a string");
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
      throw launch_failure(quoted(name) + " cannot be the name of a variable");
    }
    if (value.text.find('\0') != std::string::npos) throw launch_failure(quoted(name) + " contains a NUL character");
    variables.emplace(name, value.text);
  }
  return variables;
}

void run_exec_d(Environment& environment, const std::vector<BuildpackLayers>& buildpacks, const std::string& type) {
  for (const BuildpackLayers& layers : buildpacks) {
    for (const std::string& layer : layers) {
      run_folder(environment, layer + "/exec.d");
      if (!type.empty()) run_folder(environment, layer + "/exec.d/" + type);
    }
  }
}

}  // namespace cib::launcher
