// The helper, and what happens when the program that started it dies.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "support.hpp"

namespace cib::sandbox::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Setup setup_of(const fs::path& folder, const Rung& rung) {
  Setup setup;
  setup.root = make_tree(folder, rung.overlay, rung.kind == Rung::Kind::namespaces_rootless);
  setup.uid = cnb_uid;
  setup.gid = cnb_gid;
  return setup;
}

Rung::Kind kind_named(const std::string& name) {
  return name == "root" ? Rung::Kind::namespaces_root : Rung::Kind::namespaces_rootless;
}

// The program: runs a process that never ends, and says when it runs.
int be_victim(const std::string& kind, const fs::path& folder, const std::string& argument) {
  const auto helper = Helper::start();
  const auto rung = try_rungs(*helper, kind_named(kind), folder).rung;
  if (!rung) return 3;
  const auto sandbox = make_sandbox(*helper, *rung, setup_of(folder, *rung));
  const std::string script = fmt::format("setsid sleep {} & echo running; sleep {}", argument, argument);
  sandbox->run({{"/bin/sh", "-c", script}, {"PATH=/bin"}, "/"},
               [](std::string_view text) { (void)!write(STDOUT_FILENO, text.data(), text.size()); }, {});
  return 0;
}

// Kills the program above while it runs, and waits until the last of its processes is gone: as the subreaper of
// all of them it is told of each end.
int be_killer(const std::string& kind, const fs::path& folder, const std::string& argument) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  alarm(30);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return 1;
  const pid_t victim = fork();
  if (victim == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execl("/proc/self/exe", "test_sandbox", "--victim", kind.c_str(), folder.c_str(), argument.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::array<char, 64> buffer{};
  const ssize_t size = read(ends[0], buffer.data(), buffer.size());
  if (std::string_view(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0) != "running\n") return 3;
  kill(victim, SIGKILL);
  int ended = 0;
  while (waitpid(-1, nullptr, 0) > 0) ++ended;
  std::cout << ended << '\n';
  return ended >= 2 ? 0 : 4;
}

// An ordinary user to whom the machine grants subordinate ids; the files that say so are seen by this process only.
int be_user_with_subordinate_ids(const fs::path& folder) {
  constexpr uid_t user = 54321;
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 3;
  write_file(folder / "passwd", fmt::format("root:x:0:0::/:/bin/sh\nbuilder:x:{0}:{0}::/:/bin/sh\n", user));
  write_file(folder / "subid", "builder:200000:65536\n");
  for (const auto& [from, to] :
       {std::pair("passwd", "/etc/passwd"), std::pair("subid", "/etc/subuid"), std::pair("subid", "/etc/subgid")}) {
    if (mount((folder / from).c_str(), to, nullptr, MS_BIND, nullptr) != 0) return 4;
  }
  change_owner(folder, user, user);
  if (setgroups(0, nullptr) != 0 || setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0) return 5;
  const auto helper = Helper::start();
  const ProbeResult probed = try_rungs(*helper, Rung::Kind::namespaces_rootless, folder);
  if (!probed.rung || !probed.rung->subordinate_ids) {
    std::cout << probed.attempts.front().reason << '\n';
    return 6;
  }
  const auto sandbox = make_sandbox(*helper, *probed.rung, setup_of(folder, *probed.rung));
  std::cout << shell(*sandbox, "cat /proc/self/uid_map; id -u; id -g; touch /work/mine; stat -c %u /work/mine").output
            << std::flush;
  return 0;
}

// On a kernel without the newer system calls, as a filter plays it: the helper takes the filter along.
int be_on_an_old_kernel(const std::string& kind, const fs::path& folder) {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  for (const char* name : {"close_range", "mount_setattr", "fsopen", "fsconfig", "fsmount", "move_mount", "open_tree",
                           "openat2", "clone3", "pidfd_open"}) {
    seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name(name), 0);
  }
  if (seccomp_load(filter.get()) != 0) return 3;
  const auto helper = Helper::start();
  const auto rung = try_rungs(*helper, kind_named(kind), folder).rung;
  if (!rung) return 4;
  auto setup = setup_of(folder, *rung);
  // A mount below a mount, with a blank in its name, must become read-only too.
  const fs::path data = folder / "da ta";
  make_folders(data / "inner");
  write_file(data / "file", "read\n");
  chmod(data.c_str(), 0777);
  setup.mounts = {{data, "/da ta", true}};
  const auto sandbox = make_sandbox(*helper, *rung, setup);
  std::cout << (rung->overlay ? "overlay\n" : "flat\n")
            << shell(*sandbox, "cat '/da ta/file'; echo x > '/da ta/x' || echo no; ls /proc/self/fd; "
                               "echo x > /sys/kernel/x || echo no")
                   .output
            << std::flush;
  return 0;
}

