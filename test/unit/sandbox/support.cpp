#include "support.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <map>

namespace cib::sandbox::testing {

void make_root(const fs::path& folder) {
  for (const char* name : {"bin", "etc", "usr", "work", "home"}) make_folders(folder / name);
  for (const auto& [from, to] : {std::pair("/bin/busybox", "bin/busybox"), std::pair("/bin/bash-static", "bin/bash")}) {
    fs::copy_file(from, folder / to);
    fs::permissions(folder / to, fs::perms(0755));
  }
  for (const char* applet : {"sh", "cat", "ls", "id", "env", "ps", "mkdir", "rm", "ln", "touch", "stat", "head", "sleep",
                             "setsid", "mount", "umount", "unshare", "hostname", "mkfifo", "readlink", "chroot",
                             "grep", "wc", "ip", "nslookup", "mv", "kill", "tr", "cut", "true", "pwd"}) {
    fs::create_symlink("busybox", folder / "bin" / applet);
  }
  write_file(folder / "etc/passwd", fmt::format("root:x:0:0::/:/bin/sh\ncnb:x:{}:{}::/home:/bin/sh\n", cnb_uid, cnb_gid));
}

store::RootTree make_tree(const fs::path& folder, bool overlay, bool user_xattr) {
  store::RootTree tree;
  tree.user_xattr = user_xattr;
  if (!overlay) {
    tree.flat = folder / "flat";
    make_root(tree.flat);
    write_file(tree.flat / "which", "top\n");
    return tree;
  }
  make_root(folder / "bottom");
  write_file(folder / "bottom/which", "bottom\n");
  make_folders(folder / "top");
  write_file(folder / "top/which", "top\n");
  tree.lowers = {folder / "top", folder / "bottom"};
  tree.upper = folder / "upper";
  tree.work = folder / "work";
  tree.mount_point = folder / "root";
  for (const fs::path* path : {&tree.upper, &tree.work, &tree.mount_point}) make_folders(*path);
  return tree;
}

Outcome run(Sandbox& sandbox, const Process& process, std::stop_token stop) {
  Outcome outcome;
  outcome.exit = sandbox.run(process, [&](std::string_view text) { outcome.output += text; }, stop);
  return outcome;
}

Outcome shell(Sandbox& sandbox, const std::string& script) {
  return run(sandbox, {{"/bin/sh", "-c", script}, {"PATH=/bin"}, "/"});
}

std::vector<pid_t> processes_with(const std::string& text) {
  std::vector<pid_t> found;
  for (const FolderEntry& entry : list_folder("/proc")) {
    const pid_t pid = std::atoi(entry.name.c_str());
    if (pid <= 0 || pid == getpid()) continue;
    try {
      const auto line = read_file_if_exists(fmt::format("/proc/{}/cmdline", pid));
      if (line && line->find(text) != std::string::npos) found.push_back(pid);
    } catch (const Error&) {
      // It ended while we looked.
    }
  }
  return found;
}

std::string way_name(const ::testing::TestParamInfo<Way>& info) {
  return fmt::format("{}_{}", info.param.kind == Rung::Kind::namespaces_root ? "root" : "rootless",
                     info.param.overlay ? "overlay" : "flat");
}

void InRoot::SetUp() {
  static std::map<Rung::Kind, ProbeResult> known;
  const auto [place, is_new] = known.try_emplace(GetParam().kind);
  if (is_new) place->second = try_rungs(helper(), GetParam().kind, fs::temp_directory_path());
  const ProbeResult& result = place->second;
  if (!result.rung) GTEST_SKIP() << result.attempts.front().reason;
  m_rung = *result.rung;
  if (GetParam().overlay && !m_rung.overlay) GTEST_SKIP() << result.attempts.front().reason;
  m_tree = make_tree(m_folder.path(), GetParam().overlay, rootless());
}

sandbox::Setup InRoot::setup() const {
  sandbox::Setup setup;
  setup.root = m_tree;
  setup.uid = cnb_uid;
  setup.gid = cnb_gid;
  return setup;
}

fs::path InRoot::writable_folder(const std::string& name) const {
  fs::path path = m_folder.path() / name;
  make_folders(path);
  if (!rootless()) change_owner(path, cnb_uid, cnb_gid);
  return path;
}

fs::path InRoot::written(const std::string& path) const {
  return (GetParam().overlay ? m_tree.upper : m_tree.flat) / path;
}

Outcome run_role(const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  Fd reading(ends[0]);
  Fd writing(ends[1]);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(writing.get(), STDOUT_FILENO);
    std::vector<char*> argv{const_cast<char*>("test_sandbox")};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  writing.reset();
  Outcome outcome;
  std::array<char, 4096> buffer{};
  ssize_t size = 0;
  while ((size = read(reading.get(), buffer.data(), buffer.size())) > 0)
    outcome.output.append(buffer.data(), static_cast<std::size_t>(size));
  int status = 0;
  waitpid(pid, &status, 0);
  outcome.exit.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

}  // namespace cib::sandbox::testing
