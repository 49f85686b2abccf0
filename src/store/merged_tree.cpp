#include "store/merged_tree.hpp"

#include <dirent.h>
#include <limits.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <set>

#include "base/error.hpp"
#include "store/entry_name.hpp"

namespace cib::store {

namespace {

constexpr int max_links = 40;

std::string read_link(const fs::path& path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0) throw system_error(errno, path.string());
  target.resize(static_cast<std::size_t>(size));
  return target;
}

bool says_opaque(const fs::path& path, const char* attribute) {
  char value;
  return ::lgetxattr(path.c_str(), attribute, &value, 1) == 1 && value == 'y';
}

}  // namespace

bool MergedTree::is_whiteout(const View& view, const std::string& path, const struct stat& info) const {
  if (view.record) return view.record->marks.whiteouts.contains(path);
  return view.marks_in_tree && S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

bool MergedTree::is_opaque(const View& view, const std::string& path) const {
  if (view.record) return view.record->marks.opaques.contains(path);
  if (!view.marks_in_tree) return false;
  const fs::path folder = view.path / path;
  return says_opaque(folder, "trusted.overlay.opaque") || says_opaque(folder, "user.overlay.opaque");
}

std::optional<MergedTree::Found> MergedTree::step(const Found& folder, const std::string& name) const {
  Found found;
  found.path = join_name(folder.path, name);
  for (const std::size_t index : folder.views) {
    const View& view = m_views[index];
    // A whiteout is in the record even where none could be made in the tree.
    if (view.record && view.record->marks.whiteouts.contains(found.path)) break;
    struct stat info;
    if (::lstat((view.path / found.path).c_str(), &info) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) continue;
      throw system_error(errno, (view.path / found.path).string(), ExitCode::configuration);
    }
    if (is_whiteout(view, found.path, info)) break;
    if (found.views.empty()) found.info = info;
    else if (!S_ISDIR(info.st_mode)) break;  // a folder above it hides it, and what lies below it
    found.views.push_back(index);
    if (!S_ISDIR(info.st_mode) || is_opaque(view, found.path)) break;
  }
  if (found.views.empty()) return std::nullopt;
  return found;
}

std::optional<MergedTree::Found> MergedTree::find(std::string_view path, bool follow_last) const {
  if (path.find('\0') != std::string_view::npos) return std::nullopt;
  Found root;
  for (std::size_t index = 0; index < m_views.size(); ++index) {
    root.views.push_back(index);
    if (is_opaque(m_views[index], "")) break;
  }
  if (root.views.empty() || ::lstat(m_views.front().path.c_str(), &root.info) != 0) return std::nullopt;
  std::vector<Found> way{std::move(root)};
  const auto parts = split_path(path);
  std::deque<std::string> left(parts.begin(), parts.end());
  bool must_be_folder = path.ends_with('/');
  int links = 0;
  while (!left.empty()) {
    const std::string name = std::move(left.front());
    left.pop_front();
    if (!S_ISDIR(way.back().info.st_mode)) return std::nullopt;
    if (name == "..") {
      if (way.size() > 1) way.pop_back();
      continue;
    }
    if (name.size() > NAME_MAX) return std::nullopt;
    auto found = step(way.back(), name);
    if (!found) return std::nullopt;
    if (!S_ISLNK(found->info.st_mode) || (left.empty() && !follow_last && !must_be_folder)) {
      way.push_back(std::move(*found));
      continue;
    }
    if (++links > max_links) return std::nullopt;
    const std::string target = read_link(place(*found));
    if (target.starts_with('/')) way.resize(1);
    if (left.empty() && target.ends_with('/')) must_be_folder = true;
    const auto more = split_path(target);
    left.insert(left.begin(), more.begin(), more.end());
  }
  if (must_be_folder && !S_ISDIR(way.back().info.st_mode)) return std::nullopt;
  return std::move(way.back());
}

std::vector<std::string> MergedTree::list(const Found& found) const {
  std::set<std::string> names, hidden;
  if (!S_ISDIR(found.info.st_mode)) return {};
  for (const std::size_t index : found.views) {
    const View& view = m_views[index];
    std::vector<std::string> now_hidden;
    for (const auto& entry : list_folder(view.path / found.path)) {
      struct stat info{};
      const std::string path = join_name(found.path, entry.name);
      if (entry.type == DT_CHR && ::lstat((view.path / path).c_str(), &info) != 0) continue;
      if (entry.type == DT_CHR && is_whiteout(view, path, info)) now_hidden.push_back(entry.name);
      else if (!hidden.contains(entry.name)) names.insert(entry.name);
    }
    if (view.record) {
      const std::string prefix = found.path.empty() ? "" : found.path + "/";
      const auto& whiteouts = view.record->marks.whiteouts;
      for (auto it = whiteouts.lower_bound(prefix); it != whiteouts.end() && it->starts_with(prefix); ++it)
        if (it->find('/', prefix.size()) == std::string::npos) now_hidden.push_back(it->substr(prefix.size()));
    }
    hidden.insert(now_hidden.begin(), now_hidden.end());
  }
  return {names.begin(), names.end()};
}

std::size_t MergedTree::deciding_view(const Found& found) const {
  for (const std::size_t index : found.views) {
    const auto& record = m_views[index].record;
    if (!record || !record->marks.implicit.contains(found.path)) return index;
  }
  return found.views.front();
}

Owner MergedTree::owner(const Found& found) const {
  const std::size_t index = deciding_view(found);
  const View& view = m_views[index];
  if (view.record) {
    const std::lock_guard guard(m_mutex);
    auto owners = m_owners.find(index);
    if (owners == m_owners.end()) owners = m_owners.emplace(index, read_owners(view.owners)).first;
    if (const auto it = owners->second.find(found.path); it != owners->second.end()) return it->second;
    // Folders that no archive speaks about.
    return {0, 0, found.info.st_mode & 07777};
  }
  struct stat info;
  if (::lstat((view.path / found.path).c_str(), &info) != 0) throw system_error(errno, (view.path / found.path).string());
  return {info.st_uid, info.st_gid, info.st_mode & 07777};
}

}  // namespace cib::store
