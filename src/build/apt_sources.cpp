#include "build/apt_sources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <utility>
#include <vector>

namespace cib::build {

namespace {

// One source: field names in lower case, in order. A value may have several lines (an inline key).
using Stanza = std::vector<std::pair<std::string, std::string>>;

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

std::vector<std::string> words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> list;
  for (std::string word; stream >> word;) list.push_back(word);
  return list;
}

std::string* find(Stanza& stanza, std::string_view name) {
  for (auto& [key, value] : stanza)
    if (key == name) return &value;
  return nullptr;
}

std::vector<Stanza> parse_deb822(std::string_view text) {
  std::vector<Stanza> stanzas(1);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('#')) continue;
    if (trimmed(line).empty()) {
      if (!stanzas.back().empty()) stanzas.emplace_back();
    } else if (line.front() == ' ' || line.front() == '\t') {
      if (!stanzas.back().empty()) stanzas.back().back().second.append("\n").append(line);
    } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
      stanzas.back().emplace_back(lower(trimmed(line.substr(0, colon))), std::string(trimmed(line.substr(colon + 1))));
    }
  }
  return stanzas;
}

// deb [option=value …] uri suite component…
std::vector<Stanza> parse_one_line(std::string_view text) {
  std::vector<Stanza> stanzas;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = trimmed(line.substr(0, line.find('#')));
    Stanza stanza;
    if (const std::size_t open = line.find('['), close = line.find(']');
        open != std::string_view::npos && close != std::string_view::npos && open < close) {
      for (const std::string& option : words(line.substr(open + 1, close - open - 1)))
        if (const std::size_t equals = option.find('='); equals != std::string::npos)
          stanza.emplace_back(option.substr(0, equals), option.substr(equals + 1));
      const std::string rest = std::string(line.substr(0, open)) + " " + std::string(line.substr(close + 1));
      const std::vector<std::string> parts = words(rest);
      if (parts.size() < 4) continue;
      stanza.insert(stanza.begin(), {{"types", parts[0]}, {"uris", parts[1]}, {"suites", parts[2]}});
      stanza.emplace_back("components", fmt::format("{}", fmt::join(parts.begin() + 3, parts.end(), " ")));
    } else {
      const std::vector<std::string> parts = words(line);
      if (parts.size() < 4) continue;
      stanza = {{"types", parts[0]},
                {"uris", parts[1]},
                {"suites", parts[2]},
                {"components", fmt::format("{}", fmt::join(parts.begin() + 3, parts.end(), " "))}};
    }
    stanzas.push_back(std::move(stanza));
  }
  return stanzas;
}

// deb822 calls the options of the one-line form by other names.
std::string field_name(const std::string& key) {
  if (key == "arch") return "architectures";
  if (key == "lang") return "languages";
  if (key == "target") return "targets";
  return key;
}

// True when the stanza offers something of the release; it is cut down to that.
bool reduce(Stanza& stanza, std::string_view release) {
  const std::string* enabled = find(stanza, "enabled");
  if (enabled && (*enabled == "no" || *enabled == "false" || *enabled == "0")) return false;
  std::string* types = find(stanza, "types");
  std::string* suites = find(stanza, "suites");
  std::string* components = find(stanza, "components");
  if (!types || !suites || !components || !find(stanza, "uris")) return false;
  const auto has = [](const std::string& list, std::string_view word) {
    const std::vector<std::string> all = words(list);
    return std::ranges::find(all, word) != all.end();
  };
  if (!has(*types, "deb") || !has(*components, "main")) return false;
  std::vector<std::string> fitting = words(*suites);
  std::erase_if(fitting, [&](const std::string& suite) {
    return suite != release && suite != fmt::format("{}-updates", release) &&
           suite != fmt::format("{}-security", release);
  });
  if (fitting.empty()) return false;
  *types = "deb";
  *components = "main";
  *suites = fmt::format("{}", fmt::join(fitting, " "));
  return true;
}

}  // namespace

std::string public_apt_sources(std::string_view release) {
  constexpr std::string_view keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  return fmt::format(
      "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: {0} {0}-updates\nComponents: main\nSigned-By: {1}\n\n"
      "Types: deb\nURIs: http://deb.debian.org/debian-security\nSuites: {0}-security\nComponents: main\n"
      "Signed-By: {1}\n",
      release, keyring);
}

std::string apt_sources_for(std::string_view release, const fs::path& folder) {
  std::vector<Stanza> all;
  const auto add = [&](std::vector<Stanza> more) { std::ranges::move(more, std::back_inserter(all)); };
  if (const auto text = read_file_if_exists(folder / "sources.list")) add(parse_one_line(*text));
  if (exists_no_follow(folder / "sources.list.d")) {
    for (const FolderEntry& entry : list_folder(folder / "sources.list.d")) {
      const fs::path file = folder / "sources.list.d" / entry.name;
      if (entry.name.ends_with(".list")) add(parse_one_line(read_file(file)));
      if (entry.name.ends_with(".sources")) add(parse_deb822(read_file(file)));
    }
  }
  std::string text;
  bool has_release = false;
  for (Stanza& stanza : all) {
    if (!reduce(stanza, release)) continue;
    const std::vector<std::string> suites = words(*find(stanza, "suites"));
    has_release |= std::ranges::find(suites, release) != suites.end();
    for (const auto& [key, value] : stanza) text += fmt::format("{}: {}\n", field_name(key), value);
    text += "\n";
  }
  return has_release ? text : public_apt_sources(release);
}

}  // namespace cib::build
