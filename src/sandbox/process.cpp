#include "sandbox/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.hpp"
#include "sandbox/mounts.hpp"
#include "sandbox/newer_kernel.hpp"
#include "sandbox/syscall_filter.hpp"
#include "sandbox/wire.hpp"

namespace cib::sandbox {

namespace {

// SIGCHLD as something to poll.
Fd child_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  // An ignored SIGCHLD would reap for us and lose the status.
  std::signal(SIGCHLD, SIG_DFL);
  Fd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) throw system_error(errno, "signalfd");
  return fd;
}

void drain(const Fd& signals) {
  signalfd_siginfo info{};
  while (read(signals.get(), &info, sizeof info) > 0) {
  }
}

// Waits until a packet or the end of the socket, or a child's signal, is there.
struct Woken {
  bool socket = false;
  bool child = false;
};
Woken wait_for(int socket, const Fd& signals) {
  std::array<pollfd, 2> polled{{{socket, POLLIN, 0}, {signals.get(), POLLIN, 0}}};
  while (poll(polled.data(), polled.size(), -1) < 0) {
    if (errno != EINTR) throw system_error(errno, "poll");
  }
  return {polled[0].revents != 0, polled[1].revents != 0};
}

void must(bool worked, const char* what) {
  if (!worked) throw system_error(errno, what);
}

void drop_privileges(const Surroundings& surroundings) {
  for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; ++capability)
    must(prctl(PR_CAPBSET_DROP, capability) == 0, "dropping capabilities");
  constexpr unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                 SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  must(prctl(PR_SET_SECUREBITS, bits) == 0, "securebits");
  if (surroundings.may_set_groups) must(setgroups(0, nullptr) == 0, "setgroups");
  must(setresgid(surroundings.gid, surroundings.gid, surroundings.gid) == 0, "setresgid");
  must(setresuid(surroundings.uid, surroundings.uid, surroundings.uid) == 0, "setresuid");
  const cap_t none = cap_init();
  must(none && cap_set_proc(none) == 0, "dropping capabilities");
  cap_free(none);
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  load_syscall_filter(surroundings.filter);
  // Changing ids forgets both of these.
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

// Why the kernel would not execute it, in words: ENOENT is as often the interpreter as the file.
std::string execution_error(const std::string& path, int error_number) {
  if (error_number == ENOENT && access(path.c_str(), F_OK) == 0) {
    std::string line(256, '\0');
    const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const ssize_t size = fd ? read(fd.get(), line.data(), line.size()) : 0;
    line.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    if (!line.starts_with("#!")) return fmt::format("{}: its dynamic linker does not exist in the root", path);
    line = line.substr(0, line.find('\n'));
    if (line.ends_with('\r')) return fmt::format("{}: its first line ends with a carriage return (CRLF)", path);
    return fmt::format("{}: the interpreter of its first line ({}) does not exist in the root", path, line);
  }
  if (error_number == ENOEXEC) return fmt::format("{}: neither a program of this machine nor a script with #!", path);
  return fmt::format("{}: {}", path, std::strerror(error_number));
}

// The last step: becomes the process, or tells why not on `complaint` (close-on-exec).
[[noreturn]] void become(const Process& process, const Fd& output, const Fd& complaint) {
  const auto complain = [&](const std::string& text) {
    (void)!write(complaint.get(), text.data(), text.size());
    _exit(127);
  };
  setsid();
  const Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null || dup2(null.get(), STDIN_FILENO) < 0 || dup2(output.get(), STDOUT_FILENO) < 0 ||
      dup2(output.get(), STDERR_FILENO) < 0)
    complain(fmt::format("/dev/null: {}", std::strerror(errno)));
  if (chdir(process.cwd.c_str()) != 0)
    complain(fmt::format("working directory {}: {}", process.cwd, std::strerror(errno)));
  umask(022);
  for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  close_on_exec_from(3);

  std::vector<char*> argv;
  for (const std::string& word : process.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> env;
  for (const std::string& variable : process.env) env.push_back(const_cast<char*>(variable.c_str()));
  env.push_back(nullptr);
  execve(argv[0], argv.data(), env.data());
  complain(execution_error(process.argv[0], errno));
  std::abort();
}

std::string encode_exit(const Exit& exit) {
  return Writer()
      .number(static_cast<std::uint64_t>(exit.code))
      .number(static_cast<std::uint64_t>(exit.signal))
      .number(exit.started ? 1 : 0)
      .text(exit.error)
      .payload();
}

Exit exit_of(int status) {
  if (WIFSIGNALED(status)) return {-1, WTERMSIG(status), true, {}};
  return {WEXITSTATUS(status), 0, true, {}};
}

