// What a process inside sees and may do.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <thread>

#include "support.hpp"

namespace cib::sandbox::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Inside : public InRoot {};
INSTANTIATE_TEST_SUITE_P(, Inside, all_ways, way_name);

TEST_P(Inside, sees_only_the_given_environment) {
  const auto sandbox = make();
  EXPECT_EQ(run(*sandbox, {{"/bin/busybox", "env"}, {"A=1", "B=two words"}, "/"}).output, "A=1\nB=two words\n");
}

TEST_P(Inside, sees_the_layers_from_the_top) {
  EXPECT_EQ(shell(*make(), "cat /which").output, "top\n");
}

TEST_P(Inside, reports_exit_codes_and_signals) {
  const auto sandbox = make();
  EXPECT_EQ(shell(*sandbox, "exit 0").exit.code, 0);
  EXPECT_EQ(shell(*sandbox, "exit 217").exit.code, 217);
  const Exit exit = shell(*sandbox, "kill -SEGV $$").exit;
  EXPECT_EQ(exit.code, -1);
  EXPECT_EQ(exit.signal, SIGSEGV);
  EXPECT_TRUE(exit.started);
}

TEST_P(Inside, works_in_the_given_folder) {
  EXPECT_EQ(run(*make(), {{"/bin/sh", "-c", "/bin/pwd"}, {}, "/home"}).output, "/home\n");
}

TEST_P(Inside, is_the_given_user_without_other_groups) {
  const std::string output = shell(*make(), "id -u; id -g; umask; grep ^Groups: /proc/self/status").output;
  // Groups that an ordinary user cannot give up have no name inside.
  EXPECT_THAT(output, ::testing::MatchesRegex(
                          fmt::format("{}\n{}\n0022\nGroups:\t(65534 )* *\n", cnb_uid, cnb_gid)));
}

