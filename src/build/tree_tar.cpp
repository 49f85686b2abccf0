#include "build/tree_tar.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/tasks.hpp"
#include "oci/tar_writer.hpp"

namespace cib::build {

namespace {

constexpr std::size_t read_size = 256 * 1024;

// Puts files that lie in an open folder into a tar. `name` is the entry's, absolute.
class TreeTar {
 public:
  TreeTar(Sink& sink, WorkTree tree, std::stop_token stop)
      : m_tar(sink), m_tree(std::move(tree)), m_ids(m_tree.ids()), m_stop(std::move(stop)), m_buffer(read_size) {}

  void add(int folder, const std::string& file, const std::string& name) {
    throw_if_stopped(m_stop);
    struct stat info;
    if (::fstatat(folder, file.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) fail(name);
    oci::TarHeader header;
    header.name = name;
    header.mode = m_tree.original_mode(info);
    header.uid = m_ids.uid;
    header.gid = m_ids.gid;
    switch (info.st_mode & S_IFMT) {
      case S_IFDIR: header.type = oci::TarHeader::Type::folder; break;
      case S_IFREG: return add_file(folder, file, header);
      case S_IFLNK:
        header.type = oci::TarHeader::Type::symlink;
        header.link = link_target(folder, file, name);
        break;
      case S_IFIFO: header.type = oci::TarHeader::Type::fifo; break;
      case S_IFCHR:
      case S_IFBLK:
        header.type = S_ISCHR(info.st_mode) ? oci::TarHeader::Type::char_device : oci::TarHeader::Type::block_device;
        header.device_major = major(info.st_rdev);
        header.device_minor = minor(info.st_rdev);
        break;
      default: return;  // a socket
    }
    m_tar.header(header);
  }

  // The folder itself and everything below it.
  void add_tree(int parent, const std::string& file, const std::string& name) {
    add(parent, file, name);
    const Fd folder = open_folder(parent, file, name);
    for (const FolderEntry& entry : list_folder(fmt::format("/proc/self/fd/{}", folder.get()))) {
      const std::string child = fmt::format("{}/{}", name, entry.name);
      if (entry.type == DT_DIR)
        add_tree(folder.get(), entry.name, child);
      else
        add(folder.get(), entry.name, child);
    }
  }

  void finish() { m_tar.finish(); }

  static Fd open_folder(int parent, const std::string& file, const std::string& name) {
    Fd fd(::openat(parent, file.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) fail(name);
    return fd;
  }

 private:
  [[noreturn]] static void fail(const std::string& name) { throw system_error(errno, name, ExitCode::export_image); }

  void add_file(int folder, const std::string& file, oci::TarHeader& header) {
    const Fd fd(::openat(folder, file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd) fail(header.name);
    struct stat info;
    if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) fail(header.name);
    header.size = static_cast<std::uint64_t>(info.st_size);
    m_tar.header(header);
    std::uint64_t left = header.size;
    while (left) {
      const ssize_t count = ::read(fd.get(), m_buffer.data(), std::min<std::uint64_t>(left, m_buffer.size()));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail(header.name);
      if (count == 0)
        throw Error(ExitCode::export_image, fmt::format("{}: the file became shorter while it was read", header.name));
      m_tar.contents(Bytes(m_buffer).first(static_cast<std::size_t>(count)));
      left -= static_cast<std::uint64_t>(count);
      if (m_stop.stop_requested()) throw_if_stopped(m_stop);
    }
  }

  static std::string link_target(int folder, const std::string& file, const std::string& name) {
    std::string target(4096, '\0');
    const ssize_t size = ::readlinkat(folder, file.c_str(), target.data(), target.size());
    if (size < 0) fail(name);
    target.resize(static_cast<std::size_t>(size));
    return target;
  }

  oci::TarWriter m_tar;
  WorkTree m_tree;
  Ids m_ids;
  std::stop_token m_stop;
  std::vector<std::byte> m_buffer;
};

// The folders above `path` ("layers/x_bp/layer"), then the last one opened; `last` is the name in it.
Fd descend(TreeTar& tar, const fs::path& root, const fs::path& path, bool with_entries) {
  Fd folder = open_file(root, O_RDONLY | O_DIRECTORY);
  std::string name;
  for (const fs::path& part : path.parent_path()) {
    name += "/" + part.string();
    if (with_entries) tar.add(folder.get(), part.string(), name);
    folder = TreeTar::open_folder(folder.get(), part.string(), name);
  }
  return folder;
}

}  // namespace

TarRecipe folder_tar(const WorkTree& tree, std::string folder) {
  return [tree, folder = std::move(folder)](Sink& sink, std::stop_token stop) {
    TreeTar tar(sink, tree, std::move(stop));
    const Fd parent = descend(tar, tree.root(), folder, true);
    tar.add_tree(parent.get(), fs::path(folder).filename().string(), "/" + folder);
    tar.finish();
  };
}

TarRecipe slice_tar(const WorkTree& tree, std::vector<std::string> paths) {
  return [tree, app = tree.app(), paths = std::move(paths)](Sink& sink, std::stop_token stop) {
    TreeTar tar(sink, tree, std::move(stop));
    const Fd parent = open_file(app.parent_path(), O_RDONLY | O_DIRECTORY);
    Fd folder;
    fs::path opened = "?";
    std::vector<std::string> sorted = paths;
    std::sort(sorted.begin(), sorted.end());
    for (const std::string& path : sorted) {
      if (path.empty()) {
        tar.add(parent.get(), app.filename().string(), std::string(app_path));
        continue;
      }
      if (const fs::path wanted = fs::path(path).parent_path(); wanted != opened) {
        folder = descend(tar, app, path, false);
        opened = wanted;
      }
      tar.add(folder.get(), fs::path(path).filename().string(), fmt::format("{}/{}", app_path, path));
    }
    tar.finish();
  };
}

TarRecipe made_tar(std::vector<MadeEntry> entries) {
  return [entries = std::move(entries)](Sink& sink, std::stop_token stop) {
    oci::TarWriter tar(sink);
    for (const MadeEntry& entry : entries) {
      throw_if_stopped(stop);
      oci::TarHeader header;
      header.name = entry.name;
      header.mode = 0755;
      if (entry.kind == MadeEntry::Kind::folder) header.type = oci::TarHeader::Type::folder;
      if (entry.kind == MadeEntry::Kind::link) {
        header.type = oci::TarHeader::Type::symlink;
        header.link = entry.target;
      }
      if (entry.kind != MadeEntry::Kind::file) {
        tar.header(header);
        continue;
      }
      header.size = fs::file_size(entry.contents);
      tar.header(header);
      FileSource source(entry.contents);
      std::vector<std::byte> buffer(read_size);
      while (const std::size_t count = source.read(buffer)) tar.contents(Bytes(buffer).first(count));
    }
    tar.finish();
  };
}

}  // namespace cib::build
