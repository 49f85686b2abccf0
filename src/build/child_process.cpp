#include "build/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <fstream>

#include "base/error.hpp"
#include "base/tasks.hpp"

namespace cib::build {

namespace {

// The two structures of posix_spawn, destroyed in any case.
struct SpawnSettings {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

pid_t start(std::vector<std::string> argv, std::vector<std::string> environment, int output) {
  SpawnSettings settings;
  posix_spawn_file_actions_addopen(&settings.actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&settings.actions, output, 1);
  posix_spawn_file_actions_adddup2(&settings.actions, output, 2);
  // Our own signals are blocked and handled by a thread; the child begins with the defaults.
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&settings.attributes, &none);
  posix_spawnattr_setsigdefault(&settings.attributes, &all);
  posix_spawnattr_setpgroup(&settings.attributes, 0);
  posix_spawnattr_setflags(&settings.attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, argv[0].c_str(), &settings.actions, &settings.attributes,
                                 pointers(argv).data(), pointers(environment).data());
  if (failed != 0) throw system_error(failed, "cannot run " + argv[0]);
  return pid;
}

// The processes of the group that run something else than the program itself get SIGKILL: what was stopped may wait for
// children that do not listen to SIGTERM, and shall still clean up by itself.
void kill_helpers(pid_t group, const std::string& program) {
  for (const FolderEntry& entry : list_folder("/proc")) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(entry.name.data(), entry.name.data() + entry.name.size(), pid);
    if (error != std::errc() || *end != '\0' || ::getpgid(pid) != group) continue;
    std::ifstream file("/proc/" + entry.name + "/comm");
    std::string name;
    std::getline(file, name);
    // The kernel keeps 15 characters of a name.
    if (!name.empty() && name != program.substr(0, 15)) ::kill(pid, SIGKILL);
  }
}

void read_lines(int fd, const std::function<void(std::string_view)>& line, pid_t group, const std::string& program,
                const std::stop_token& stop) {
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> deadline;
  std::string pending;
  std::array<char, 16384> buffer;
  for (;;) {
    if (stop.stop_requested()) {
      if (!deadline) deadline = Clock::now() + std::chrono::seconds(1);
      if (Clock::now() >= *deadline) kill_helpers(group, program);
    }
    pollfd polled{fd, POLLIN, 0};
    const int ready = ::poll(&polled, 1, 200);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    pending.append(buffer.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1)
      line(std::string_view(pending).substr(begin, end - begin));
    pending.erase(0, begin);
  }
  if (!pending.empty()) line(pending);
}

}  // namespace

std::optional<fs::path> find_program(std::string_view name) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/sbin:/usr/bin:/sbin:/bin";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const fs::path candidate = fs::path(rest.substr(0, end)) / name;
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (candidate.is_absolute() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

int run_program(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment,
                const std::function<void(std::string_view)>& line, std::stop_token stop) {
  throw_if_stopped(stop);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, "pipe");
  Fd reading(ends[0]), writing(ends[1]);
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  const pid_t pid = start(argv, std::move(variables), writing.get());
  writing.reset();
  int status = 0;
  {
    std::stop_callback on_stop(stop, [pid] { ::kill(-pid, SIGTERM); });
    try {
      read_lines(reading.get(), line, pid, fs::path(argv[0]).filename().string(), stop);
    } catch (...) {
      ::kill(-pid, SIGTERM);
      ::waitpid(pid, nullptr, 0);
      throw;
    }
    // The process is reaped only after the callback can no longer run: its number is not given away before.
    siginfo_t info;
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
    }
  }
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  throw_if_stopped(stop);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace cib::build