TEST_P(Inside, has_no_privileges_and_gets_none) {
  const std::string status = shell(*make(), "cat /proc/self/status").output;
  for (const char* name : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    EXPECT_THAT(status, HasSubstr(fmt::format("{}:\t0000000000000000\n", name)));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2\n"));
}

TEST_P(Inside, has_pid_1_and_only_its_own_processes) {
  const auto outcome = shell(*make(), "for p in /proc/[0-9]*; do echo $p; done | wc -l; echo $$");
  EXPECT_THAT(outcome.output, ::testing::MatchesRegex("[34]\n2\n"));  // init, the shell, its subshells
}

TEST_P(Inside, cannot_look_into_pid_1) {
  EXPECT_THAT(shell(*make(), "cat /proc/1/environ; ls /proc/1/fd").output, HasSubstr("Permission denied"));
}

TEST_P(Inside, has_process_substitution_and_device_files) {
  const auto sandbox = make();
  const auto bash = [&](const std::string& script) {
    return run(*sandbox, {{"/bin/bash", "-c", script}, {"PATH=/bin"}, "/"}).output;
  };
  EXPECT_EQ(bash("cat <(echo one) <(echo two)"), "one\ntwo\n");
  EXPECT_EQ(bash("head -c 3 /dev/zero | wc -c; head -c 9 /dev/urandom | wc -c; head -c 2 /dev/random | wc -c"),
            "3\n9\n2\n");
  EXPECT_EQ(bash("echo lost > /dev/null; echo x > /dev/full || echo full"),
            "/bin/bash: line 1: echo: write error: No space left on device\nfull\n");
  EXPECT_EQ(bash("echo err > /dev/stderr; echo out > /dev/stdout; echo tee >> /dev/fd/2"), "err\nout\ntee\n");
  EXPECT_EQ(bash("cat /dev/stdin; echo $?"), "0\n");
  EXPECT_EQ(bash("[ -c /dev/tty ] && [ -c /dev/ptmx ] && touch /dev/shm/x && echo yes"), "yes\n");
}

TEST_P(Inside, cannot_change_the_device_folder) {
  EXPECT_NE(shell(*make(), "touch /dev/x").exit.code, 0);
  EXPECT_NE(shell(*make(), "rm /dev/null").exit.code, 0);
}

TEST_P(Inside, has_only_standard_descriptors) {
  // The fourth is that of the folder being listed.
  EXPECT_EQ(shell(*make(), "exec ls /proc/self/fd").output, "0\n1\n2\n3\n");
  EXPECT_EQ(shell(*make(), "readlink /proc/self/fd/0").output, "/dev/null\n");
}

TEST_P(Inside, has_the_names_of_the_host) {
  const auto sandbox = make();
  EXPECT_EQ(shell(*sandbox, "cat /etc/resolv.conf").output, read_file("/etc/resolv.conf"));
  EXPECT_THAT(shell(*sandbox, "cat /etc/hosts").output, HasSubstr("\n127.0.1.1 build\n"));
  EXPECT_EQ(shell(*sandbox, "hostname").output, "build\n");
  EXPECT_NE(shell(*sandbox, "echo x >> /etc/hosts").exit.code, 0);
  EXPECT_NE(shell(*sandbox, "echo x >> /etc/resolv.conf").exit.code, 0);
}

TEST_P(Inside, does_not_see_the_host) {
  const std::string outside = m_folder.path() / "outside";
  write_file(outside, "secret");
  const auto sandbox = make();
  EXPECT_NE(shell(*sandbox, "cat " + outside).exit.code, 0);
  EXPECT_NE(shell(*sandbox, "cat /proc/1/root" + outside).exit.code, 0);
  EXPECT_THAT(shell(*sandbox, "cat /proc/self/mounts").output, Not(HasSubstr(m_folder.path().native())));
}

TEST_P(Inside, has_a_fresh_tmp_for_everybody) {
  const auto sandbox = make();
  EXPECT_EQ(shell(*sandbox, "stat -c %a /tmp; ls -A /tmp; echo x > /tmp/x && echo ok").output, "1777\nok\n");
  EXPECT_EQ(shell(*sandbox, "cat /tmp/x").output, "x\n");
  EXPECT_EQ(shell(*make(), "ls -A /tmp").output, "");
}

TEST_P(Inside, finds_kernel_settings_hidden_or_read_only) {
  const auto sandbox = make();
  EXPECT_THAT(shell(*sandbox, "cat /proc/self/mounts").output, HasSubstr(" /proc/sys proc ro,"));
  for (const char* path : {"/proc/timer_list", "/proc/keys", "/proc/kcore"}) {
    if (!fs::exists(path)) continue;
    EXPECT_EQ(shell(*sandbox, fmt::format("cat {}", path)).output, "") << path;
  }
  if (fs::exists("/sys/kernel")) {
    EXPECT_EQ(shell(*sandbox, "ls -d /sys/kernel").output, "/sys/kernel\n");
    EXPECT_THAT(shell(*sandbox, "grep ' /sys ' /proc/self/mounts").output, HasSubstr(" ro,"));
    EXPECT_EQ(shell(*sandbox, "ls -A /sys/firmware").output, "");
  }
}

TEST_P(Inside, cannot_mount_or_make_namespaces) {
  const auto sandbox = make();
  for (const char* command : {"mount -t tmpfs none /home", "umount /tmp", "mount -o remount,rw /dev", "unshare -U true",
                              "unshare -m true", "chroot / true"}) {
    const auto outcome = shell(*sandbox, command);
    EXPECT_NE(outcome.exit.code, 0) << command;
    EXPECT_THAT(outcome.output, AnyOf(HasSubstr("not permitted"), HasSubstr("denied"))) << command;
  }
}

TEST_P(Inside, writes_to_the_root_stay_and_belong_to_the_user) {
  if (!rootless()) change_owner(GetParam().overlay ? m_folder.path() / "bottom/work" : m_tree.flat / "work", cnb_uid, cnb_gid);
  const auto sandbox = make();
  EXPECT_EQ(shell(*sandbox, "echo kept > /work/file").exit.code, 0);
  EXPECT_EQ(shell(*sandbox, "cat /work/file").output, "kept\n");
  EXPECT_EQ(read_file(written("work/file")), "kept\n");
  struct stat info{};
  ASSERT_EQ(stat(written("work/file").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, rootless() ? geteuid() : cnb_uid);
  EXPECT_EQ(info.st_gid, rootless() ? getegid() : cnb_gid);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
}

TEST_P(Inside, removing_a_file_of_a_layer_leaves_a_whiteout_above_it) {
  if (!GetParam().overlay) GTEST_SKIP() << "a flat root has no layers";
  if (!rootless()) change_owner(m_folder.path() / "bottom/work", cnb_uid, cnb_gid);
  write_file(m_folder.path() / "bottom/work/gone", "");
  const auto sandbox = make();
  EXPECT_EQ(shell(*sandbox, "rm -f /work/gone; ls /work").output, "");
  struct stat info{};
  ASSERT_EQ(lstat(written("work/gone").c_str(), &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0));
}

TEST_P(Inside, passes_large_environments_and_long_output) {
  const auto sandbox = make();
  std::vector<std::string> env{"PATH=/bin"};
  for (int i = 0; i < 10; ++i) env.push_back(fmt::format("V{}={}", i, std::string(60'000, 'x')));
  EXPECT_EQ(run(*sandbox, {{"/bin/sh", "-c", "env | wc -c"}, env, "/"}).output.substr(0, 4), "6000");
  EXPECT_EQ(shell(*sandbox, "head -c 10485760 /dev/zero").output, std::string(10 << 20, '\0'));
}

TEST_P(Inside, mixes_output_and_errors_in_order) {
  EXPECT_EQ(shell(*make(), "echo 1; echo 2 >&2; echo 3").output, "1\n2\n3\n");
}

TEST_P(Inside, says_why_it_could_not_be_executed) {
  const auto write_script = [&](const char* name, const char* text, mode_t mode) {
    const fs::path folder = GetParam().overlay ? m_folder.path() / "bottom/bin" : m_tree.flat / "bin";
    write_file(folder / name, text, mode);
  };
  write_script("no-interpreter", "#!/nowhere/python\n", 0755);
  write_script("crlf", "#!/bin/sh\r\nexit 0\r\n", 0755);
  write_script("plain", "#!/bin/sh\n", 0644);
  write_script("garbage", "garbage", 0755);
  const auto sandbox = make();
  const auto error = [&](const Process& process) {
    const Outcome outcome = run(*sandbox, process);
    EXPECT_FALSE(outcome.exit.started);
    EXPECT_EQ(outcome.output, "");
    return outcome.exit.error;
  };
  EXPECT_EQ(error({{"/bin/none"}, {}, "/"}), "/bin/none: No such file or directory");
  EXPECT_EQ(error({{"/bin/no-interpreter"}, {}, "/"}),
            "/bin/no-interpreter: the interpreter of its first line (#!/nowhere/python) does not exist in the root");
  EXPECT_EQ(error({{"/bin/crlf"}, {}, "/"}), "/bin/crlf: its first line ends with a carriage return (CRLF)");
  EXPECT_EQ(error({{"/bin/plain"}, {}, "/"}), "/bin/plain: Permission denied");
  EXPECT_THAT(error({{"/bin/garbage"}, {}, "/"}), HasSubstr("neither a program of this machine nor a script"));
  EXPECT_EQ(error({{"/bin/sh"}, {}, "/not/there"}), "working directory /not/there: No such file or directory");
}

TEST_P(Inside, several_processes_run_at_the_same_time_in_one_sandbox) {
  const auto sandbox = make();
  ASSERT_EQ(shell(*sandbox, "mkfifo /tmp/there /tmp/back").exit.code, 0);
  std::string first;
  std::string second;
  {
    // Each waits for the other; neither could end alone.
    const std::jthread one([&] { first = shell(*sandbox, "echo ping > /tmp/there; cat /tmp/back").output; });
    const std::jthread two([&] { second = shell(*sandbox, "cat /tmp/there; echo pong > /tmp/back").output; });
  }
  EXPECT_EQ(first, "pong\n");
  EXPECT_EQ(second, "ping\n");
}

TEST_P(Inside, many_threads_can_start_processes) {
  const auto sandbox = make();
  std::vector<std::string> outputs(16);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < outputs.size(); ++i)
      threads.emplace_back([&, i] { outputs[i] = shell(*sandbox, fmt::format("echo {}", i)).output; });
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) EXPECT_EQ(outputs[i], fmt::format("{}\n", i));
}

TEST_P(Inside, without_network_only_the_loopback_is_there_and_works) {
  auto setup = this->setup();
  setup.network = Network::none;
  const auto sandbox = make(setup);
  EXPECT_TRUE(sandbox->blocks_metadata());
  EXPECT_EQ(shell(*sandbox, "cut -d: -f1 /proc/net/dev | grep -v '|' | tr -d ' ' | grep -vE '^(sit|tunl|gre|ip_|ip6|erspan|dummy)'").output,
            "lo\n");
  EXPECT_THAT(shell(*sandbox, "ip addr show lo").output, HasSubstr("127.0.0.1"));
  EXPECT_THAT(shell(*sandbox, "ip route").output, Not(HasSubstr("default")));
}

TEST_P(Inside, with_the_hosts_network_metadata_is_not_blocked) {
  const auto sandbox = make();
  EXPECT_FALSE(sandbox->blocks_metadata());
  const std::string names = shell(*sandbox, "cut -d: -f1 /proc/net/dev").output;
  for (const fs::directory_entry& entry : fs::directory_iterator("/sys/class/net"))
    if (entry.is_directory()) {
      EXPECT_THAT(names, HasSubstr(entry.path().filename().native()));
    }
}

}  // namespace
}  // namespace cib::sandbox::testing
