#include "sandbox/helper.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

#include "sandbox/container.hpp"
#include "sandbox/newer_kernel.hpp"
#include "sandbox/process.hpp"
#include "sandbox/wire.hpp"

namespace cib::sandbox {

namespace {

constexpr const char* helper_name = "ci-image-builder-sandbox";
constexpr int helper_socket = 3;

// In the fork, until it is the helper program: only async-signal-safe calls.
[[noreturn]] void become_helper(int socket, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  // The terminal's Ctrl-C is for the program, which then ends its sandboxes in order.
  setsid();
  const int null = open("/dev/null", O_RDWR);
  const int copy = fcntl(socket, F_DUPFD, helper_socket + 1);  // the socket may itself be 0 to 3
  if (null < 0 || copy < 0) _exit(1);
  const int far_null = fcntl(null, F_DUPFD, helper_socket + 1);
  for (int fd = 0; fd < helper_socket; ++fd) dup2(far_null, fd);
  dup2(copy, helper_socket);
  close_from(helper_socket + 1);
  char* const argv[] = {const_cast<char*>(helper_name), nullptr};
  char* const environment[] = {nullptr};
  execve("/proc/self/exe", argv, environment);
  _exit(1);
}

int serve() {
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NAME, "cib-sandbox");
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);
  std::signal(SIGCHLD, SIG_IGN);  // containers report to the program themselves
  constexpr rlimit no_cores{0, 0};
  setrlimit(RLIMIT_CORE, &no_cores);
  umask(022);
  if (chdir("/") != 0) return 1;

  const Fd socket(helper_socket);
  fcntl(helper_socket, F_SETFD, FD_CLOEXEC);
  const pid_t self = getpid();
  // The program wants to know that this is really the helper before it relies on it.
  send_packet(socket.get(), Kind::ready);
  while (auto packet = receive_packet(socket.get())) {
    if (packet->kind != Kind::setup || packet->fds.size() != 1) continue;
    const pid_t container = fork();
    if (container == 0) {
      close(socket.get());
      run_container(std::move(packet->fds[0]), packet->payload, self);
    }
    if (container < 0)
      send_packet(packet->fds[0].get(), Kind::failed, encode_error(system_error(errno, "fork")));
  }
  return 0;
}

}  // namespace

std::optional<int> maybe_helper(int argc, char** argv) {
  if (argc != 1 || std::string_view(argv[0]) != helper_name) return std::nullopt;
  try {
    return serve();
  } catch (const std::exception&) {
    return 1;  // there is nobody to tell but the program, and its socket is gone
  }
}

void protect_process() { prctl(PR_SET_DUMPABLE, 0); }

std::unique_ptr<Helper> Helper::start() {
  auto [ours, theirs] = socket_pair();
  const pid_t self = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw system_error(errno, "starting the sandbox helper");
  if (pid == 0) become_helper(theirs.get(), self);
  theirs.reset();
  std::unique_ptr<Helper> helper(new Helper(pid, std::move(ours)));
  protect_process();
  const auto packet = receive_packet(helper->m_socket.get());
  if (!packet || packet->kind != Kind::ready) {
    throw Error(ExitCode::configuration, "the sandbox helper did not start")
        .why("this program could not execute itself by /proc/self/exe")
        .next("run it where /proc is mounted and its file may be executed");
  }
  return helper;
}

Helper::~Helper() {
  m_socket.reset();
  while (waitpid(m_pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Fd Helper::start_container(std::string_view request) {
  auto [ours, theirs] = socket_pair();
  try {
    send_packet(m_socket.get(), Kind::setup, request, {theirs.get()});
  } catch (Error& error) {
    throw std::move(error).why("the sandbox helper is gone");
  }
  return std::move(ours);
}

}  // namespace cib::sandbox
