#include "sandbox/container.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "sandbox/mounts.hpp"
#include "sandbox/process.hpp"
#include "sandbox/syscall_filter.hpp"
#include "sandbox/user_map.hpp"
#include "sandbox/wire.hpp"

namespace cib::sandbox {

namespace {

std::vector<std::string> to_texts(const std::vector<fs::path>& paths) {
  return {paths.begin(), paths.end()};
}

bool is_tmp(std::string_view target) {
  while (target.ends_with('/')) target.remove_suffix(1);
  return target == "/tmp";
}

// A network namespace starts with its loopback down, on which tests of applications like to listen.
void bring_loopback_up() {
  const Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!fd || ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) throw system_error(errno, "loopback interface");
}

void enter_namespaces(const ContainerRequest& request) {
  const Setup& setup = request.setup;
  if (request.user_namespace) enter_user_namespace(setup.uid, setup.gid, request.subordinate_ids);
  if (unshare(CLONE_NEWNS) != 0) throw system_error(errno, "unshare(mount namespace)");
  if (unshare(CLONE_NEWIPC | CLONE_NEWUTS) != 0) throw system_error(errno, "unshare(ipc and uts namespaces)");
  if (setup.network == Network::none) {
    if (unshare(CLONE_NEWNET) != 0) throw system_error(errno, "unshare(network namespace)");
    bring_loopback_up();
  }
  if (sethostname(setup.hostname.data(), setup.hostname.size()) != 0) throw system_error(errno, "sethostname");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) throw system_error(errno, "mount(private)");
}

Fd mount_everything(const Setup& setup) {
  Fd root = mount_root(setup.root);
  const bool own_tmp = std::ranges::none_of(setup.mounts, [](const Mount& mount) { return is_tmp(mount.target); });
  mount_system(root.get(), setup.hostname, own_tmp);
  for (const Mount& mount : setup.mounts) {
    bind_into(root.get(), mount.source, mount.target, mount.read_only);
    if (is_tmp(mount.target) && !mount.read_only) {
      const Fd tmp(openat(make_target(root.get(), "/tmp", true).get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!tmp || fchmod(tmp.get(), 01777) != 0) throw system_error(errno, "/tmp");
    }
  }
  return root;
}

void serve(const Fd& socket, const Surroundings& surroundings) {
  std::signal(SIGCHLD, SIG_IGN);  // runners report to the program themselves
  const pid_t self = getpid();
  while (auto packet = receive_packet(socket.get())) {
    if (packet->kind != Kind::run || packet->fds.size() != 2) continue;
    RunRequest request{std::move(packet->fds[0]), std::move(packet->fds[1]), std::move(packet->payload)};
    const pid_t runner = fork();
    if (runner == 0) {
      close(socket.get());
      run_process(surroundings, std::move(request), self);
    }
    if (runner < 0) send_packet(request.control.get(), Kind::failed, encode_error(system_error(errno, "fork")));
  }
}

}  // namespace

std::string encode_request(const ContainerRequest& request) {
  const Setup& setup = request.setup;
  Writer writer;
  writer.texts(to_texts(setup.root.lowers))
      .text(setup.root.upper.native())
      .text(setup.root.work.native())
      .text(setup.root.flat.native())
      .text(setup.root.mount_point.native())
      .number(setup.root.user_xattr ? 1 : 0)
      .number(setup.uid)
      .number(setup.gid)
      .number(setup.network == Network::none ? 1 : 0)
      .text(setup.hostname)
      .number(request.user_namespace ? 1 : 0)
      .number(request.subordinate_ids ? 1 : 0)
      .number(setup.mounts.size());
  for (const Mount& mount : setup.mounts)
    writer.text(mount.source.native()).text(mount.target).number(mount.read_only ? 1 : 0);
  return writer.payload();
}

ContainerRequest decode_request(std::string_view payload) {
  Reader reader(payload);
  ContainerRequest request;
  Setup& setup = request.setup;
  for (std::string& lower : reader.texts()) setup.root.lowers.emplace_back(std::move(lower));
  setup.root.upper = reader.text();
  setup.root.work = reader.text();
  setup.root.flat = reader.text();
  setup.root.mount_point = reader.text();
  setup.root.user_xattr = reader.number() != 0;
  setup.uid = static_cast<uid_t>(reader.number());
  setup.gid = static_cast<gid_t>(reader.number());
  setup.network = reader.number() != 0 ? Network::none : Network::host;
  setup.hostname = reader.text();
  request.user_namespace = reader.number() != 0;
  request.subordinate_ids = reader.number() != 0;
  for (std::uint64_t count = reader.number(); count > 0; --count) {
    Mount mount;
    mount.source = reader.text();
    mount.target = reader.text();
    mount.read_only = reader.number() != 0;
    setup.mounts.push_back(std::move(mount));
  }
  return request;
}

void run_container(Fd socket, std::string_view payload, pid_t helper) {
  try {
    die_with(helper);
    std::signal(SIGCHLD, SIG_DFL);
    const ContainerRequest request = decode_request(payload);
    enter_namespaces(request);
    die_with(helper);  // entering a user namespace may have forgotten it
    const Fd root = mount_everything(request.setup);
    const Surroundings surroundings{root.get(), request.setup.uid, request.setup.gid,
                                    !request.user_namespace || request.subordinate_ids, make_syscall_filter()};
    send_packet(socket.get(), Kind::ready);
    serve(socket, surroundings);
    // The program waits for the end of this socket, and counts on the mounts being gone by then.
    while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
    if (fchdir(root.get()) == 0) umount2(".", MNT_DETACH);
  } catch (const Error& error) {
    try {
      send_packet(socket.get(), Kind::failed, encode_error(error));
    } catch (const Error&) {
      _exit(1);  // nobody is left to tell
    }
  } catch (const std::exception&) {
    _exit(1);
  }
  _exit(0);
}

}  // namespace cib::sandbox
