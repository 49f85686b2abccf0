#include "store/prune.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "base/error.hpp"
#include "store/layer_record.hpp"

namespace cib::store {

namespace {

struct StoredLayer {
  std::string hex;
  std::uint64_t bytes;
  timespec used;
};

std::vector<StoredLayer> stored_layers(const Store& store) {
  std::vector<StoredLayer> layers;
  for (const auto& entry : list_folder(store.layers())) {
    if (entry.type != DT_DIR) continue;
    const fs::path complete = store.layers() / entry.name / "complete";
    StoredLayer layer{entry.name, 0, {}};
    struct stat info;
    // One without a readable record is of no use to anybody; it counts as the oldest.
    if (::stat(complete.c_str(), &info) == 0) {
      layer.used = info.st_mtim;
      if (const auto text = read_file_if_exists(complete, std::size_t{2} << 30))
        if (const auto record = parse_record(*text)) layer.bytes = record->disk;
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

// Disk blocks of what lies below; what cannot be read, or vanishes meanwhile, is left out.
std::uint64_t size_below(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    struct stat info;
    if (::lstat(it->path().c_str(), &info) == 0) bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
  return bytes;
}

}  // namespace

Usage usage(const Store& store) {
  Usage usage;
  for (const auto& layer : stored_layers(store)) {
    ++usage.layers;
    usage.layer_bytes += layer.bytes;
  }
  usage.builds = list_folder(store.builds()).size();
  usage.build_bytes = size_below(store.builds());
  usage.cache_bytes = size_below(store.caches());
  usage.image_bytes = size_below(store.images());
  usage.builder_bytes = size_below(store.builders());
  return usage;
}

Pruned prune(const Store& store, const KeepRules& keep) {
  auto layers = stored_layers(store);
  std::sort(layers.begin(), layers.end(), [](const StoredLayer& a, const StoredLayer& b) {
    return std::tie(a.used.tv_sec, a.used.tv_nsec, a.hex) < std::tie(b.used.tv_sec, b.used.tv_nsec, b.hex);
  });
  Pruned result;
  for (const auto& layer : layers) result.kept_bytes += layer.bytes;
  result.kept = layers.size();
  for (const auto& layer : layers) {
    if (result.kept_bytes <= keep.layer_bytes) break;
    const auto lock = FileLock::try_lock(store.layers() / (layer.hex + ".lock"), FileLock::Kind::exclusive);
    if (!lock) {
      ++result.in_use;
      continue;
    }
    // Gone in one step; what a crash leaves of it lies among the garbage.
    LockedFolder garbage(store.temporary(), "pruned-");
    const fs::path to = garbage.path() / "layer";
    if (::rename((store.layers() / layer.hex).c_str(), to.c_str()) != 0)
      throw system_error(errno, (store.layers() / layer.hex).string());
    remove_tree(to);
    --result.kept;
    result.kept_bytes -= layer.bytes;
    ++result.removed;
    result.removed_bytes += layer.bytes;
  }
  return result;
}

}  // namespace cib::store
