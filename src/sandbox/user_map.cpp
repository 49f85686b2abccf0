#include "sandbox/user_map.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>

#include "base/error.hpp"
#include "base/file.hpp"

namespace cib::sandbox {

namespace {

std::optional<std::uint32_t> to_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string user_name(uid_t uid) {
  std::array<char, 16 << 10> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return {};
  return found->pw_name;
}

// The program's path is fixed: the helper has no PATH, and a set-user-id program is not looked for in folders that
// a user can name.
std::string find_program(std::string_view name) {
  for (const std::string_view folder : {"/usr/bin", "/bin", "/usr/sbin", "/usr/local/bin", "/run/wrappers/bin"}) {
    std::string path = fmt::format("{}/{}", folder, name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  throw Error(ExitCode::configuration, fmt::format("{} is not installed", name));
}

std::vector<std::string> command_line(std::string program, pid_t pid, const std::vector<IdMapping>& map) {
  std::vector<std::string> words{std::move(program), std::to_string(pid)};
  for (const IdMapping& line : map)
    for (const std::uint32_t number : {line.inside, line.outside, line.count}) words.push_back(std::to_string(number));
  return words;
}

// Runs a program with an empty environment and waits; what it prints goes to `output`. Returns its exit code.
int run_program(const std::vector<std::string>& words, int output) {
  const pid_t child = fork();
  if (child < 0) return 127;
  if (child == 0) {
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    char* const environment[] = {nullptr};
    execve(argv[0], argv.data(), environment);
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

void write_own_map(const char* file, const std::string& text) {
  const Fd fd(open(file, O_WRONLY | O_CLOEXEC));
  if (!fd || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw system_error(errno, fmt::format("writing {}", file));
}

void unshare_user() {
  if (unshare(CLONE_NEWUSER) != 0) throw system_error(errno, "unshare(user namespace)");
  // The maps in /proc belong to us only while we are dumpable.
  prctl(PR_SET_DUMPABLE, 1);
}

// newuidmap must run outside of the new namespace, so a child that stays there calls it for us.
class Mapper {
 public:
  Mapper(const std::vector<std::string>& uids, const std::vector<std::string>& gids) {
    std::array<int, 2> begin{};
    std::array<int, 2> said{};
    if (pipe2(begin.data(), O_CLOEXEC) != 0) throw system_error(errno, "pipe");
    m_begin = Fd(begin[1]);
    const Fd wait(begin[0]);
    if (pipe2(said.data(), O_CLOEXEC) != 0) throw system_error(errno, "pipe");
    m_said = Fd(said[0]);
    const Fd say(said[1]);
    m_pid = fork();
    if (m_pid < 0) throw system_error(errno, "fork");
    if (m_pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      m_begin.reset();
      char byte = 0;
      if (read(wait.get(), &byte, 1) != 1) _exit(1);
      int code = run_program(uids, say.get());
      if (code == 0) code = run_program(gids, say.get());
      _exit(code);
    }
  }

  void map() {
    if (write(m_begin.get(), "x", 1) != 1) throw system_error(errno, "newuidmap");
    std::string said;
    std::array<char, 512> buffer{};
    ssize_t got = 0;
    while ((got = read(m_said.get(), buffer.data(), buffer.size())) != 0) {
      if (got < 0 && errno != EINTR) break;
      if (got > 0 && said.size() < 4096) said.append(buffer.data(), static_cast<std::size_t>(got));
    }
    int status = 0;
    while (waitpid(m_pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (status == 0) return;
    while (!said.empty() && said.back() == '\n') said.pop_back();
    throw Error(ExitCode::configuration, said.empty() ? "newuidmap failed" : said);
  }

 private:
  Fd m_begin;
  Fd m_said;
  pid_t m_pid = -1;
};

}  // namespace

std::optional<IdRange> subordinate_range(std::string_view text, std::string_view user_name, uid_t user_id) {
  std::optional<IdRange> best;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));

    const std::size_t first_colon = line.find(':');
    const std::size_t second_colon = line.find(':', first_colon + 1);
    if (first_colon == std::string_view::npos || second_colon == std::string_view::npos) continue;
    const std::string_view owner = line.substr(0, first_colon);
    const auto first = to_number(line.substr(first_colon + 1, second_colon - first_colon - 1));
    const auto count = to_number(line.substr(second_colon + 1));
    if (!first || !count || *count == 0) continue;
    if ((user_name.empty() || owner != user_name) && to_number(owner) != user_id) continue;
    if (!best || *count > best->count) best = IdRange{*first, *count};
  }
  return best;
}

std::vector<IdMapping> id_map(std::uint32_t inside, std::uint32_t outside, std::optional<IdRange> around) {
  std::vector<IdMapping> map;
  if (!around) return {{inside, outside, 1}};
  const std::uint32_t below = std::min(inside, around->count);
  if (below > 0) map.push_back({0, around->first, below});
  map.push_back({inside, outside, 1});
  if (around->count > below) map.push_back({inside + 1, around->first + below, around->count - below});
  return map;
}

void enter_user_namespace(uid_t uid, gid_t gid, bool subordinate_ids) {
  const uid_t own_uid = geteuid();
  const gid_t own_gid = getegid();
  // Possible only for root, and impossible for everybody once setgroups is denied.
  (void)setgroups(0, nullptr);

  if (subordinate_ids) {
    const std::string name = user_name(own_uid);
    const auto uids = subordinate_range(read_file_if_exists("/etc/subuid").value_or(""), name, own_uid);
    const auto gids = subordinate_range(read_file_if_exists("/etc/subgid").value_or(""), name, own_uid);
    if (!uids || !gids) {
      throw Error(ExitCode::configuration,
                  fmt::format("{} grants no ids to {}", uids ? "/etc/subgid" : "/etc/subuid",
                              name.empty() ? fmt::format("user {}", own_uid) : name));
    }
    const pid_t self = getpid();
    Mapper mapper(command_line(find_program("newuidmap"), self, id_map(uid, own_uid, uids)),
                  command_line(find_program("newgidmap"), self, id_map(gid, own_gid, gids)));
    unshare_user();
    mapper.map();
    if (setgroups(0, nullptr) != 0) throw system_error(errno, "setgroups");
  } else {
    unshare_user();
    write_own_map("/proc/self/setgroups", "deny");
    write_own_map("/proc/self/gid_map", fmt::format("{} {} 1\n", gid, own_gid));
    write_own_map("/proc/self/uid_map", fmt::format("{} {} 1\n", uid, own_uid));
  }
  prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace cib::sandbox
