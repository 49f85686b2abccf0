// Files and folders on their way to a final name. Each is locked while its writer lives, so that the next run
// can tell the garbage of a crash from another program's work.
#pragma once

#include <string_view>

#include "base/file.hpp"

namespace cib::oci {

class PartialFile : public Sink {
 public:
  // A new file "<prefix><random>" in the folder.
  PartialFile(const fs::path& folder, std::string_view prefix);
  // Removes the file unless it was renamed.
  ~PartialFile() override;
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  const fs::path& path() const { return m_path; }
  void write(Bytes bytes) override { FdSink(m_fd.get(), m_path).write(bytes); }
  // Mode 0644, final name. Throws system_error.
  void rename_to(const fs::path& final_path);

 private:
  fs::path m_path;
  Fd m_fd;
};

class PartialFolder {
 public:
  PartialFolder(const fs::path& parent, std::string_view prefix);
  const fs::path& path() const { return m_folder.path(); }
  // The folder is the caller's now (he renamed it).
  void release() { m_folder.release(); }

 private:
  TempFolder m_folder;
  Fd m_lock;
};

// Removes what crashed writers left under `<prefix>…` in the folder.
void remove_stale_partials(const fs::path& folder, std::string_view prefix);

}  // namespace cib::oci
