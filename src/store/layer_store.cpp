#include "store/layer_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/error.hpp"
#include "base/tasks.hpp"
#include "store/extract.hpp"
#include "store/read_ahead.hpp"

namespace cib::store {

namespace {

// The same layer, with the bytes of its blob counted.
class CountedLayer : public oci::Layer {
 public:
  CountedLayer(const oci::Layer& layer, const LayerStore::Progress& progress) : m_layer(layer), m_progress(progress) {}
  const oci::Descriptor& descriptor() const override { return m_layer.descriptor(); }
  const oci::Digest& diff_id() const override { return m_layer.diff_id(); }
  std::unique_ptr<Source> open() const override {
    return std::make_unique<Counter>(m_layer.open(), m_progress, m_layer.descriptor().size);
  }

 private:
  class Counter : public Source {
   public:
    Counter(std::unique_ptr<Source> source, const LayerStore::Progress& progress, std::uint64_t total)
        : m_source(std::move(source)), m_progress(progress), m_total(total) {}
    std::size_t read(std::span<std::byte> buffer) override {
      const std::size_t count = m_source->read(buffer);
      m_done += count;
      if (m_progress && count) m_progress(m_done, m_total);
      return count;
    }

   private:
    std::unique_ptr<Source> m_source;
    const LayerStore::Progress& m_progress;
    std::uint64_t m_total;
    std::uint64_t m_done = 0;
  };

  const oci::Layer& m_layer;
  const LayerStore::Progress& m_progress;
};

// Collects small writes.
class BufferedFile : public Sink {
 public:
  explicit BufferedFile(const fs::path& path)
      : m_fd(open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600)), m_file(m_fd.get(), path) {}
  void write(Bytes bytes) override {
    m_buffer.append(as_text(bytes));
    if (m_buffer.size() >= 256 * 1024) flush();
  }
  void flush() {
    m_file.write(as_bytes(m_buffer));
    m_buffer.clear();
  }

 private:
  Fd m_fd;
  FdSink m_file;
  std::string m_buffer;
};

// An archive that makes no sense is most often a damaged one: if its digest is wrong too, that is what is said.
Extracted extract_verified(const oci::Layer& layer, const fs::path& tree, const ExtractOptions& options) {
  ReadAhead source(oci::open_tar(layer));
  try {
    return extract(source, tree, options);
  } catch (const Error& error) {
    if (error.code() != ExitCode::configuration) throw;
    NullSink nowhere;
    copy(source, nowhere);
    throw;
  }
}

// flock has no wait that a stop request ends, so the lock is asked for again and again.
FileLock wait_for_lock(const fs::path& path, FileLock::Kind kind, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock guard(mutex);
  for (;;) {
    if (auto lock = FileLock::try_lock(path, kind)) return std::move(*lock);
    throw_if_stopped(stop);
    wake.wait_for(guard, stop, std::chrono::milliseconds(20), [] { return false; });
  }
}

}  // namespace

std::optional<UnpackedLayer> LayerStore::open(const oci::Digest& diff_id, FileLock lock) const {
  const fs::path folder = m_store.layers() / diff_id.hex();
  const auto text = read_file_if_exists(folder / "complete", std::size_t{2} << 30);
  if (!text) return std::nullopt;
  auto record = parse_record(*text);
  if (!record) return std::nullopt;
  // When it was used last, for prune.
  ::utimensat(AT_FDCWD, (folder / "complete").c_str(), nullptr, 0);
  return UnpackedLayer{folder / "tree", diff_id, std::make_shared<const LayerRecord>(std::move(*record)),
                       std::make_shared<const FileLock>(std::move(lock))};
}

std::optional<UnpackedLayer> LayerStore::find(const oci::Digest& diff_id) const {
  auto lock = FileLock::try_lock(m_store.layers() / (diff_id.hex() + ".lock"), FileLock::Kind::shared);
  if (!lock) return std::nullopt;  // somebody unpacks or removes it
  return open(diff_id, std::move(*lock));
}

UnpackedLayer LayerStore::get(const oci::Layer& layer, std::string_view image, const Progress& progress,
                              std::stop_token stop) const {
  const fs::path lock_file = m_store.layers() / (layer.diff_id().hex() + ".lock");
  for (;;) {
    {
      auto found = open(layer.diff_id(), wait_for_lock(lock_file, FileLock::Kind::shared, stop));
      if (found) return std::move(*found);
    }
    const FileLock alone = wait_for_lock(lock_file, FileLock::Kind::exclusive, stop);
    // Another one may have unpacked it while we waited.
    const fs::path folder = m_store.layers() / layer.diff_id().hex();
    const auto text = read_file_if_exists(folder / "complete", std::size_t{2} << 30);
    if (text && parse_record(*text)) continue;
    unpack(layer, image, progress, stop);
    // Between the two locks it may be removed again; then the loop starts over.
  }
}

void LayerStore::unpack(const oci::Layer& layer, std::string_view image, const Progress& progress,
                        std::stop_token stop) const {
  const std::string name = fmt::format("layer {} of {}", layer.descriptor().digest.brief(), image);
  try {
    const fs::path folder = m_store.layers() / layer.diff_id().hex();
    remove_tree(folder);  // one without a readable `complete`: of a disk that lost it
    LockedFolder partial(m_store.temporary(), "layer-");
    const fs::path tree = partial.path() / "tree";
    make_folders(tree, 0755);
    BufferedFile owners(partial.path() / "owners");
    ExtractOptions options;
    options.mode = ExtractOptions::Mode::layer;
    options.change_owner = ::geteuid() == 0;
    options.owners = &owners;
    options.stop = stop;
    const CountedLayer counted(layer, progress);
    const Extracted extracted = extract_verified(counted, tree, options);
    owners.flush();
    write_file(partial.path() / "complete", format_record(extracted.record), 0600);
    partial.move_to(folder);
  } catch (Error& error) {
    if (error.category() != Category::cancelled) error.within(name);
    if (error.code() == ExitCode::disk && error.why().empty())
      error.why(fmt::format("it is unpacked into the store, {}", m_store.root().string()));
    throw;
  }
}

}  // namespace cib::store
