#include "store/contained_tree.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <deque>
#include <vector>

#include "base/error.hpp"
#include "store/entry_name.hpp"

namespace cib::store {

namespace {

// Enough for archives that are sorted by folder; few enough for a descriptor limit of 1,024.
constexpr std::size_t max_open_folders = 128;
constexpr int max_links = 40;  // the kernel's own limit

std::string read_link(int parent, const std::string& name, const std::string& path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t size = ::readlinkat(parent, name.c_str(), target.data(), target.size());
  if (size < 0) throw system_error(errno, quote_name(path));
  target.resize(static_cast<std::size_t>(size));
  return target;
}

}  // namespace

int open_beneath(int root, const char* path, int flags) {
  static std::atomic<bool> missing = false;
  if (missing.load(std::memory_order_relaxed)) {
    errno = ENOSYS;
    return -1;
  }
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno == EAGAIN || errno == EINTR) continue;  // a rename happened meanwhile
    // EPERM is what seccomp filters older than the system call answer; the kernel itself never does for folders.
    if (errno == ENOSYS || errno == EPERM) {
      missing = true;
      errno = ENOSYS;
    }
    return -1;
  }
}

ContainedTree::ContainedTree(const fs::path& root, Links links, Way& way)
    : m_path(root), m_links(links), m_way(way) {
  m_root = std::make_shared<Folder>(Folder{open_file(root, O_PATH | O_DIRECTORY), ""});
}

std::shared_ptr<const ContainedTree::Folder> ContainedTree::folder(std::string_view path) {
  if (path.empty()) return m_root;
  if (m_last && m_last_name == path) return m_last;
  std::string key(path);
  auto found = m_open.find(key);
  if (found == m_open.end()) {
    std::shared_ptr<const Folder> opened;
    Fd fd(open_beneath(m_root->fd.get(), key.c_str(), O_PATH | O_DIRECTORY));
    if (fd)
      opened = std::make_shared<Folder>(Folder{std::move(fd), key});
    else
      opened = walk(path);
    if (m_open.size() >= max_open_folders) m_open.clear();
    found = m_open.emplace(key, std::move(opened)).first;
  }
  m_last = found->second;
  m_last_name = std::move(key);
  return m_last;
}

std::shared_ptr<const ContainedTree::Folder> ContainedTree::walk(std::string_view path) {
  std::vector<std::shared_ptr<const Folder>> way{m_root};
  std::deque<std::string> left;
  for (auto& part : split_path(path)) left.push_back(std::move(part));
  int links = 0;
  while (!left.empty()) {
    const std::string name = std::move(left.front());
    left.pop_front();
    if (name == "..") {  // only a link's target can say so
      if (way.size() > 1)
        way.pop_back();
      else if (m_links != Links::inside_clamp)
        throw Error(ExitCode::configuration, fmt::format("entry below {}: a link on the way leads out of the root", quote_name(path)));
      continue;
    }
    const int parent = way.back()->fd.get();
    const std::string here = join_name(way.back()->path, name);
    bool made = false;
    for (;;) {
      Fd fd(::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (fd) {
        way.push_back(std::make_shared<Folder>(Folder{std::move(fd), here}));
        if (way.size() > max_entry_depth + 1)
          throw Error(ExitCode::configuration, fmt::format("{}: more than {} folders deep", quote_name(path), max_entry_depth));
        break;
      }
      if (made || (errno != ENOENT && errno != ENOTDIR && errno != ELOOP))
        throw system_error(errno, quote_name(here), ExitCode::configuration);
      if (errno == ENOENT) {
        m_way.missing(parent, name, here);
        made = true;
        continue;
      }
      struct stat info;
      if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) throw system_error(errno, quote_name(here));
      if (!S_ISLNK(info.st_mode)) {
        m_way.obstacle(parent, name, here);
        made = true;
        continue;
      }
      if (m_links == Links::refuse)
        throw Error(ExitCode::configuration, fmt::format("entry below {}: {} is a symbolic link", quote_name(path), quote_name(here)));
      if (++links > max_links)
        throw Error(ExitCode::configuration, fmt::format("entry below {}: too many symbolic links on the way", quote_name(path)));
      const std::string target = read_link(parent, name, here);
      if (target.starts_with('/')) way.resize(1);
      const auto parts = split_path(target);
      left.insert(left.begin(), parts.begin(), parts.end());
      break;
    }
  }
  return way.back();
}

Fd ContainedTree::open_folder(const std::string& path) const {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  if (path.empty()) return Fd(::openat(m_root->fd.get(), ".", flags));
  Fd fd(open_beneath(m_root->fd.get(), path.c_str(), flags));
  if (fd || errno != ENOSYS) return fd;
  for (const auto& part : split_path(path)) {
    Fd next(::openat(fd ? fd.get() : m_root->fd.get(), part.c_str(), flags));
    if (!next) return next;
    fd = std::move(next);
  }
  return fd;
}

}  // namespace cib::store
