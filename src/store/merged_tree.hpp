// Layers seen as one tree, as overlayfs would show them, without mounting anything: for looking things up.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.hpp"
#include "store/layer_record.hpp"
#include "store/layer_store.hpp"

namespace cib::store {

class MergedTree {
 public:
  struct View {
    fs::path path;
    // Of an unpacked layer: whiteouts and opaque folders are those of the record, owners those of the file.
    std::shared_ptr<const LayerRecord> record;
    fs::path owners;
    // An overlay's upper folder, where the kernel left its marks. With neither it is a plain folder.
    bool marks_in_tree = false;
  };

  // A file, link or folder of the merged tree.
  struct Found {
    std::string path;                 // without links, relative; "" is the root
    std::vector<std::size_t> views;   // where it is from, top first; more than one only for a folder
    struct stat info;                 // of the first
  };

  explicit MergedTree(std::vector<View> top_first) : m_views(std::move(top_first)) {}

  static View view_of(const UnpackedLayer& layer) { return {layer.path, layer.record, layer.owners(), false}; }

  // What `path` is inside the tree; links are followed inside of it (the last one only if `follow_last`), at most 40.
  // Nothing when it does not exist.
  std::optional<Found> find(std::string_view path, bool follow_last = true) const;

  // Where the topmost of it lies.
  fs::path place(const Found& found) const { return m_views[found.views.front()].path / found.path; }

  // The names in a folder, sorted bytewise; empty for anything else.
  std::vector<std::string> list(const Found& found) const;

  // Owner and mode: as the archive states them for what is from a layer, else the file's. A folder that the topmost layer
  // does not speak about has those of the layer below.
  Owner owner(const Found& found) const;

  // The view that decides on owner, mode and time of what was found.
  std::size_t deciding_view(const Found& found) const;

  const std::vector<View>& views() const { return m_views; }

 private:
  bool is_whiteout(const View& view, const std::string& path, const struct stat& info) const;
  bool is_opaque(const View& view, const std::string& path) const;
  std::optional<Found> step(const Found& folder, const std::string& name) const;

  std::vector<View> m_views;
  mutable std::mutex m_mutex;
  mutable std::unordered_map<std::size_t, std::unordered_map<std::string, Owner>> m_owners;  // read when first needed
};

}  // namespace cib::store
