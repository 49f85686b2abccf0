// The folder on this machine where unpacked layers, running builds and local caches lie. Any number of processes may
// use one store at the same time; what a killed one left behind is removed by the next.
//
//   version        what this file says about the format
//   layers/        <hex of the diffID>/ (layer_store.hpp) and <hex>.lock
//   builds/<id>/   of one running build each; locked while it lives
//   tmp/<id>/      half made things, each a LockedFolder: what is not locked goes when anybody opens the store
//   caches/ images/ builders/   of the rooms above
#pragma once

#include <string_view>

#include "base/file.hpp"

namespace cib::store {

// A folder that is locked (flock on the folder itself) for as long as it is ours, and removed with its contents at
// the end of the scope.
class LockedFolder {
 public:
  // Makes <parent>/<prefix>XXXXXX, mode 0700. Throws system_error.
  LockedFolder(const fs::path& parent, std::string_view prefix);
  LockedFolder(LockedFolder&& other) noexcept;
  LockedFolder& operator=(LockedFolder&&) = delete;
  ~LockedFolder();
  const fs::path& path() const { return m_path; }
  // Renames it to its final place, where it stays. Throws system_error.
  void move_to(const fs::path& place);

  // Removes the folders and files in `parent` that nobody has locked. What cannot be removed stays: it belongs to somebody else.
  static void remove_abandoned(const fs::path& parent);

 private:
  fs::path m_path;
  Fd m_lock;
};

class Store {
 public:
  // Opens the store, makes it (mode 0700) if the folder is missing or empty, and removes what crashed runs left.
  // Throws Error(configuration) when the folder holds something else, is of a newer version or of another user,
  // Error(permission) or Error(disk) when it cannot be written.
  explicit Store(const fs::path& root);

  const fs::path& root() const { return m_root; }
  fs::path layers() const { return m_root / "layers"; }
  fs::path builds() const { return m_root / "builds"; }
  fs::path caches() const { return m_root / "caches"; }
  fs::path images() const { return m_root / "images"; }
  fs::path builders() const { return m_root / "builders"; }
  fs::path temporary() const { return m_root / "tmp"; }

 private:
  fs::path m_root;  // absolute, without links
};

// The folder of one build, for everything that ends with it.
class BuildFolder {
 public:
  explicit BuildFolder(const Store& store) : m_folder(store.builds(), "") {}
  const fs::path& path() const { return m_folder.path(); }

 private:
  LockedFolder m_folder;
};

// $CI_IMAGE_BUILDER_STORE, else ci-image-builder in $XDG_CACHE_HOME, in $HOME/.cache, or in /var/cache, the first of
// which is set (an absolute path) and can be written. Nothing is made.
fs::path default_store_path();

}  // namespace cib::store
