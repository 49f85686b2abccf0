#include "cnb/slices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

constexpr char32_t replacement = 0xfffd;

// The next character of UTF-8 text; what is none is U+FFFD of one byte, as in Go.
char32_t next_rune(std::string_view text, std::size_t& length) {
  length = 1;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first;
  const std::size_t size = first >= 0xf0 && first <= 0xf4 ? 4 : first >= 0xe0 && first < 0xf0 ? 3
                           : first >= 0xc2 && first < 0xe0 ? 2 : 0;
  if (size == 0 || text.size() < size) return replacement;
  char32_t rune = first & (0xff >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return replacement;
    rune = rune << 6 | (byte(i) & 0x3f);
  }
  const bool surrogate = rune >= 0xd800 && rune <= 0xdfff;
  if (surrogate || (size == 3 && rune < 0x800) || (size == 4 && (rune < 0x10000 || rune > 0x10ffff))) return replacement;
  length = size;
  return rune;
}

Error malformed(std::string_view pattern, std::string_view reason) {
  return Error(ExitCode::export_image, fmt::format("slice pattern '{}' is malformed: {}", pattern, reason))
      .next("correct the paths of [[slices]] in the buildpack's launch.toml");
}

// One end of a range in a class.
char32_t class_rune(std::string_view pattern, std::size_t& at) {
  if (at >= pattern.size()) throw malformed(pattern, "'[' has no ']'");
  if (pattern[at] == '-' || pattern[at] == ']') throw malformed(pattern, "a class or range is incomplete");
  if (pattern[at] == '\\' && ++at >= pattern.size()) throw malformed(pattern, "it ends in a backslash");
  std::size_t length = 0;
  const char32_t rune = next_rune(pattern.substr(at), length);
  if (rune == replacement && length == 1) throw malformed(pattern, "a class holds bytes that are no UTF-8");
  at += length;
  return rune;
}

}  // namespace

GlobPattern::Token GlobPattern::parse_class(std::string_view pattern, std::size_t& at) {
  Token token;
  token.kind = Token::Kind::one_of;
  ++at;
  if (at < pattern.size() && pattern[at] == '^') {
    token.kind = Token::Kind::none_of;
    ++at;
  }
  while (true) {
    if (at < pattern.size() && pattern[at] == ']' && !token.ranges.empty()) {
      ++at;
      return token;
    }
    Range range{};
    range.low = range.high = class_rune(pattern, at);
    if (at < pattern.size() && pattern[at] == '-') {
      ++at;
      range.high = class_rune(pattern, at);
    }
    token.ranges.push_back(range);
  }
}

GlobPattern::GlobPattern(std::string_view pattern) {
  m_chunks.emplace_back();
  std::size_t at = 0;
  while (at < pattern.size()) {
    switch (pattern[at]) {
      case '*':
        // A row of stars is one star.
        if (!m_chunks.back().tokens.empty() || !m_chunks.back().after_star) {
          if (m_chunks.size() == 1 && m_chunks.back().tokens.empty()) m_chunks.clear();
          m_chunks.push_back(Chunk{.after_star = true});
        }
        ++at;
        break;
      case '[': m_chunks.back().tokens.push_back(parse_class(pattern, at)); break;
      case '?':
        m_chunks.back().tokens.push_back(Token{.kind = Token::Kind::any});
        ++at;
        break;
      case '\\':
        if (++at >= pattern.size()) throw malformed(pattern, "it ends in a backslash");
        [[fallthrough]];
      default:
        m_chunks.back().tokens.push_back(Token{.byte = pattern[at]});
        ++at;
    }
  }
}

bool GlobPattern::match_chunk(const Chunk& chunk, std::string_view name, std::string_view& rest) {
  for (const Token& token : chunk.tokens) {
    if (name.empty()) return false;
    std::size_t length = 1;
    switch (token.kind) {
      case Token::Kind::byte:
        if (name[0] != token.byte) return false;
        break;
      case Token::Kind::any:
        if (name[0] == '/') return false;
        next_rune(name, length);
        break;
      case Token::Kind::one_of:
      case Token::Kind::none_of: {
        const char32_t rune = next_rune(name, length);
        bool in_class = false;
        for (const Range& range : token.ranges) in_class = in_class || (range.low <= rune && rune <= range.high);
        if (in_class != (token.kind == Token::Kind::one_of)) return false;
        break;
      }
    }
    name.remove_prefix(length);
  }
  rest = name;
  return true;
}

