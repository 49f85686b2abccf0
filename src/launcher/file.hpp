// Reading files and folders of an image with plain system calls. Every descriptor opened here is close-on-exec.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace cib::launcher {

// An owned descriptor; -1 is none.
class Fd {
 public:
  explicit Fd(int fd = -1) : m_fd(fd) {}
  Fd(Fd&& other) noexcept : m_fd(other.m_fd) { other.m_fd = -1; }
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }
  int get() const { return m_fd; }
  int release() {
    const int fd = m_fd;
    m_fd = -1;
    return fd;
  }
  void reset();

 private:
  int m_fd;
};

// Everything up to the end. Throws Failure naming `name` on an error or when there are more than `limit` bytes.
std::string read_all(int fd, const std::string& name, std::size_t limit);

// The whole file; nothing when it is missing. Throws Failure (82) when it is no regular file, unreadable, or
// longer than `limit`.
std::optional<std::string> read_file_if_exists(const std::string& path, std::size_t limit);

// True for a folder, and for a link to one. Throws Failure when that cannot be found out.
bool is_folder(const std::string& path);
// True for anything that exists and is no folder, following links.
bool is_file(const std::string& path);

enum class Listed {
  folders,  // not links to folders: a layer is a folder of its own
  files,    // everything that is no folder, following links: helpers in exec.d often are links
};

// The names in a folder, sorted bytewise; none when there is no such folder.
std::vector<std::string> list_folder(const std::string& path, Listed listed);

}  // namespace cib::launcher
