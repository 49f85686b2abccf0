#include "build/restore.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <climits>
#include <mutex>
#include <optional>

#include "base/beneath.hpp"
#include "base/error.hpp"
#include "base/tasks.hpp"
#include "cnb/buildpack.hpp"
#include "cnb/restore_rules.hpp"
#include "cnb/sbom.hpp"
#include "cnb/store_toml.hpp"
#include "oci/tar_reader.hpp"
#include "store/restore_tree.hpp"

namespace cib::build {

namespace {

using LayerEvent = event::LayerDone;

LayerEvent layer_event(const cnb::RestoredLayer& layer, LayerEvent::How how, std::string reason) {
  return {.where = LayerEvent::Where::restored,
          .how = how,
          .name = layer.buildpack + ":" + layer.layer,
          .size = 0,
          .diff_id = layer.sha,
          .reason = std::move(reason)};
}

// Keeps the beginning of what passes: the first headers tell for whom a layer was made.
class HeadSource : public Source {
 public:
  explicit HeadSource(Source& source) : m_source(source) {}
  std::size_t read(std::span<std::byte> buffer) override {
    const std::size_t count = m_source.read(buffer);
    if (head.size() < kept) head += as_text(Bytes(buffer).first(std::min(count, kept - head.size())));
    return count;
  }
  std::string head;