// Each chunk takes its leftmost place and keeps it. That differs from trying everything only where a class
// matches a slash, and there the reference does the same.
bool GlobPattern::matches(std::string_view name) const {
  for (std::size_t i = 0; i < m_chunks.size(); ++i) {
    const Chunk& chunk = m_chunks[i];
    const bool last = i + 1 == m_chunks.size();
    if (chunk.after_star && chunk.tokens.empty()) return name.find('/') == name.npos;
    const auto fits = [&](std::string_view from, std::string_view& rest) {
      return match_chunk(chunk, from, rest) && (!last || rest.empty());
    };
    std::string_view rest;
    bool found = fits(name, rest);
    if (!found && chunk.after_star)
      for (std::size_t skip = 0; skip < name.size() && name[skip] != '/' && !found; ++skip)
        found = fits(name.substr(skip + 1), rest);
    if (!found) return false;
    name = rest;
  }
  return name.empty();
}

std::string clean_path(std::string_view path) {
  const bool rooted = path.starts_with('/');
  std::vector<std::string_view> parts;
  std::size_t at = 0;
  while (at <= path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (!rooted) {
      parts.push_back(part);
    }
  }
  std::string out = rooted ? "/" : "";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += '/';
    out += parts[i];
  }
  return out.empty() ? "." : out;
}

namespace {

// The application's tree, and what of it was already given away.
class Tree {
 public:
  explicit Tree(std::span<const AppEntry> entries) {
    m_nodes.emplace("", Node{true});
    for (const AppEntry& entry : entries) {
      m_nodes.insert_or_assign(entry.path, Node{entry.is_folder || entry.path.empty()});
      for (std::string above = parent_of(entry.path); !above.empty(); above = parent_of(above))
        m_nodes.emplace(above, Node{true});
    }
    for (const auto& [path, node] : m_nodes)
      if (!path.empty()) ++m_nodes.at(parent_of(path)).open;
  }

  // Everything that the patterns want and nobody has, with the folders above.
  std::vector<AppEntry> take(const std::vector<std::string>& patterns) {
    std::set<std::string> slice;
    for (const std::string& text : patterns) {
      const std::string cleaned = clean_path(text);
      const GlobPattern pattern(cleaned);
      if (cleaned == ".") take_tree("", slice);
      for (const auto& [path, node] : m_nodes)
        if (!path.empty() && !node.taken && pattern.matches(path)) take_tree(path, slice);
    }
    return listed(slice);
  }

  std::vector<AppEntry> rest() {
    std::set<std::string> left;
    for (const auto& [path, node] : m_nodes)
      if (!node.taken) left.insert(path);
    return listed(left);
  }

 private:
  struct Node {
    bool is_folder = false;
    bool taken = false;
    std::size_t open = 0;  // entries directly in it that nobody has taken
  };

  static std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == path.npos ? "" : path.substr(0, slash);
  }

  void take_tree(const std::string& path, std::set<std::string>& slice) {
    const std::string below = path.empty() ? "" : path + "/";
    // Deepest last in this order, and the folder itself comes last of all: it may be taken on the way.
    for (auto node = m_nodes.lower_bound(below); node != m_nodes.end() && node->first.starts_with(below); ++node)
      take_one(node->first, slice);
    take_one(path, slice);
  }

  void take_one(const std::string& path, std::set<std::string>& slice) {
    Node& node = m_nodes.at(path);
    if (node.taken) return;
    node.taken = true;
    slice.insert(path);
    std::string child = path;
    while (!child.empty()) {
      const std::string above = parent_of(child);
      slice.insert(above);
      Node& folder = m_nodes.at(above);
      if (--folder.open > 0 || folder.taken) {
        // Not consumed, or already counted in the folder above it; only the names are still missing.
        for (child = above; !child.empty(); child = parent_of(child)) slice.insert(parent_of(child));
        return;
      }
      folder.taken = true;
      child = above;
    }
  }

  std::vector<AppEntry> listed(const std::set<std::string>& paths) const {
    std::vector<AppEntry> entries;
    for (const std::string& path : paths) entries.push_back({path, m_nodes.at(path).is_folder});
    return entries;
  }

  std::map<std::string, Node> m_nodes;
};

}  // namespace

std::vector<std::vector<AppEntry>> slice_app(std::span<const AppEntry> entries,
                                             const std::vector<std::vector<std::string>>& slices) {
  Tree tree(entries);
  std::vector<std::vector<AppEntry>> lists;
  for (const std::vector<std::string>& patterns : slices) lists.push_back(tree.take(patterns));
  lists.push_back(tree.rest());
  return lists;
}

}  // namespace cib::cnb
