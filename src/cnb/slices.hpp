// The application in slices: files that change together get a layer of their own (buildpack spec "launch.toml",
// [[slices]]; platform spec "Application Layers").
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cib::cnb {

// Go's filepath.Match: `*` and `?` stay inside one path element; [a-z], [^a-z]; `\` escapes. A class can match a
// slash. The whole name must match.
class GlobPattern {
 public:
  // Throws Error(export_image) when the pattern is malformed: an open or empty class, a range without an end, a
  // lone backslash at the end.
  explicit GlobPattern(std::string_view pattern);
  bool matches(std::string_view name) const;

 private:
  struct Range {
    char32_t low;
    char32_t high;
  };
  struct Token {
    enum class Kind { byte, any, one_of, none_of } kind = Kind::byte;
    char byte = 0;
    std::vector<Range> ranges;
  };
  // What stands between stars.
  struct Chunk {
    bool after_star = false;
    std::vector<Token> tokens;
  };
  static bool match_chunk(const Chunk& chunk, std::string_view name, std::string_view& rest);
  static Token parse_class(std::string_view pattern, std::size_t& at);

  std::vector<Chunk> m_chunks;
};

// Go's filepath.Clean: no double slashes, no `.` and as few `..` as possible, no slash at the end; "" is ".".
std::string clean_path(std::string_view path);

// Something in the application, by its path relative to the application's folder ("" is the folder itself).
struct AppEntry {
  std::string path;
  bool is_folder = false;
  bool operator==(const AppEntry&) const = default;
};

// Divides the application: as many lists as `slices` has pattern lists, and one with the rest. Each list is sorted
// bytewise and holds the folders above its entries, the application's own included, as far as they were not given.
// An entry goes to the first slice that wants it; a matching folder takes everything below it that is left; a
// folder whose entries are all taken is taken too, and then not part of the rest. A list may be empty. `entries`: the
// whole tree, with the application's folder, in any order. Throws Error(export_image) for a malformed pattern.
std::vector<std::vector<AppEntry>> slice_app(std::span<const AppEntry> entries,
                                             const std::vector<std::vector<std::string>>& slices);

}  // namespace cib::cnb
