#include "store/layer_record.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/error.hpp"
#include "store/contained_tree.hpp"
#include "store/entry_name.hpp"

namespace cib::store {

namespace {

constexpr std::string_view format_line = "ci-image-builder layer 1";

const char* opaque_attribute(OverlayMarks kind) {
  return kind == OverlayMarks::trusted ? "trusted.overlay.opaque" : "user.overlay.opaque";
}

// The names of a record are our own, without links; still no link is followed, as others may hold the store.
class NoWay : public ContainedTree::Way {
 public:
  void missing(int, const std::string&, const std::string& path) override { fail(path); }
  void obstacle(int, const std::string&, const std::string& path) override { fail(path); }

 private:
  [[noreturn]] static void fail(const std::string& path) {
    throw Error(ExitCode::disk, fmt::format("unpacked layer: the folder {} is missing", quote_name(path)))
        .next("remove the store; it is filled again");
  }
};

bool make_whiteout(int parent, const std::string& name) {
  if (::mknodat(parent, name.c_str(), S_IFCHR, makedev(0, 0)) == 0) return true;
  if (errno != EEXIST) return false;
  struct stat info;
  return ::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(info.st_mode) &&
         info.st_rdev == makedev(0, 0);
}

bool make_opaque(int folder, OverlayMarks kind) { return ::fsetxattr(folder, opaque_attribute(kind), "y", 1, 0) == 0; }

template <class Number>
bool parse_number(std::string_view& text, Number& number, int base, char end) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || rest == text.data() + text.size() || *rest != end) return false;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()) + 1);
  return true;
}

// Takes what stands before the next NUL; false if there is none.
bool take_record(std::string_view& text, std::string_view& record) {
  const std::size_t end = text.find('\0');
  if (end == std::string_view::npos) return false;
  record = text.substr(0, end);
  text.remove_prefix(end + 1);
  return true;
}

}  // namespace

OverlayMarks possible_overlay_marks(const fs::path& folder) {
  try {
    const TempFolder probe(folder, "marks-");
    const Fd fd = open_file(probe.path(), O_RDONLY | O_DIRECTORY);
    if (!make_whiteout(fd.get(), "whiteout")) return OverlayMarks::none;
    for (const auto kind : {OverlayMarks::trusted, OverlayMarks::user})
      if (make_opaque(fd.get(), kind)) return kind;
  } catch (const Error&) {
    // A folder that cannot be written cannot be marked either.
  }
  return OverlayMarks::none;
}

OverlayMarks make_overlay_marks(const fs::path& tree, const LayerMarks& marks, OverlayMarks like) {
  if (like == OverlayMarks::none) return like;
  if (marks.whiteouts.empty() && marks.opaques.empty()) return like;
  NoWay way;
  ContainedTree contained(tree, ContainedTree::Links::refuse, way);
  for (const auto& path : marks.whiteouts) {
    const auto [folder, name] = split_name(path);
    if (!make_whiteout(contained.folder(folder)->fd.get(), std::string(name))) {
      if (errno == ENOSPC || errno == EDQUOT) throw system_error(errno, quote_name(path));
      return OverlayMarks::none;
    }
  }
  for (const auto& path : marks.opaques) {
    const Fd folder = contained.open_folder(path);
    if (!folder || !make_opaque(folder.get(), like)) {
      if (errno == ENOSPC || errno == EDQUOT) throw system_error(errno, quote_name(path));
      return OverlayMarks::none;
    }
  }
  return like;
}

std::string format_record(const LayerRecord& record) {
  std::string text;
  const auto line = [&](std::string_view key, const auto& value) {
    text += fmt::format("{} {}", key, value);
    text += '\0';
  };
  text += format_line;
  text += '\0';
  line("bytes", record.bytes);
  line("disk", record.disk);
  line("entries", record.entries);
  line("overlay", record.made == OverlayMarks::trusted ? "trusted" : record.made == OverlayMarks::user ? "user" : "none");
  for (const auto& path : record.marks.whiteouts) line("whiteout", path);
  for (const auto& path : record.marks.opaques) line("opaque", path);
  for (const auto& path : record.marks.implicit) line("implicit", path);
  line("end", "");
  return text;
}

std::optional<LayerRecord> parse_record(std::string_view text) {
  LayerRecord record;
  std::string_view line;
  if (!take_record(text, line) || line != format_line) return std::nullopt;
  while (take_record(text, line)) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const std::string_view key = line.substr(0, space);
    const std::string_view value = line.substr(space + 1);
    const auto number = [&](std::uint64_t& field) {
      const auto [rest, error] = std::from_chars(value.data(), value.data() + value.size(), field);
      return error == std::errc() && rest == value.data() + value.size();
    };
    bool good = true;
    if (key == "bytes") good = number(record.bytes);
    else if (key == "disk") good = number(record.disk);
    else if (key == "entries") good = number(record.entries);
    else if (key == "overlay" && value == "trusted") record.made = OverlayMarks::trusted;
    else if (key == "overlay" && value == "user") record.made = OverlayMarks::user;
    else if (key == "overlay") good = value == "none";
    else if (key == "whiteout") record.marks.whiteouts.emplace(value);
    else if (key == "opaque") record.marks.opaques.emplace(value);
    else if (key == "implicit") record.marks.implicit.emplace(value);
    else if (key == "end") return text.empty() ? std::optional(record) : std::nullopt;
    else good = false;
    if (!good) return std::nullopt;
  }
  return std::nullopt;
}

std::string format_owner(const Owner& owner, std::string_view path) {
  std::string text = fmt::format("{} {} {:o} {}", owner.uid, owner.gid, owner.mode, path);
  text += '\0';
  return text;
}

std::unordered_map<std::string, Owner> read_owners(const fs::path& file) {
  const std::string text = read_file(file, std::size_t{4} << 30);
  std::unordered_map<std::string, Owner> owners;
  std::string_view rest = text;
  while (!rest.empty()) {
    Owner owner;
    std::string_view path;
    if (!parse_number(rest, owner.uid, 10, ' ') || !parse_number(rest, owner.gid, 10, ' ') ||
        !parse_number(rest, owner.mode, 8, ' ') || !take_record(rest, path))
      throw Error(ExitCode::disk, fmt::format("{}: the file is damaged", file.string()))
          .next("remove the store; it is filled again");
    owners.insert_or_assign(std::string(path), owner);
  }
  return owners;
}

}  // namespace cib::store
