#include "sandbox/namespaces.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <exception>

#include "sandbox/container.hpp"
#include "sandbox/wire.hpp"

namespace cib::sandbox {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds grace{2};  // between SIGTERM and SIGKILL
constexpr int pipe_size = 1 << 20;        // bytes; fewer switches between a chatty process and us

// Says so when a stop is requested, in a form that poll() understands.
class StopSignal {
 public:
  explicit StopSignal(const std::stop_token& stop)
      : m_event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), m_callback(stop, [this] {
          const std::uint64_t one = 1;
          (void)!write(m_event.get(), &one, sizeof one);
        }) {
    if (!m_event) throw system_error(errno, "eventfd");
  }
  int fd() const { return m_event.get(); }

 private:
  Fd m_event;
  std::stop_callback<std::function<void()>> m_callback;
};

Exit decode_exit(std::string_view payload) {
  Reader reader(payload);
  Exit exit;
  exit.code = static_cast<int>(reader.number());
  exit.signal = static_cast<int>(reader.number());
  exit.started = reader.number() != 0;
  exit.error = reader.text();
  return exit;
}

// A run as it is followed by the calling thread.
class Run {
 public:
  Run(Fd control, Fd output, const std::function<void(std::string_view)>& listener)
      : m_control(std::move(control)), m_output(std::move(output)), m_listener(listener), m_buffer(pipe_size / 4, '\0') {}

  Exit follow(const std::stop_token& stop) {
    const StopSignal stopped(stop);
    std::optional<Clock::time_point> deadline;
    bool killed = false;
    while (!m_end) {
      int timeout = -1;
      if (deadline && !killed) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
        timeout = static_cast<int>(std::max<long>(left, 0));
      }
      std::array<pollfd, 3> polled{{{m_control.get(), POLLIN, 0},
                                    {m_output ? m_output.get() : -1, POLLIN, 0},
                                    {deadline ? -1 : stopped.fd(), POLLIN, 0}}};
      if (poll(polled.data(), polled.size(), timeout) < 0 && errno != EINTR) throw system_error(errno, "poll");
      if (polled[1].revents) read_output();
      if (polled[0].revents) receive_end();
      if (polled[2].revents) {
        order(Kind::terminate);
        deadline = Clock::now() + grace;
      }
      if (deadline && !killed && Clock::now() >= *deadline) {
        order(Kind::kill);
        killed = true;
      }
    }
    // All writers inside are dead: what they wrote is in the pipe, and nobody's copy of its end can make us wait.
    while (m_output && read_output()) {
    }
    if (m_listener_failure) std::rethrow_exception(m_listener_failure);
    if (m_end->kind == Kind::failed) throw decode_error(m_end->payload);
    if (deadline) throw Error(ExitCode::interrupted, "cancelled");
    return decode_exit(m_end->payload);
  }

 private:
  // False when there is nothing more for the moment.
  bool read_output() {
    const ssize_t size = read(m_output.get(), m_buffer.data(), m_buffer.size());
    if (size < 0 && errno == EINTR) return true;
    if (size < 0 && errno == EAGAIN) return false;
    if (size <= 0) {
      m_output.reset();
      return false;
    }
    if (m_listener_failure) return true;
    try {
      m_listener({m_buffer.data(), static_cast<std::size_t>(size)});
    } catch (...) {
      // Nobody listens any more: end the process before telling, so that nothing is left running.
      m_listener_failure = std::current_exception();
      order(Kind::kill);
    }
    return true;
  }

  void receive_end() {
    m_end = receive_packet(m_control.get());
    if (!m_end) {
      throw Error(ExitCode::unavailable, "the sandbox ended unexpectedly")
          .why("its supervising process was killed, perhaps because the machine ran out of memory")
          .next("give the job more memory, or try again");
    }
  }

  void order(Kind kind) {
    try {
      send_packet(m_control.get(), kind);
    } catch (const Error&) {
      // The run is just over; its end is waiting to be received.
    }
  }

  Fd m_control;
  Fd m_output;
  const std::function<void(std::string_view)>& m_listener;
  std::string m_buffer;
  std::optional<Packet> m_end;
  std::exception_ptr m_listener_failure;
};

class NamespaceSandbox : public Sandbox {
 public:
  NamespaceSandbox(Fd socket, std::string rung, bool blocks_metadata)
      : m_socket(std::move(socket)), m_rung(std::move(rung)), m_blocks_metadata(blocks_metadata) {}

  ~NamespaceSandbox() override {
    // The container unmounts and closes its end; afterwards the root's folders may be removed.
    shutdown(m_socket.get(), SHUT_WR);
    try {
      while (receive_packet(m_socket.get())) {
      }
    } catch (const Error&) {
      // A container that is gone has nothing mounted.
    }
  }

  std::string_view rung() const override { return m_rung; }
  bool blocks_metadata() const override { return m_blocks_metadata; }

  Exit run(const Process& process, const std::function<void(std::string_view)>& output,
           std::stop_token stop) override {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw system_error(errno, "pipe");
    Fd reading(ends[0]);
    Fd writing(ends[1]);
    // Only our end: the process expects a pipe that waits. The size is a wish, bounded by the user's limit.
    fcntl(reading.get(), F_SETFL, O_NONBLOCK);
    fcntl(reading.get(), F_SETPIPE_SZ, pipe_size);
    auto [control, theirs] = socket_pair();
    try {
      send_packet(m_socket.get(), Kind::run,
                  Writer().texts(process.argv).texts(process.env).text(process.cwd).payload(),
                  {theirs.get(), writing.get()});
    } catch (Error& error) {
      throw std::move(error).why("the sandbox is gone");
    }
    theirs.reset();
    writing.reset();
    return Run(std::move(control), std::move(reading), output).follow(stop);
  }

 private:
  Fd m_socket;
  std::string m_rung;
  bool m_blocks_metadata;
};

Setup with_absolute_paths(Setup setup) {
  // The helper's working directory is not ours.
  const auto absolute = [](fs::path& path) {
    if (!path.empty()) path = fs::absolute(path);
  };
  for (fs::path& lower : setup.root.lowers) absolute(lower);
  for (fs::path* path : {&setup.root.upper, &setup.root.work, &setup.root.flat, &setup.root.mount_point})
    absolute(*path);
  for (Mount& mount : setup.mounts) absolute(mount.source);
  return setup;
}

}  // namespace

std::unique_ptr<Sandbox> make_sandbox(Helper& helper, const Rung& rung, const Setup& setup) {
  const bool rootless = rung.kind == Rung::Kind::namespaces_rootless;
  if (!rootless && rung.kind != Rung::Kind::namespaces_root)
    throw Error(ExitCode::bug, fmt::format("{} is no sandbox of namespaces", rung_name(rung.kind)));
  if (!setup.root.is_overlay() && setup.root.flat.empty()) throw Error(ExitCode::bug, "a sandbox without a root");

  Fd socket = helper.start_container(
      encode_request({with_absolute_paths(setup), rootless, rootless && rung.subordinate_ids}));
  const auto packet = receive_packet(socket.get());
  if (!packet) throw Error(ExitCode::unavailable, "the sandbox ended before it began");
  if (packet->kind != Kind::ready) throw decode_error(packet->payload).within("sandbox");
  return std::make_unique<NamespaceSandbox>(std::move(socket),
                                            rootless ? "namespaces (rootless)" : "namespaces (root)",
                                            setup.network == Network::none);
}

}  // namespace cib::sandbox
