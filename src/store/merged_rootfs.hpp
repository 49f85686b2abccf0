// What both kinds of root have in common: looking things up.
#pragma once

#include <utility>
#include <vector>

#include "store/layer_store.hpp"
#include "store/merged_tree.hpp"
#include "store/rootfs.hpp"

namespace cib::store {

class MergedRootfs : public Rootfs {
 public:
  // `files` is what processes see (and change); layers top first.
  MergedRootfs(std::string_view kind, std::vector<UnpackedLayer> layers, RootTree tree, std::vector<MergedTree::View> files);

  const RootTree& tree() const override { return m_tree; }
  std::string_view kind() const override { return m_kind; }
  std::optional<fs::path> locate(std::string_view path) const override;
  std::vector<std::string> list(std::string_view path) const override;
  std::optional<Owner> owner(std::string_view path) const override;

 private:
  std::string_view m_kind;
  std::vector<UnpackedLayer> m_layers;  // holds their locks
  RootTree m_tree;
  MergedTree m_files;
  MergedTree m_image;  // the layers alone
};

// The layers as views, in their order.
std::vector<MergedTree::View> views_of(const std::vector<UnpackedLayer>& layers);

}  // namespace cib::store
