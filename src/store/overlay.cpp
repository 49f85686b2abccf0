#include "store/overlay.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "base/error.hpp"
#include "store/entry_name.hpp"
#include "store/layer_store.hpp"
#include "store/merged_rootfs.hpp"

namespace cib::store {

namespace {

// Gives a folder of the upper layer what the layers say about it.
void copy_folder(const MergedTree& merged, const MergedTree::Found& found, const fs::path& to) {
  if (::mkdir(to.c_str(), 0700) != 0 && errno != EEXIST) throw system_error(errno, to.string());
  const auto& view = merged.views()[merged.deciding_view(found)];
  struct stat info;
  if (::lstat((view.path / found.path).c_str(), &info) != 0) throw system_error(errno, (view.path / found.path).string());
  if (::geteuid() == 0 && ::chown(to.c_str(), info.st_uid, info.st_gid) != 0) throw system_error(errno, to.string());
  if (::chmod(to.c_str(), info.st_mode & 07777) != 0) throw system_error(errno, to.string());
  const timespec times[2] = {info.st_atim, info.st_mtim};
  ::utimensat(AT_FDCWD, to.c_str(), times, 0);
}

// A folder that the topmost layer has without speaking about it would show that layer's made-up owner and mode; the upper layer
// says instead what the layers below do. The root always is such a folder: overlayfs shows the upper one's.
void correct_folders(const std::vector<UnpackedLayer>& layers, const fs::path& upper) {
  std::set<std::string> candidates;
  for (const auto& layer : layers)
    candidates.insert(layer.record->marks.implicit.begin(), layer.record->marks.implicit.end());
  const MergedTree merged(views_of(layers));
  std::set<std::string> needed;  // with the folders above
  for (const auto& path : candidates) {
    const auto found = merged.find(path, false);
    if (!found || found->path != path || !S_ISDIR(found->info.st_mode)) continue;
    if (merged.deciding_view(*found) == found->views.front()) continue;
    for (std::string_view above = path; !above.empty(); above = split_name(above).folder) needed.emplace(above);
  }
  // Backwards for the times; all are made first.
  for (const auto& path : needed)
    if (::mkdir((upper / path).c_str(), 0700) != 0) throw system_error(errno, (upper / path).string());
  for (auto it = needed.rbegin(); it != needed.rend(); ++it) {
    const auto found = merged.find(*it, false);
    if (found) copy_folder(merged, *found, upper / *it);
  }
  if (const auto root = merged.find("/")) copy_folder(merged, *root, upper);
}

}  // namespace

std::unique_ptr<Rootfs> make_overlay(std::vector<UnpackedLayer> top_first, const BuildFolder& build) {
  if (top_first.size() > max_overlay_layers)
    throw Error(ExitCode::configuration, fmt::format("the image has {} layers, an overlay can have {}", top_first.size(),
                                                     max_overlay_layers))
        .next("use an isolation that does without an overlay: see doctor");
  RootTree tree;
  const fs::path folder = build.path() / "root";
  tree.upper = folder / "upper";
  tree.work = folder / "work";
  tree.mount_point = folder / "merged";
  make_folders(folder, 0700);
  make_folders(tree.upper, 0755);
  make_folders(tree.work, 0700);
  make_folders(tree.mount_point, 0755);
  const OverlayMarks marks = possible_overlay_marks(folder);
  const auto unmarked = [](std::string_view what) {
    return Error(ExitCode::configuration, fmt::format("{}: whiteouts cannot be made in this file system", what))
        .next("use an isolation that does without an overlay, or another disk: see doctor");
  };
  if (marks == OverlayMarks::none) throw unmarked(folder.string());
  tree.user_xattr = marks == OverlayMarks::user;
  for (const auto& layer : top_first) {
    // Unpacked by a process with other rights: what is missing is added.
    if (layer.record->made != marks && make_overlay_marks(layer.path, layer.record->marks, marks) != marks)
      throw unmarked(layer.path.string());
    tree.lowers.push_back(layer.path);
  }
  correct_folders(top_first, tree.upper);
  std::vector<MergedTree::View> files{{tree.upper, nullptr, {}, true}};
  for (auto& view : views_of(top_first)) files.push_back(std::move(view));
  return std::make_unique<MergedRootfs>("overlay", std::move(top_first), std::move(tree), std::move(files));
}

}  // namespace cib::store
