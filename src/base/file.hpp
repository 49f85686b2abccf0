// Files and folders: owned descriptors, whole-file reads, writes that appear complete or not at all,
// temporary folders, removal of trees. Nothing here depends on the process's umask.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.hpp"

namespace cib {

namespace fs = std::filesystem;

// An owned file descriptor; -1 is none.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : m_fd(fd) {}
  Fd(Fd&& other) noexcept : m_fd(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }

  int get() const { return m_fd; }
  explicit operator bool() const { return m_fd >= 0; }
  int release() {
    const int fd = m_fd;
    m_fd = -1;
    return fd;
  }
  void reset();

 private:
  int m_fd = -1;
};

// open(2) with O_CLOEXEC; throws system_error naming the path.
Fd open_file(const fs::path& path, int flags, mode_t mode = 0600);

// The same, but nothing when the path does not exist (ENOENT, ENOTDIR).
std::optional<Fd> open_if_exists(const fs::path& path, int flags);

class FileSource : public Source {
 public:
  explicit FileSource(const fs::path& path);
  FileSource(Fd fd, fs::path name) : m_fd(std::move(fd)), m_name(std::move(name)) {}
  std::size_t read(std::span<std::byte> buffer) override;

 private:
  Fd m_fd;
  fs::path m_name;
};

// Writes to a descriptor it does not own; errors name `name`.
class FdSink : public Sink {
 public:
  FdSink(int fd, fs::path name) : m_fd(fd), m_name(std::move(name)) {}
  void write(Bytes bytes) override;

 private:
  int m_fd;
  fs::path m_name;
};

// The whole file. Throws system_error (`otherwise` is the code of a missing file), and
// Error(configuration) when it is longer than `limit`.
std::string read_file(const fs::path& path, std::size_t limit = 64u << 20);

// Nothing when the file does not exist.
std::optional<std::string> read_file_if_exists(const fs::path& path, std::size_t limit = 64u << 20);

// Writes under a temporary name in the same folder, then renames: readers see the old file or the new one.
void write_file_atomically(const fs::path& path, std::string_view text, mode_t mode = 0644);

// Writes in place (creates or truncates), with exactly this mode.
void write_file(const fs::path& path, std::string_view text, mode_t mode = 0644);

// mkdir -p; folders that it makes have exactly this mode. Throws system_error.
void make_folders(const fs::path& path, mode_t mode = 0755);

// rm -rf that never follows links, makes unreadable folders readable first, and stays on the given
// tree: nothing below a mount point is touched (EBUSY). A missing path is fine. Throws system_error on the first entry
// that cannot be removed.
void remove_tree(const fs::path& path);

// chown -h of the whole tree, without following links. Throws system_error.
void change_owner(const fs::path& path, uid_t uid, gid_t gid);

bool exists_no_follow(const fs::path& path);

// The entries of a folder, sorted bytewise by name. Throws system_error.
struct FolderEntry {
  std::string name;
  unsigned char type;  // DT_*, never DT_UNKNOWN
};
std::vector<FolderEntry> list_folder(const fs::path& path);

// A folder of one's own under `parent`, removed with its contents at the end of the scope.
class TempFolder {
 public:
  explicit TempFolder(const fs::path& parent = fs::temp_directory_path(), std::string_view prefix = "cib-");
  TempFolder(TempFolder&& other) noexcept;
  TempFolder& operator=(TempFolder&&) = delete;
  ~TempFolder();
  const fs::path& path() const { return m_path; }
  // The folder stays; it is the caller's now.
  fs::path release();

 private:
  fs::path m_path;
};

// flock(2) on a file that is created when missing. Held until destroyed.
class FileLock {
 public:
  enum class Kind { shared, exclusive };
  // Waits for the lock.
  FileLock(const fs::path& path, Kind kind);
  // Nothing when somebody else holds it.
  static std::optional<FileLock> try_lock(const fs::path& path, Kind kind);

 private:
  explicit FileLock(Fd fd) : m_fd(std::move(fd)) {}
  Fd m_fd;
};

}  // namespace cib