 private:
  static constexpr std::size_t kept = 32 * 1024;
  Source& m_source;
};

// A remembered diffID holds for an unchanged tree only if the layer would be packed with the same owner and the
// same parent entries today: a builder with another CNB user changes every diffID.
bool made_for(const std::string& head, Ids ids, const fs::path& layer) {
  try {
    MemorySource source{std::string_view(head)};
    oci::TarReader reader(source);
    oci::TarEntry entry;
    fs::path expected = "/";
    for (const fs::path& part : layer) {
      expected /= part;
      if (!reader.next(entry) || entry.name != expected.string() || entry.type != oci::TarHeader::Type::folder ||
          entry.uid != ids.uid || entry.gid != ids.gid || entry.mtime != oci::TarHeader().mtime)
        return false;
      // The folders above are ours, 0755; the layer's own is restored with the mode it had.
      if (expected != "/" / layer && entry.mode != 0755) return false;
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

class Restorer {
 public:
  Restorer(const cnb::DetectedGroup& group, const Previous& previous, CacheStore& cache, const WorkTree& tree,
           EventSink& events, std::stop_token stop)
      : m_previous(previous), m_cache(cache), m_tree(tree), m_events(events), m_stop(std::move(stop)) {
    for (const auto& buildpack : group) m_ids.push_back(buildpack.id);
  }

  Restored run(unsigned jobs) {
    const cnb::RestorePlan plan = cnb::plan_restore(m_ids, m_previous.metadata, m_cache.metadata());
    for (const auto& store : plan.stores) {
      make_buildpack_folder(store.buildpack);
      m_tree.write(folder_of(store.buildpack) / "store.toml", cnb::write_store_toml(store.store_json));
    }
    for (const auto& dropped : plan.dropped)
      m_events.on(LayerEvent{.where = LayerEvent::Where::restored,
                             .how = LayerEvent::How::dropped,
                             .name = dropped.buildpack + ":" + dropped.layer,
                             .size = 0,
                             .diff_id = {},
                             .reason = dropped.reason});
    for (const auto& layer : plan.layers) make_buildpack_folder(layer.buildpack);
    for_each_index(jobs, plan.layers.size(), [&](std::size_t i) { restore_layer(plan.layers[i]); });
    restore_sboms();
    if (!m_restored.trees.empty()) {
      // One wait for all: the newest change decides.
      const RestoredTree* newest = nullptr;
      for (const auto& [key, restored] : m_restored.trees)
        if (!newest || restored.state.newest() > newest->state.newest()) newest = &restored;
      store::settle(newest->state, m_tree.root());
    }
    return std::move(m_restored);
  }

 private:
  fs::path folder_of(const std::string& buildpack) const { return m_tree.layers() / cnb::escaped_id(buildpack); }
  void make_buildpack_folder(const std::string& buildpack) const { m_tree.make_folder(folder_of(buildpack)); }

  void restore_layer(const cnb::RestoredLayer& layer) {
    throw_if_stopped(m_stop);
    if (layer.layer.empty() || layer.layer.find('/') != std::string::npos || layer.layer == "." || layer.layer == "..")
      return;  // a label that lies
    const fs::path folder = folder_of(layer.buildpack);
    const std::string toml = layer.layer + ".toml";
    if (toml == "store.toml" || toml == "launch.toml" || toml == "build.toml" || toml.size() > NAME_MAX ||
        exists_no_follow(folder / toml)) {
      m_events.on(layer_event(layer, LayerEvent::How::dropped, "its name is taken or too long"));
      return;
    }
    std::uint64_t size = 0;
    if (layer.restore_contents) {
      auto miss = restore_contents(layer, size);
      if (miss) {
        m_events.on(layer_event(layer, LayerEvent::How::dropped, *miss));
        return;
      }
    }
    m_tree.write(folder / toml, cnb::restored_layer_toml(layer.data_json));
    auto done = layer_event(layer, layer.restore_contents ? LayerEvent::How::fresh : LayerEvent::How::reused,
                            layer.restore_contents ? "from the cache" : "what it is made of is known; its contents stay in the image");
    done.size = size;
    m_events.on(done);
  }

  // Nothing when the contents are there, else why they are not.
  std::optional<std::string> restore_contents(const cnb::RestoredLayer& layer, std::uint64_t& size) {
    const fs::path folder = folder_of(layer.buildpack) / layer.layer;
    const auto diff_id = oci::Digest::try_parse(layer.sha);
    if (!diff_id) return "the cache names no digest for it";
    const auto tar = m_cache.open(*diff_id);
    if (!tar) return "the cache does not hold its contents";
    const fs::path inside = fs::path("layers") / cnb::escaped_id(layer.buildpack) / layer.layer;
    store::RestoreOptions options;
    // Nothing but this layer's own folder may come out of its tar.
    options.prefix = "/" + inside.string();
    options.folder = folder;
    options.name = fmt::format("cached layer {}:{}", layer.buildpack, layer.layer);
    options.stop = m_stop;
    if (::geteuid() == 0) {
      options.uid = m_tree.ids().uid;
      options.gid = m_tree.ids().gid;
    }
    HeadSource head(*tar);
    try {
      remove_tree(folder);  // what a bin/detect left there is no part of the layer
      m_tree.make_folder(folder);
      size = store::restore_tree(head, options).bytes;
    } catch (const Error& error) {
      remove_tree(folder);
      if (error.code() != ExitCode::configuration) throw;
      return fmt::format("what the cache holds is damaged: {}", error.message());
    }
    restore_own_mode(head.head, folder, "/" + inside.string());
    std::lock_guard lock(m_mutex);
    m_restored.verified.insert(*diff_id);
    if (made_for(head.head, m_tree.ids(), inside))
      m_restored.trees[{layer.buildpack, layer.layer}] = {*diff_id, store::snapshot(folder)};
    return std::nullopt;
  }

  // restore_tree leaves the folder that it is given as it is.
  static void restore_own_mode(const std::string& head, const fs::path& folder, const std::string& name) {
    try {
      MemorySource source{std::string_view(head)};
      oci::TarReader reader(source);
      oci::TarEntry entry;
      for (int i = 0; i < 8 && reader.next(entry); ++i)
        if (entry.name == name && entry.type == oci::TarHeader::Type::folder) {
          ::chmod(folder.c_str(), entry.mode);
          return;
        }
    } catch (const Error&) {
      // The head of a tar ends somewhere; its beginning was read before.
    }
  }

  // SBOM files of layers that came back lie in the SBOM layers of the image (launch) and of the cache.
  void restore_sboms() {
    const fs::path scratch = m_tree.root() / "restored-sbom";
    make_folders(scratch);
    if (m_previous.image && m_previous.metadata.sbom)
      if (const auto diff_id = oci::Digest::try_parse(*m_previous.metadata.sbom)) {
        const int index = oci::find_layer(*m_previous.image, *diff_id);
        if (index < 0)
          m_events.on(event::Warning{"the previous image lacks the layer with its bills of materials", ""});
        else
          unpack_sboms([&] { return oci::open_tar(*m_previous.image->layers()[static_cast<std::size_t>(index)]); },
                       scratch / "image");
      }
    if (const auto diff_id = oci::Digest::try_parse(m_cache.metadata().sbom))
      unpack_sboms([&] { return m_cache.open(*diff_id); }, scratch / "cache");
    for (const char* from : {"cache", "image"})
      if (exists_no_follow(scratch / from)) copy_sboms(scratch / from, "");
    remove_tree(scratch);
  }

  template <class Open>
  void unpack_sboms(const Open& open, const fs::path& scratch) {
    try {
      const std::unique_ptr<Source> tar = open();
      if (!tar) return;
      make_folders(scratch);
      store::RestoreOptions options;
      options.prefix = "/layers/sbom";
      options.folder = scratch;
      options.name = "bills of materials";
      options.stop = m_stop;
      store::restore_tree(*tar, options);
    } catch (const Error& error) {
      remove_tree(scratch);  // nothing of it may be believed
      if (error.code() != ExitCode::configuration) throw;
      m_events.on(event::Warning{fmt::format("bills of materials are not restored: {}", error.message()), ""});
    }
  }

  void copy_sboms(const fs::path& root, const std::string& below) {
    for (const FolderEntry& entry : list_folder(root / below)) {
      const std::string path = below.empty() ? entry.name : below + "/" + entry.name;
      if (fs::is_directory(fs::symlink_status(root / path))) {
        copy_sboms(root, path);
        continue;
      }
      const auto restored = cnb::restored_sbom(path, m_ids);
      if (!restored || !exists_no_follow(folder_of(restored->buildpack))) continue;
      make_buildpack_folder(restored->buildpack);  // a folder, and no link that a bin/detect left?
      const fs::path target = folder_of(restored->buildpack) / restored->file_name;
      const auto text = read_file_beneath(root, path, ExitCode::restore, 256u << 20);
      // The image's copy of a layer that is cached too is the same; the first one stays.
      if (text && !exists_no_follow(target)) m_tree.write(target, *text);
    }
  }

  std::vector<std::string> m_ids;
  const Previous& m_previous;
  CacheStore& m_cache;
  const WorkTree& m_tree;
  EventSink& m_events;
  std::stop_token m_stop;
  std::mutex m_mutex;
  Restored m_restored;
};

}  // namespace

Restored restore(const cnb::DetectedGroup& group, const Previous& previous, CacheStore& cache, const WorkTree& tree,
                 unsigned jobs, EventSink& events, std::stop_token stop) {
  return Restorer(group, previous, cache, tree, events, std::move(stop)).run(jobs);
}

}  // namespace cib::build
