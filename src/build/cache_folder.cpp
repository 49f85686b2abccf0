#include "build/cache_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <set>
#include <thread>

#include "base/beneath.hpp"
#include "base/error.hpp"
#include "base/tasks.hpp"
#include "oci/partial.hpp"

namespace cib::build {

namespace {

constexpr const char* metadata_name = "io.buildpacks.lifecycle.cache.metadata";
constexpr std::size_t largest_metadata = 64u << 20;

void rename_over(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw system_error(errno, to.string());
}

class VerifiedTar : public Source {
 public:
  VerifiedTar(const fs::path& file, const oci::Digest& diff_id) : m_file(file), m_diff_id(diff_id) {}
  std::size_t read(std::span<std::byte> buffer) override {
    if (buffer.empty() || m_done) return 0;
    const std::size_t count = m_file.read(buffer);
    if (count) {
      m_hash.write(Bytes(buffer).first(count));
      return count;
    }
    m_done = true;
    if (const oci::Digest found = m_hash.finish(); found != m_diff_id)
      throw Error(ExitCode::configuration,
                  fmt::format("expected contents with {}, found {}", m_diff_id.brief(), found.brief()));
    return 0;
  }

 private:
  FileSource m_file;
  oci::Digest m_diff_id;
  oci::Sha256 m_hash;
  bool m_done = false;
};

class CacheFolder : public CacheStore {
 public:
  CacheFolder(const fs::path& folder, bool clear, const std::stop_token& stop)
      : m_folder(prepared(folder)), m_name(folder.string()), m_lock(locked(m_folder / ".lock", stop)) {
    remove_tree(staging());
    // A build that was killed between the two renames of commit(): the old generation is the last whole one.
    if (exists_no_follow(backup())) {
      if (exists_no_follow(committed()))
        remove_tree(backup());
      else
        rename_over(backup(), committed());
    }
    if (clear) remove_tree(committed());
    make_folders(committed());
    make_folders(staging());
    try {
      if (const auto text = read_file_beneath(committed(), metadata_name, ExitCode::configuration, largest_metadata))
        m_metadata = cnb::parse_cache_metadata(*text);
    } catch (const Error&) {
      // What cannot be read is empty.
    }
  }

  ~CacheFolder() override {
    try {
      remove_tree(staging());
    } catch (const std::exception&) {
      // Garbage that the next build removes.
    }
  }

  const std::string& name() const override { return m_name; }
  const cnb::CacheMetadata& metadata() const override { return m_metadata; }

  std::unique_ptr<Source> open(const oci::Digest& diff_id) override {
    const fs::path file = committed() / file_name(diff_id);
    if (!fs::is_regular_file(fs::symlink_status(file))) return nullptr;
    return std::make_unique<VerifiedTar>(file, diff_id);
  }

  bool keep(const oci::Digest& diff_id) override {
    const std::string name = file_name(diff_id);
    if (::link((committed() / name).c_str(), (staging() / name).c_str()) == 0) return true;
    return errno == EEXIST;
  }

  std::unique_ptr<oci::BlobWriter> begin_layer() override {
    class Layer : public oci::BlobWriter {
     public:
      explicit Layer(const fs::path& staging) : m_staging(staging), m_file(staging, "partial-") {}
      void write(Bytes bytes) override { m_file.write(bytes); }
      void commit(const oci::Digest& digest) override { m_file.rename_to(m_staging / file_name(digest)); }

     private:
      fs::path m_staging;
      oci::PartialFile m_file;
    };
    return std::make_unique<Layer>(staging());
  }

  void commit(const cnb::CacheMetadata& metadata) override {
    write_file(staging() / metadata_name, to_json(metadata) + "\n");
    rename_over(committed(), backup());
    try {
      rename_over(staging(), committed());
    } catch (const Error&) {
      rename_over(backup(), committed());
      throw;
    }
    remove_tree(backup());
  }

 private:
  static fs::path prepared(const fs::path& folder) {
    if (fs::exists(folder) && !fs::is_directory(folder))
      throw Error(ExitCode::configuration, fmt::format("{} is not a folder", folder.string()))
          .next("name a folder with --cache-dir");
    make_folders(folder);
    return fs::canonical(folder);
  }
  // Another build may hold it for long.
  static FileLock locked(const fs::path& file, const std::stop_token& stop) {
    for (;;) {
      if (auto lock = FileLock::try_lock(file, FileLock::Kind::exclusive)) return std::move(*lock);
      throw_if_stopped(stop);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  static std::string file_name(const oci::Digest& diff_id) { return diff_id.str() + ".tar"; }

  fs::path committed() const { return m_folder / "committed"; }
  fs::path staging() const { return m_folder / "staging"; }
  fs::path backup() const { return m_folder / "committed-backup"; }

  fs::path m_folder;
  std::string m_name;
  FileLock m_lock;
  cnb::CacheMetadata m_metadata;
};

}  // namespace

std::unique_ptr<CacheStore> open_cache_folder(const fs::path& folder, bool clear, std::stop_token stop) {
  return std::make_unique<CacheFolder>(folder, clear, stop);
}

}  // namespace cib::build
