#include "sandbox/syscall_filter.hpp"

#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"

namespace cib::sandbox {

namespace {

// Refused with EPERM. Names that this libseccomp or this architecture does not have are left out.
constexpr const char* refused[] = {
    // mounts and roots
    "mount", "umount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig", "fsmount", "fspick", "open_tree",
    "open_tree_attr", "move_mount", "mount_setattr",
    // namespaces
    "unshare", "setns",
    // the kernel itself
    "init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms", "kexec_load",
    "kexec_file_load", "reboot", "swapon", "swapoff", "bpf", "perf_event_open", "userfaultfd", "syslog",
    "lookup_dcookie", "iopl", "ioperm", "io_uring_setup", "io_uring_enter", "io_uring_register",
    // keys that are not bound to a namespace
    "add_key", "request_key", "keyctl",
    // the machine's state
    "acct", "quotactl", "quotactl_fd", "settimeofday", "stime", "clock_settime", "clock_settime64", "nfsservctl",
    "vhangup", "fanotify_init",
    // around the checks of paths
    "open_by_handle_at",
    // long dead
    "_sysctl", "sysfs", "uselib", "ustat", "vm86", "vm86old",
};

void check(int result, const char* what) {
  if (result < 0) throw system_error(-result, what);
}

void refuse(scmp_filter_ctx filter, const char* name, int error_number) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) return;
  check(seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<unsigned>(error_number)), number, 0), name);
}

void refuse_when(scmp_filter_ctx filter, const char* name, scmp_arg_cmp condition) {
  check(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(name), 1, &condition),
        name);
}

using Filter = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

Filter make_filter() {
  Filter filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  if (!filter) throw Error(ExitCode::bug, "the system call filter cannot be made");
  return filter;
}

void refuse_common(scmp_filter_ctx filter) {
  for (const char* name : refused) refuse(filter, name, EPERM);
  // Its flags are in memory where no filter can look; the C library falls back to clone.
  refuse(filter, "clone3", ENOSYS);
#if defined(__s390__) || defined(__s390x__)
  constexpr unsigned flags_argument = 1;
#else
  constexpr unsigned flags_argument = 0;
#endif
  for (const scmp_datum_t flag : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS,
                                  CLONE_NEWCGROUP}) {
    refuse_when(filter, "clone", SCMP_CMP(flags_argument, SCMP_CMP_MASKED_EQ, flag, flag));
  }
  // Typing into somebody else's terminal.
  for (const scmp_datum_t request : {TIOCSTI, TIOCLINUX})
    refuse_when(filter, "ioctl", SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xffffffffU, request));
}

// Address families that reach the hypervisor or rarely used kernel code.
void refuse_families(scmp_filter_ctx filter) {
  for (const scmp_datum_t family : {AF_VSOCK, AF_ALG})
    refuse_when(filter, "socket", SCMP_CMP(0, SCMP_CMP_EQ, family));
}

}  // namespace

std::vector<sock_filter> make_syscall_filter() {
  const Filter filter = make_filter();
  const std::uint32_t native = seccomp_arch_native();
  if (native == SCMP_ARCH_X86_64) check(seccomp_arch_add(filter.get(), SCMP_ARCH_X32), "seccomp_arch_add");
  refuse_common(filter.get());
  refuse_families(filter.get());

  // Old 32-bit programs make sockets through socketcall, whose arguments are out of the filter's sight: refusing
  // one family there would refuse them all.
  const std::uint32_t sibling = native == SCMP_ARCH_X86_64    ? SCMP_ARCH_X86
                                : native == SCMP_ARCH_AARCH64 ? SCMP_ARCH_ARM
                                                              : 0;
  if (sibling != 0) {
    Filter narrow = make_filter();
    check(seccomp_arch_add(narrow.get(), sibling), "seccomp_arch_add");
    check(seccomp_arch_remove(narrow.get(), native), "seccomp_arch_remove");
    refuse_common(narrow.get());
    if (sibling == SCMP_ARCH_ARM) refuse_families(narrow.get());  // it has no socketcall
    check(seccomp_merge(filter.get(), narrow.get()), "seccomp_merge");
    (void)narrow.release();  // the merged filter owns it now
  }

  const Fd file(memfd_create("filter", MFD_CLOEXEC));
  if (!file) throw system_error(errno, "memfd_create");
  check(seccomp_export_bpf(filter.get(), file.get()), "seccomp_export_bpf");
  struct stat info{};
  if (fstat(file.get(), &info) != 0) throw system_error(errno, "the system call filter");
  std::vector<sock_filter> program(static_cast<std::size_t>(info.st_size) / sizeof(sock_filter));
  if (pread(file.get(), program.data(), program.size() * sizeof(sock_filter), 0) != info.st_size)
    throw system_error(EIO, "the system call filter");
  return program;
}

void load_syscall_filter(const std::vector<sock_filter>& filter) {
  const sock_fprog program{static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
  // Without the flag, older kernels slow every process under a filter down.
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0) return;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) throw system_error(errno, "seccomp");
}

}  // namespace cib::sandbox