// Pid 1. Everything that can fail by the machine's fault throws, before the process exists.
Exit be_init(const Surroundings& surroundings, RunRequest& request, int runner) {
  // What is ours may not outlive the runner, even when it died before we asked for this.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  {
    pollfd gone{runner, 0, 0};
    if (poll(&gone, 1, 0) != 0) _exit(1);
  }
  prctl(PR_SET_NAME, "init");
  const Fd root(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  must(static_cast<bool>(root), "the root");
  mount_proc(root.get());
  pivot_into(root.get());
  // So that the process can open /dev/stdout and /dev/stderr; in a user namespace the pipe is its own already.
  (void)!fchown(request.output.get(), surroundings.uid, surroundings.gid);
  drop_privileges(surroundings);

  Reader reader(request.payload);
  Process process;
  process.argv = reader.texts();
  process.env = reader.texts();
  process.cwd = reader.text();
  if (process.argv.empty()) return {};

  const Fd signals = child_signals();
  std::array<int, 2> ends{};
  must(pipe2(ends.data(), O_CLOEXEC) == 0, "pipe");
  const Fd complaint_read(ends[0]);
  Fd complaint_write(ends[1]);
  const pid_t child = fork();
  must(child >= 0, "fork");
  if (child == 0) become(process, request.output, complaint_write);
  complaint_write.reset();
  request.output.reset();

  Exit result;
  std::array<char, 512> buffer{};
  ssize_t size = 0;
  while ((size = read(complaint_read.get(), buffer.data(), buffer.size())) != 0) {
    if (size < 0 && errno != EINTR) break;
    if (size > 0) result.error.append(buffer.data(), static_cast<std::size_t>(size));
  }
  if (!result.error.empty()) {
    result.started = false;
    result.code = -1;
    return result;
  }
  for (;;) {
    const Woken woken = wait_for(runner, signals);
    if (woken.child) {
      drain(signals);
      int status = 0;
      pid_t ended = 0;
      while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
        if (ended == child) return exit_of(status);
    }
    if (woken.socket) {
      const auto packet = receive_packet(runner);
      if (!packet) _exit(1);
      if (packet->kind == Kind::terminate) kill(-child, SIGTERM);
    }
  }
}

void run_and_report(const Surroundings& surroundings, RunRequest& request) {
  const Fd signals = child_signals();
  // The copy of the mount namespace takes the working directory along, but no descriptor.
  must(fchdir(surroundings.root) == 0, "the root");
  must(unshare(CLONE_NEWNS) == 0, "unshare(mount namespace)");
  must(unshare(CLONE_NEWPID) == 0, "unshare(pid namespace)");
  auto [ours, inits] = socket_pair();
  const pid_t init = fork();
  must(init >= 0, "fork");
  if (init == 0) {
    ours.reset();
    request.control.reset();
    try {
      const Exit exit = be_init(surroundings, request, inits.get());
      send_packet(inits.get(), Kind::exited, encode_exit(exit));
    } catch (const Error& error) {
      send_packet(inits.get(), Kind::failed, encode_error(error));
    }
    _exit(0);
  }
  inits.reset();
  request.output.reset();

  bool listening = true;
  int status = 0;
  for (;;) {
    const Woken woken = wait_for(listening ? request.control.get() : -1, signals);
    if (woken.child) {
      drain(signals);
      if (waitpid(init, &status, WNOHANG) == init) break;
    }
    if (woken.socket) {
      const auto packet = receive_packet(request.control.get());
      if (packet && packet->kind == Kind::terminate) {
        // An init that is just ending needs no signal any more.
        try {
          send_packet(ours.get(), Kind::terminate);
        } catch (const Error&) {
        }
      } else {
        kill(init, SIGKILL);
        listening = static_cast<bool>(packet);
      }
    }
  }
  // Init is reaped, so its pid namespace is empty. If it was killed it said nothing.
  const auto packet = receive_packet(ours.get(), false);
  if (packet) {
    send_packet(request.control.get(), packet->kind, packet->payload);
  } else {
    send_packet(request.control.get(), Kind::exited, encode_exit(exit_of(status)));
  }
}

}  // namespace

void die_with(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
}

void run_process(const Surroundings& surroundings, RunRequest request, pid_t container) {
  try {
    die_with(container);
    run_and_report(surroundings, request);
  } catch (const Error& error) {
    try {
      send_packet(request.control.get(), Kind::failed, encode_error(error));
    } catch (const Error&) {
      _exit(1);  // nobody is left to tell
    }
  } catch (const std::exception&) {
    _exit(1);
  }
  _exit(0);
}

}  // namespace cib::sandbox
