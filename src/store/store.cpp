#include "store/store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/error.hpp"

namespace cib::store {

namespace {

constexpr std::string_view version_text = "ci-image-builder store 1\n";
constexpr std::string_view version_start = "ci-image-builder store ";

bool is_same_folder(const Fd& fd, const fs::path& path) {
  struct stat opened, named;
  return ::fstat(fd.get(), &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

// True for a path below which we may make folders: the nearest one that exists is a folder we can write.
bool can_write_below(fs::path path) {
  while (!exists_no_follow(path) && path.has_parent_path() && path.parent_path() != path) path = path.parent_path();
  return fs::is_directory(path) && ::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
}

Error not_usable(Error error, const fs::path& root) {
  error.within(fmt::format("store {}", root.string()));
  if (error.next().empty() || error.code() == ExitCode::permission)
    error.next("name a folder that you can write with --store or CI_IMAGE_BUILDER_STORE");
  return error;
}

// The folder is a store, or empty (a new volume has a lost+found).
void check_contents(const fs::path& root) {
  const auto version = read_file_if_exists(root / "version", 4096);
  if (version) {
    if (*version == version_text) return;
    if (!version->starts_with(version_start))
      throw Error(ExitCode::configuration, "the folder is no store").why("its file 'version' says something else");
    throw Error(ExitCode::configuration, "the store was made by another version of this program")
        .next("name another folder with --store, or remove this one");
  }
  for (const auto& entry : list_folder(root))
    if (entry.name != "lost+found" && !entry.name.starts_with("version.partial-"))
      throw Error(ExitCode::configuration, "the folder is no store")
          .why(fmt::format("it holds '{}', but no file 'version'", entry.name))
          .next("name an empty folder, or one that does not exist");
}

}  // namespace

LockedFolder::LockedFolder(const fs::path& parent, std::string_view prefix) {
  for (;;) {
    std::string name = (parent / fmt::format("{}XXXXXX", prefix)).string();
    if (!::mkdtemp(name.data())) throw system_error(errno, name);
    Fd fd(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Somebody who opens the store right now may see the folder before it is locked, and remove it: then try again.
    if (!fd) {
      if (errno == ENOENT) continue;
      const int error = errno;
      ::rmdir(name.c_str());
      throw system_error(error, name);
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (!is_same_folder(fd, name)) continue;
    m_path = name;
    m_lock = std::move(fd);
    return;
  }
}

LockedFolder::LockedFolder(LockedFolder&& other) noexcept
    : m_path(std::move(other.m_path)), m_lock(std::move(other.m_lock)) {
  other.m_path.clear();
}

LockedFolder::~LockedFolder() {
  if (m_path.empty()) return;
  try {
    remove_tree(m_path);
  } catch (const std::exception&) {
    // Another failure may be on its way; the next run removes what is left.
  }
}

void LockedFolder::move_to(const fs::path& place) {
  if (::rename(m_path.c_str(), place.c_str()) != 0) throw system_error(errno, place.string());
  m_path.clear();
  m_lock.reset();
}

void LockedFolder::remove_abandoned(const fs::path& parent) {
  for (const auto& entry : list_folder(parent)) {
    const fs::path path = parent / entry.name;
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const Fd fd(::open(path.c_str(), flags));
    if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (fd && !is_same_folder(fd, path)) continue;
    try {
      remove_tree(path);
    } catch (const Error&) {
      // Files of other ids that a sandbox made, or somebody else removes it at this moment.
    }
  }
}

Store::Store(const fs::path& root) {
  std::error_code ignored;
  m_root = fs::weakly_canonical(root, ignored);
  if (ignored || root.empty())
    throw Error(ExitCode::configuration, fmt::format("store '{}': the path cannot be resolved", root.string()));
  try {
    if (fs::exists(m_root) && !fs::is_directory(m_root)) throw Error(ExitCode::configuration, "not a folder");
    if (m_root.has_parent_path()) make_folders(m_root.parent_path(), 0755);
    make_folders(m_root, 0700);
    struct stat info;
    if (::stat(m_root.c_str(), &info) != 0) throw system_error(errno, "the folder");
    if (info.st_uid != ::geteuid())
      throw Error(ExitCode::configuration, fmt::format("the folder belongs to uid {}, this program runs as uid {}",
                                                       info.st_uid, ::geteuid()))
          .next("name another folder with --store or CI_IMAGE_BUILDER_STORE");
    check_contents(m_root);
    if ((info.st_mode & 07777) != 0700 && ::chmod(m_root.c_str(), 0700) != 0) throw system_error(errno, "the folder");
    if (!exists_no_follow(m_root / "version")) write_file_atomically(m_root / "version", version_text);
    for (const auto& folder : {layers(), builds(), caches(), images(), builders(), temporary()}) make_folders(folder, 0700);
    LockedFolder::remove_abandoned(temporary());
    LockedFolder::remove_abandoned(builds());
  } catch (Error& error) {
    throw not_usable(std::move(error), m_root);
  } catch (const fs::filesystem_error& error) {
    throw not_usable(system_error(error.code().value(), "the folder", ExitCode::configuration), m_root);
  }
}

fs::path default_store_path() {
  const auto variable = [](const char* name) -> std::optional<fs::path> {
    const char* value = std::getenv(name);
    if (!value || !*value) return std::nullopt;
    return fs::path(value);
  };
  if (const auto store = variable("CI_IMAGE_BUILDER_STORE")) return fs::absolute(*store);
  // The XDG specification has relative paths ignored.
  if (const auto cache = variable("XDG_CACHE_HOME"); cache && cache->is_absolute() && can_write_below(*cache))
    return *cache / "ci-image-builder";
  if (const auto home = variable("HOME"); home && home->is_absolute() && can_write_below(*home / ".cache"))
    return *home / ".cache" / "ci-image-builder";
  return "/var/cache/ci-image-builder";
}

}  // namespace cib::store
