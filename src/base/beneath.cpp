#include "base/beneath.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace cib {

namespace {

// One component at a time, following no link: for kernels (or filters around us) without openat2.
int open_by_walking(int base, const fs::path& path, int flags) {
  Fd at(::openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const fs::path normal = path.lexically_normal();
  for (auto part = normal.begin(); at && part != normal.end(); ++part) {
    if (*part == ".." || part->is_absolute()) {
      errno = EXDEV;
      return -1;
    }
    const bool last = std::next(part) == normal.end();
    at = Fd(::openat(at.get(), part->c_str(), (last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC));
  }
  return at.release();
}

}  // namespace

std::optional<Fd> open_beneath(int base, const std::string& path, int flags, ExitCode code) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  long fd;
  do fd = ::syscall(SYS_openat2, base, path.c_str(), &how, sizeof how);
  while (fd < 0 && (errno == EAGAIN || errno == EINTR));
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) fd = open_by_walking(base, path, flags);
  if (fd >= 0) return Fd(static_cast<int>(fd));
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  if (errno == EXDEV || errno == ELOOP) throw Error(code, fmt::format("{}: a link that leads out of its folder", path));
  throw system_error(errno, path, code);
}

std::optional<std::string> read_file_beneath(const fs::path& base, const std::string& path, ExitCode code,
                                             std::size_t limit) {
  const auto folder = open_if_exists(base, O_PATH | O_DIRECTORY);
  if (!folder) return std::nullopt;
  // Not blocking: a fifo must not stop us before it is recognised.
  auto fd = open_beneath(folder->get(), path, O_RDONLY | O_NONBLOCK, code);
  if (!fd) return std::nullopt;
  struct stat info;
  if (::fstat(fd->get(), &info) != 0) throw system_error(errno, path, code);
  if (!S_ISREG(info.st_mode)) throw Error(code, fmt::format("{} is not a file", (base / path).string()));
  FileSource source(std::move(*fd), base / path);
  try {
    return read_all(source, limit);
  } catch (Error& error) {
    if (!error.message().starts_with("longer than")) throw;
    throw Error(code, fmt::format("{}: {}", (base / path).string(), error.message()));
  }
}

}  // namespace cib
