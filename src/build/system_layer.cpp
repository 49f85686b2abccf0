#include "build/system_layer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>
#include <vector>

#include "base/error.hpp"
#include "oci/tar_reader.hpp"
#include "oci/tar_writer.hpp"

namespace cib::build {

namespace {

using oci::TarEntry;
using oci::TarHeader;

constexpr std::int64_t layer_time = TarHeader{}.mtime;

// "./usr/bin/" is "usr/bin"; the root itself is "".
std::string plain_name(std::string_view name) {
  while (name.starts_with("./") || name.starts_with('/')) name.remove_prefix(name.front() == '.' ? 2 : 1);
  while (name.ends_with('/')) name.remove_suffix(1);
  return name == "." ? std::string() : std::string(name);
}

std::string_view parent_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

// Reads the entries that stay, with their names and times as the layer has them.
class SystemReader {
 public:
  SystemReader(Source& tar, const SystemRules& rules) : m_tar(tar), m_rules(rules) {}

  bool next(TarEntry& entry) {
    while (m_tar.next(entry)) {
      entry.name = plain_name(entry.name);
      if (entry.type == TarHeader::Type::hard_link) entry.link = plain_name(entry.link);
      if (entry.name.empty() || is_left_out(entry.name) || m_rules.extra.contains(entry.name)) continue;
      if (entry.type != TarHeader::Type::file && entry.type != TarHeader::Type::folder &&
          entry.type != TarHeader::Type::symlink && entry.type != TarHeader::Type::hard_link)
        continue;  // devices and pipes: whoever runs the image makes them
      // Logs, but not the folders in which services expect to find them.
      if (entry.type != TarHeader::Type::folder && entry.name.starts_with("var/log/")) continue;
      if (entry.mtime > m_rules.installed_at) entry.mtime = layer_time;
      entry.xattrs.clear();
      return true;
    }
    return false;
  }

  std::size_t read(std::span<std::byte> buffer) { return m_tar.read(buffer); }

 private:
  oci::TarReader m_tar;
  const SystemRules& m_rules;
};

template <class Take>
void read_contents(SystemReader& reader, Take&& take) {
  std::vector<std::byte> buffer(1u << 18);
  while (const std::size_t got = reader.read(buffer)) take(Bytes(buffer.data(), got));
}

// The names that the layer holds: what differs, and whatever that needs.
std::set<std::string, std::less<>> names_to_write(const SystemIndex& index, const SystemIndex& below) {
  std::set<std::string, std::less<>> names;
  const auto add = [&](std::string_view name, const auto& self) -> void {
    for (; !name.empty() && names.emplace(name).second; name = parent_of(name)) {
      const auto found = index.find(name);
      // A hard link must stand in the same layer as the file.
      if (found != index.end() && found->second.type == '1') self(found->second.link, self);
    }
  };
  for (const auto& [name, entry] : index) {
    const auto old = below.find(name);
    if (old == below.end() || old->second != entry) add(name, add);
  }
  for (const auto& [name, entry] : below)
    if (!index.contains(name)) add(parent_of(name), add);
  return names;
}

void write_file(oci::TarWriter& writer, const std::string& name, std::string_view text) {
  writer.header({.name = name, .mode = 0644, .size = text.size()});
  writer.contents(as_bytes(text));
}

}  // namespace

bool is_left_out(std::string_view name) {
  // Everything below these folders.
  static constexpr std::string_view folders[] = {
      "dev", "proc", "sys", "run", "tmp", "var/tmp", "var/cache/apt", "var/cache/debconf", "var/lib/apt/lists",
      "etc/apt/sources.list.d", "root"};
  static constexpr std::string_view files[] = {
      "etc/.pwd.lock",     "etc/apt/apt.conf.d/00mmdebstrap", "etc/apt/apt.conf.d/99mmdebstrap",
      "etc/apt/sources.list", "etc/dpkg/dpkg.cfg.d/99mmdebstrap", "etc/group-",
      "etc/gshadow-",      "etc/hostname",         "etc/hosts",
      "etc/machine-id",    "etc/passwd-",          "etc/resolv.conf",
      "etc/shadow-",       "etc/subgid-",          "etc/subuid-",
      "var/cache/ldconfig/aux-cache", "var/lib/dbus/machine-id", "var/lib/dpkg/lock",
      "var/lib/dpkg/lock-frontend", "var/lib/dpkg/status-old", "var/lib/dpkg/available-old",
      "var/lib/dpkg/diversions-old", "var/lib/dpkg/statoverride-old", "var/lib/dpkg/triggers/Lock",
      "var/lib/apt/extended_states", "var/lib/systemd/random-seed"};
  for (const std::string_view folder : folders)
    if (name.size() > folder.size() && name.starts_with(folder) && name[folder.size()] == '/') return true;
  return std::ranges::find(files, name) != std::end(files);
}

SystemIndex index_system(Source& tar, const SystemRules& rules, std::string* os_release) {
  SystemIndex index;
  SystemReader reader(tar, rules);
  for (TarEntry entry; reader.next(entry);) {
    SystemEntry what{static_cast<char>(entry.type), entry.mode, entry.uid, entry.gid, entry.mtime, entry.link, {}};
    if (entry.type == TarHeader::Type::file) {
      oci::Sha256 hash;
      std::string* text = entry.name == "usr/lib/os-release" ? os_release : nullptr;
      read_contents(reader, [&](Bytes bytes) {
        hash.write(bytes);
        if (text) text->append(as_text(bytes));
      });
      what.contents = hash.finish();
    }
    index.insert_or_assign(entry.name, what);
  }
  for (const auto& [name, text] : rules.extra) {
    if (!parent_of(name).empty() && !index.contains(parent_of(name)))
      throw Error(ExitCode::configuration, fmt::format("the base has no folder /{}", parent_of(name)));
    index[name] = {'0', 0644, 0, 0, layer_time, "", oci::sha256_of(text)};
  }
  return index;
}

void write_system_layer(Source& tar, const SystemIndex& index, const SystemIndex* below, const SystemRules& rules,
                        Sink& layer) {
  std::set<std::string, std::less<>> names;
  if (below) names = names_to_write(index, *below);
  const auto wanted = [&](std::string_view name) { return !below || names.contains(name); };

  oci::TarWriter writer(layer);
  SystemReader reader(tar, rules);
  for (TarEntry entry; reader.next(entry);) {
    if (!wanted(entry.name)) continue;
    writer.header(entry);
    if (entry.type == TarHeader::Type::file) read_contents(reader, [&](Bytes bytes) { writer.contents(bytes); });
  }
  for (const auto& [name, text] : rules.extra)
    if (wanted(name)) write_file(writer, name, text);
  if (below) {
    for (const auto& [name, entry] : *below) {
      if (index.contains(name)) continue;
      const std::string_view parent = parent_of(name);
      if (!parent.empty() && !index.contains(parent)) continue;  // it went with its folder
      const std::string_view folder = std::string_view(name).substr(0, parent.empty() ? 0 : parent.size() + 1);
      write_file(writer, fmt::format("{}.wh.{}", folder, name.substr(folder.size())), "");
    }
  }
  writer.finish();
}

}  // namespace cib::build
