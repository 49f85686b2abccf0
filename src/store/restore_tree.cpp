#include "store/restore_tree.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <vector>

#include "base/error.hpp"
#include "base/tasks.hpp"
#include "oci/tar_reader.hpp"
#include "store/contained_tree.hpp"
#include "store/entry_name.hpp"

namespace cib::store {

namespace {

using Type = oci::TarHeader::Type;

Error entry_error(int error_number, std::string_view path) {
  return system_error(error_number, fmt::format("entry {}", quote_name(path)), ExitCode::configuration);
}

Error refused(std::string_view path, std::string_view reason) {
  return Error(ExitCode::configuration, fmt::format("entry {}: {}", quote_name(path), reason));
}

class Restorer : private ContainedTree::Way {
 public:
  explicit Restorer(const RestoreOptions& options)
      : m_options(options),
        m_prefix(normalise_entry_name(options.prefix)),
        m_tree(options.folder, ContainedTree::Links::refuse, *this),
        m_buffer(128 * 1024) {}

  Restored run(Source& source) {
    oci::TarReader reader(source);
    oci::TarEntry entry;
    std::uint64_t count = 0;
    while (reader.next(entry)) {
      throw_if_stopped(m_options.stop);
      if (++count > m_options.max_entries)
        throw Error(ExitCode::configuration, fmt::format("more than {} entries", m_options.max_entries));
      take(reader, entry);
    }
    while (source.read(m_buffer)) throw_if_stopped(m_options.stop);
    for (auto it = m_made.rbegin(); it != m_made.rend(); ++it) {
      const Fd fd = m_tree.open_folder(it->first);
      if (!fd || ::fchmod(fd.get(), it->second) != 0) throw entry_error(errno, it->first);
    }
    return m_result;
  }

 private:
  void take(oci::TarReader& reader, const oci::TarEntry& entry) {
    Type type = entry.type;
    if (type == Type::file && entry.name.ends_with('/') && entry.size == 0) type = Type::folder;
    if (type != Type::folder && type != Type::file && type != Type::symlink)
      throw refused(entry.name, "unknown file type: only folders, files and symbolic links are restored");
    const std::string full = normalise_entry_name(entry.name);
    const bool above = full.empty() || m_prefix == full || m_prefix.starts_with(full + "/");
    if (above && type == Type::folder) return;
    if (!m_prefix.empty() && !full.starts_with(m_prefix + "/"))
      throw refused(entry.name, fmt::format("it lies outside of {}", quote_name(m_options.prefix)));
    const std::string path = m_prefix.empty() ? full : full.substr(m_prefix.size() + 1);
    const auto [folder_name, name_view] = split_name(path);
    const std::string name(name_view);
    const auto folder = m_tree.folder(folder_name);
    const int parent = folder->fd.get();
    if (type == Type::folder) make_folder(parent, name, path, static_cast<mode_t>(entry.mode & 07777));
    else if (type == Type::symlink) make_symlink(parent, name, path, entry.link);
    else make_file(parent, name, path, entry, reader);
  }

  void make_folder(int parent, const std::string& name, const std::string& path, mode_t mode) {
    if (::mkdirat(parent, name.c_str(), 0700) == 0) {
      m_made.insert_or_assign(path, mode);
      own(parent, name, path);
      return;
    }
    if (errno != EEXIST) throw entry_error(errno, path);
    struct stat info;
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) throw entry_error(errno, path);
    if (!S_ISDIR(info.st_mode)) throw refused(path, "something else than a folder exists already");
    // Made on the way to an earlier entry: its own entry comes now.
    if (const auto made = m_made.find(path); made != m_made.end()) made->second = mode;
  }

  void make_file(int parent, const std::string& name, const std::string& path, const oci::TarEntry& entry,
                 oci::TarReader& reader) {
    struct stat info;
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      if (!S_ISREG(info.st_mode)) throw refused(path, "something else than a file exists already");
      // Removed, not truncated: it may have other names.
      if (::unlinkat(parent, name.c_str(), 0) != 0) throw entry_error(errno, path);
    }
    const Fd fd(::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) throw entry_error(errno, path);
    while (const std::size_t count = reader.read(m_buffer)) {
      throw_if_stopped(m_options.stop);
      Bytes rest = Bytes(m_buffer).first(count);
      while (!rest.empty()) {
        const ssize_t done = ::write(fd.get(), rest.data(), rest.size());
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) throw entry_error(errno, path);
        rest = rest.subspan(static_cast<std::size_t>(done));
      }
      m_result.bytes += count;
    }
    own(parent, name, path);  // before the mode: chown clears set-id bits
    if (::fchmod(fd.get(), static_cast<mode_t>(entry.mode & 07777)) != 0) throw entry_error(errno, path);
    ++m_result.files;
  }

  void make_symlink(int parent, const std::string& name, const std::string& path, const std::string& target) {
    if (target.empty() || target.find('\0') != std::string::npos) throw refused(path, "a symbolic link without a target");
    if (::symlinkat(target.c_str(), parent, name.c_str()) != 0) {
      if (errno == EEXIST) throw refused(path, "it exists already");
      throw entry_error(errno, path);
    }
    own(parent, name, path);
    ++m_result.files;
  }

  void own(int parent, const std::string& name, const std::string& path) {
    if (!m_options.uid && !m_options.gid) return;
    const uid_t uid = m_options.uid.value_or(static_cast<uid_t>(-1));
    const gid_t gid = m_options.gid.value_or(static_cast<gid_t>(-1));
    if (::fchownat(parent, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0) throw entry_error(errno, path);
  }

  void missing(int parent, const std::string& name, const std::string& path) override {
    make_folder(parent, name, path, 0755);
  }
  void obstacle(int, const std::string&, const std::string& path) override {
    throw refused(path, "it is not a folder, but entries lie below it");
  }

  const RestoreOptions& m_options;
  const std::string m_prefix;
  ContainedTree m_tree;
  std::vector<std::byte> m_buffer;
  Restored m_result;
  std::map<std::string, mode_t> m_made;  // new folders
};

}  // namespace

Restored restore_tree(Source& tar, const RestoreOptions& options) {
  try {
    return Restorer(options).run(tar);
  } catch (Error& error) {
    if (!options.name.empty() && error.category() != Category::cancelled) error.within(options.name);
    throw;
  }
}

}  // namespace cib::store
