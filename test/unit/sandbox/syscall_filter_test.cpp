#include "sandbox/syscall_filter.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>

namespace cib::sandbox {
namespace {

// What the body returns (0 to 255) in a child under the filter.
int under_filter(const std::function<int()>& body) {
  const auto filter = make_syscall_filter();
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    load_syscall_filter(filter);
    _exit(body());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// The errno of a system call that must fail, 0 when it did not.
template <class... Arguments>
int failure_of(long number, Arguments... arguments) {
  return syscall(number, arguments...) < 0 ? errno : 0;
}

TEST(SyscallFilter, refuses_mounts_namespaces_and_the_kernels_doors) {
  for (const long number : {SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, SYS_bpf,
                            SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot,
                            SYS_perf_event_open, SYS_userfaultfd, SYS_keyctl, SYS_add_key, SYS_request_key,
                            SYS_open_by_handle_at, SYS_swapon, SYS_io_uring_setup, SYS_fsopen, SYS_fsmount,
                            SYS_move_mount, SYS_open_tree, SYS_mount_setattr, SYS_clock_settime}) {
    EXPECT_EQ(under_filter([&] { return failure_of(number, 0, 0, 0, 0, 0, 0); }), EPERM) << number;
  }
}

TEST(SyscallFilter, refuses_clone_with_namespaces_but_no_other_clone) {
  EXPECT_EQ(under_filter([] { return failure_of(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(under_filter([] { return failure_of(SYS_clone, CLONE_NEWNET | CLONE_VM | SIGCHLD, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(under_filter([] {
              const pid_t child = fork();
              if (child == 0) _exit(7);
              int status = 0;
              waitpid(child, &status, 0);
              return WEXITSTATUS(status);
            }),
            7);
}

TEST(SyscallFilter, makes_the_c_library_fall_back_from_clone3) {
  EXPECT_EQ(under_filter([] { return failure_of(SYS_clone3, 0, 0); }), ENOSYS);
}

TEST(SyscallFilter, allows_ordinary_sockets_only) {
  EXPECT_EQ(under_filter([] { return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0; }), 0);
  EXPECT_EQ(under_filter([] { return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? errno : 0; }), 0);
  EXPECT_EQ(under_filter([] { return socket(AF_VSOCK, SOCK_STREAM, 0) < 0 ? errno : 0; }), EPERM);
  EXPECT_EQ(under_filter([] { return socket(AF_ALG, SOCK_SEQPACKET, 0) < 0 ? errno : 0; }), EPERM);
}

#ifdef __x86_64__
// A system call as a 32-bit program makes it: another table of numbers, other rules.
int narrow_call(long number, long first, long second) {
  long result = number;
  asm volatile("int $0x80" : "+a"(result) : "b"(first), "c"(second), "d"(0L), "S"(0L), "D"(0L) : "memory");
  return static_cast<int>(result);
}

TEST(SyscallFilter, holds_for_32_bit_calls_too) {
  constexpr long getpid_32 = 20;
  if (narrow_call(getpid_32, 0, 0) != getpid()) GTEST_SKIP() << "this kernel runs no 32-bit programs";
  constexpr long mount_32 = 21;
  constexpr long unshare_32 = 310;
  constexpr long clone_32 = 120;
  EXPECT_EQ(under_filter([] { return -narrow_call(mount_32, 0, 0); }), EPERM);
  EXPECT_EQ(under_filter([] { return -narrow_call(unshare_32, CLONE_NEWUSER, 0); }), EPERM);
  EXPECT_EQ(under_filter([] { return -narrow_call(clone_32, CLONE_NEWUSER | SIGCHLD, 0); }), EPERM);
}

TEST(SyscallFilter, leaves_the_sockets_of_32_bit_programs_alone) {
  constexpr long getpid_32 = 20;
  if (narrow_call(getpid_32, 0, 0) != getpid()) GTEST_SKIP() << "this kernel runs no 32-bit programs";
  constexpr long socketcall_32 = 102;
  constexpr long sys_socket = 1;
  auto* arguments = static_cast<unsigned*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
  ASSERT_NE(arguments, MAP_FAILED);
  arguments[0] = AF_INET;
  arguments[1] = SOCK_STREAM;
  EXPECT_EQ(under_filter([&] {
              return narrow_call(socketcall_32, sys_socket, static_cast<long>(reinterpret_cast<std::uintptr_t>(arguments))) < 0;
            }),
            0);
  munmap(arguments, 4096);
}

TEST(SyscallFilter, holds_for_the_x32_numbers_too) {
  constexpr long x32 = 0x40000000;
  EXPECT_NE(under_filter([] { return failure_of(x32 | SYS_mount, 0, 0, 0, 0, 0); }), 0);
  EXPECT_NE(under_filter([] { return failure_of(x32 | SYS_unshare, CLONE_NEWUSER); }), 0);
}
#endif

}  // namespace
}  // namespace cib::sandbox
