#include "oci/partial.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"

namespace cib::oci {

PartialFile::PartialFile(const fs::path& folder, std::string_view prefix) {
  std::string name = (folder / (std::string(prefix) + "XXXXXX")).string();
  m_fd = Fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!m_fd) throw system_error(errno, name, ExitCode::configuration);
  m_path = name;
  ::flock(m_fd.get(), LOCK_EX | LOCK_NB);
}

PartialFile::~PartialFile() {
  if (!m_path.empty()) ::unlink(m_path.c_str());
}

void PartialFile::rename_to(const fs::path& final_path) {
  if (::fchmod(m_fd.get(), 0644) != 0) throw system_error(errno, m_path.string());
  if (::rename(m_path.c_str(), final_path.c_str()) != 0) throw system_error(errno, final_path.string());
  m_path.clear();
}

PartialFolder::PartialFolder(const fs::path& parent, std::string_view prefix)
    : m_folder(parent, prefix), m_lock(open_file(m_folder.path(), O_RDONLY | O_DIRECTORY)) {
  ::flock(m_lock.get(), LOCK_EX | LOCK_NB);
}

void remove_stale_partials(const fs::path& folder, std::string_view prefix) {
  if (!fs::is_directory(folder)) return;
  for (const FolderEntry& entry : list_folder(folder)) {
    if (!entry.name.starts_with(prefix)) continue;
    const fs::path path = folder / entry.name;
    const Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
    if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    remove_tree(path);
  }
}

}  // namespace cib::oci