std::vector<std::string> kinds_here() {
  return geteuid() == 0 ? std::vector<std::string>{"root", "rootless"} : std::vector<std::string>{"rootless"};
}

TEST(Lifetime, killing_the_program_ends_everything) {
  for (const std::string& kind : kinds_here()) {
    TempFolder folder;
    const std::string argument = fmt::format("9{}.125", getpid());
    const Outcome outcome = run_role({"--killer", kind, folder.path(), argument});
    if (outcome.exit.code == 3 && !try_rungs(helper(), kind_named(kind), folder.path()).rung) continue;
    EXPECT_EQ(outcome.exit.code, 0) << kind << ": " << outcome.output;
    EXPECT_TRUE(processes_with(argument).empty()) << kind;
    EXPECT_EQ(read_file("/proc/self/mounts").find(folder.path().native()), std::string::npos);
    EXPECT_NO_THROW(remove_tree(folder.path()));
    EXPECT_FALSE(exists_no_follow(folder.path()));
  }
}

TEST(Lifetime, subordinate_ids_surround_the_users_own) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  const TempFolder folder;
  const Outcome outcome = run_role({"--subordinate", folder.path()});
  ASSERT_EQ(outcome.exit.code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, ::testing::MatchesRegex(" +0 +200000 +1234\n +1234 +54321 +1\n +1235 +201234 +64302\n"
                                                      "1234\n1235\n1234\n"));
}

TEST(Lifetime, older_kernels_are_enough) {
  for (const std::string& kind : kinds_here()) {
    const TempFolder folder;
    if (!try_rungs(helper(), kind_named(kind), folder.path()).rung) continue;
    const Outcome outcome = run_role({"--old-kernel", kind, folder.path()});
    EXPECT_EQ(outcome.exit.code, 0) << kind << outcome.output;
    EXPECT_EQ(outcome.output,
              "overlay\nread\n/bin/sh: can't create /da ta/x: Read-only file system\nno\n0\n1\n2\n3\n"
              "/bin/sh: can't create /sys/kernel/x: Read-only file system\nno\n")
        << kind;
  }
}

TEST(Lifetime, the_helper_knows_no_secret) {
  // Only root may look at all.
  ASSERT_STREQ(getenv(secret_name), secret_value);
  const std::string path = fmt::format("/proc/{}/environ", helper().pid());
  if (geteuid() == 0) {
    EXPECT_EQ(read_file(path), "");
  } else {
    EXPECT_THROW(read_file(path), Error);
  }
}

TEST(Lifetime, the_helper_and_its_children_hold_no_foreign_descriptor) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to look into an undumpable process";
  const Fd open_here = open_file("/etc/passwd", O_RDONLY);
  const auto folder = list_folder(fmt::format("/proc/{}/fd", helper().pid()));
  ASSERT_EQ(folder.size(), 4u);
  for (const char* standard : {"0", "1", "2"})
    EXPECT_EQ(fs::read_symlink(fmt::format("/proc/{}/fd/{}", helper().pid(), standard)), "/dev/null");
  EXPECT_THAT(fs::read_symlink(fmt::format("/proc/{}/fd/3", helper().pid())).native(), HasSubstr("socket:"));
}

TEST(Lifetime, program_and_helper_are_undumpable) {
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 0);
  // An undumpable process's files in /proc are root's.
  struct stat info{};
  ASSERT_EQ(stat(fmt::format("/proc/{}/environ", helper().pid()).c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0u);
}

TEST(Lifetime, the_helper_has_one_thread) {
  EXPECT_EQ(list_folder(fmt::format("/proc/{}/task", helper().pid())).size(), 1u);
}

TEST(Lifetime, another_helper_comes_and_goes) {
  pid_t pid = 0;
  {
    const auto other = Helper::start();
    pid = other->pid();
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_NE(kill(pid, 0), 0);
}

}  // namespace

std::optional<int> maybe_role(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (words.size() == 4 && words[0] == "--victim") return be_victim(words[1], words[2], words[3]);
    if (words.size() == 4 && words[0] == "--killer") return be_killer(words[1], words[2], words[3]);
    if (words.size() == 3 && words[0] == "--old-kernel") return be_on_an_old_kernel(words[1], words[2]);
    if (words.size() == 2 && words[0] == "--subordinate") return be_user_with_subordinate_ids(words[1]);
  } catch (const std::exception& error) {
    std::cout << error.what() << std::endl;
    return 9;
  }
  return std::nullopt;
}

}  // namespace cib::sandbox::testing
