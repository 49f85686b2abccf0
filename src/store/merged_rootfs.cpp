#include "store/merged_rootfs.hpp"

#include <unistd.h>

namespace cib::store {

MergedRootfs::MergedRootfs(std::string_view kind, std::vector<UnpackedLayer> layers, RootTree tree,
                           std::vector<MergedTree::View> files)
    : m_kind(kind),
      m_layers(std::move(layers)),
      m_tree(std::move(tree)),
      m_files(std::move(files)),
      m_image(views_of(m_layers)) {}

std::optional<fs::path> MergedRootfs::locate(std::string_view path) const {
  const auto found = m_files.find(path);
  if (!found) return std::nullopt;
  return m_files.place(*found);
}

std::vector<std::string> MergedRootfs::list(std::string_view path) const {
  const auto found = m_files.find(path);
  if (!found) return {};
  return m_files.list(*found);
}

std::optional<Owner> MergedRootfs::owner(std::string_view path) const {
  const auto found = m_files.find(path);
  if (!found) return std::nullopt;
  // The files of an ordinary user all are his own: what the image has is told by the image.
  if (::geteuid() != 0)
    if (const auto stated = m_image.find(found->path, false);
        stated && stated->path == found->path && (stated->info.st_mode & S_IFMT) == (found->info.st_mode & S_IFMT))
      return m_image.owner(*stated);
  return m_files.owner(*found);
}

std::vector<MergedTree::View> views_of(const std::vector<UnpackedLayer>& layers) {
  std::vector<MergedTree::View> views;
  for (const auto& layer : layers) views.push_back(MergedTree::view_of(layer));
  return views;
}

}  // namespace cib::store
