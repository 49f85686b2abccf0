// Access to a tree that is being written from foreign names: whatever the names and the links in the tree say, no
// folder outside is ever reached. Folders are opened with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS); where links
// have to be followed, or the kernel has no openat2, they are walked one component at a time without following.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/file.hpp"

namespace cib::store {

class ContainedTree {
 public:
  // What to do with a symbolic link on the way to an entry. "Inside" means as in a chroot: an absolute target
  // starts at the root of the tree.
  enum class Links {
    refuse,        // Error(configuration)
    inside,        // followed inside; ".." above the root is Error(configuration)
    inside_clamp,  // followed inside; ".." above the root stays at the root
  };

  // Decides what happens where the way to an entry is not a folder.
  class Way {
   public:
    virtual ~Way() = default;
    // Nothing is there: makes a folder.
    virtual void missing(int parent, const std::string& name, const std::string& path) = 0;
    // Neither a folder nor a link is there: makes a folder of it, or throws.
    virtual void obstacle(int parent, const std::string& name, const std::string& path) = 0;
  };

  // A folder of the tree, opened with O_PATH: good for *at calls.
  struct Folder {
    Fd fd;
    std::string path;  // without links, relative to the root; "" is the root
  };

  // Throws system_error when `root` is not a folder.
  ContainedTree(const fs::path& root, Links links, Way& way);

  // The folder with this normalised name, made by the Way where it is missing.
  std::shared_ptr<const Folder> folder(std::string_view path);

  // An existing folder by its path without links, opened for reading; none when it does not exist.
  Fd open_folder(const std::string& path) const;

  // Forgets the opened folders. To be called after anything but a plain file was removed or renamed.
  void forget() {
    m_open.clear();
    m_last.reset();
  }

  const fs::path& root() const { return m_path; }

 private:
  std::shared_ptr<const Folder> walk(std::string_view path);

  fs::path m_path;
  Links m_links;
  Way& m_way;
  std::shared_ptr<const Folder> m_root;
  std::shared_ptr<const Folder> m_last;  // the answer to m_last_name
  std::string m_last_name;
  std::unordered_map<std::string, std::shared_ptr<const Folder>> m_open;
};

// openat2 where the kernel has it (and the seccomp filter around us allows it), else -1 with ENOSYS.
int open_beneath(int root, const char* path, int flags);

}  // namespace cib::store
