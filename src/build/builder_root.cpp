#include "build/builder_root.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "base/beneath.hpp"
#include "base/error.hpp"
#include "base/suggest.hpp"
#include "oci/compression.hpp"
#include "store/extract.hpp"

namespace cib::build {

namespace {

constexpr std::size_t largest_descriptor = 4u << 20;

bool is_archive_name(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".tgz") || name.ends_with(".tar.gz") || name.ends_with(".tar") || name.ends_with(".tar.zst");
}

// A buildpack of a stranger runs as the CNB user: it must be able to read all of it, whatever the modes here are.
void copy_readable(const fs::path& from, const fs::path& to) {
  make_folders(to);
  for (const FolderEntry& entry : list_folder(from)) {
    const fs::path source = from / entry.name, target = to / entry.name;
    std::error_code error;
    if (fs::is_symlink(source)) {
      fs::copy_symlink(source, target, error);
      if (error) throw system_error(error.value(), target.string(), ExitCode::configuration);
    } else if (fs::is_directory(source)) {
      copy_readable(source, target);
    } else if (fs::is_regular_file(source)) {
      fs::copy_file(source, target, error);
      if (error) throw system_error(error.value(), source.string(), ExitCode::configuration);
      const bool executable = (fs::status(source).permissions() & fs::perms::owner_exec) != fs::perms::none;
      fs::permissions(target, static_cast<fs::perms>(executable ? 0755 : 0644));
    }
  }
}

ExtraBuildpack describe(const fs::path& folder, const std::string& locator) {
  const auto text = read_file_beneath(folder, "buildpack.toml", ExitCode::configuration, largest_descriptor);
  if (!text)
    throw Error(ExitCode::configuration, fmt::format("--buildpack {}: no buildpack.toml in it", locator))
        .next("name the folder (or an archive of it) that has buildpack.toml and bin");
  return {cnb::parse_buildpack_toml(*text, locator + "/buildpack.toml"), folder};
}

ExtraBuildpack from_folder(const fs::path& path, const std::string& locator, const fs::path& scratch) {
  if (!fs::exists(path / "buildpack.toml")) describe(path, locator);
  copy_readable(path, scratch);
  return describe(scratch, locator);
}

ExtraBuildpack from_archive(const fs::path& path, const std::string& locator, const fs::path& scratch) {
  make_folders(scratch);
  const auto tar = oci::inflate(std::make_unique<FileSource>(path));
  store::ExtractOptions options;
  options.mode = store::ExtractOptions::Mode::apply;
  options.name = locator;
  try {
    store::extract(*tar, scratch, options);
  } catch (Error& error) {
    throw error.within(fmt::format("--buildpack {}", locator));
  }
  // Archives of a folder hold the folder itself as often as its contents.
  fs::path folder = scratch;
  const auto entries = list_folder(scratch);
  if (!fs::exists(folder / "buildpack.toml") && entries.size() == 1 && entries[0].type == DT_DIR)
    folder /= entries[0].name;
  const fs::path readable = scratch.string() + ".readable";
  describe(folder, locator);
  copy_readable(folder, readable);
  return describe(readable, locator);
}

cnb::GroupElement from_builder(const std::string& locator, const cnb::Builder& builder) {
  std::string id = locator;
  for (const std::string_view prefix : {"urn:cnb:builder:", "from=builder:"})
    if (id.starts_with(prefix)) id.erase(0, prefix.size());
  std::string version;
  if (const std::size_t at = id.find('@'); at != std::string::npos) {
    version = id.substr(at + 1);
    id.erase(at);
  }
  const auto known = builder.buildpacks.find(id);
  if (known == builder.buildpacks.end()) {
    std::vector<std::string_view> ids;
    for (const auto& [other, versions] : builder.buildpacks) ids.push_back(other);
    throw Error(ExitCode::configuration,
                fmt::format("--buildpack {}: the builder has no such buildpack{}", locator, did_you_mean(id, ids)))
        .why("it is neither a folder nor an archive here, nor an id in the builder")
        .next("name a folder with buildpack.toml, an archive of one, or an id of the builder");
  }
  std::string versions;
  for (const auto& [name, description] : known->second) versions += (versions.empty() ? "" : ", ") + name;
  if (version.empty() && known->second.size() > 1)
    throw Error(ExitCode::configuration, fmt::format("--buildpack {}: the builder has several versions of it", locator))
        .next(fmt::format("add one of them: {}", versions));
  if (!version.empty() && !known->second.contains(version))
    throw Error(ExitCode::configuration, fmt::format("--buildpack {}: the builder does not have this version", locator))
        .next(fmt::format("it has {}", versions));
  return {id, version.empty() ? known->second.begin()->first : version, false};
}

}  // namespace

ChosenBuildpacks choose_buildpacks(const std::vector<std::string>& locators, const cnb::Builder& builder,
                                   const fs::path& scratch) {
  ChosenBuildpacks chosen;
  if (locators.empty()) {
    chosen.order = builder.order;
    return chosen;
  }
  cnb::Group group;
  for (const std::string& locator : locators) {
    std::string path = locator.starts_with("file://") ? locator.substr(7) : locator;
    const fs::path place = scratch / std::to_string(chosen.extras.size());
    if (fs::is_directory(path) && fs::exists(fs::path(path) / "buildpack.toml"))
      chosen.extras.push_back(from_folder(path, locator, place));
    else if (fs::is_regular_file(path))
      chosen.extras.push_back(from_archive(path, locator, place));
    else if (fs::is_directory(path) && !builder.buildpacks.contains(locator))
      describe(path, locator);
    else if (is_archive_name(path))
      throw Error(ExitCode::configuration, fmt::format("--buildpack {}: no such file", locator));
    else {
      group.push_back(from_builder(locator, builder));
      continue;
    }
    const cnb::Buildpack& extra = chosen.extras.back().description;
    group.push_back({extra.id, extra.version, false});
  }
  chosen.order = {group};
  return chosen;
}

std::optional<std::string> read_root_file(const store::Rootfs& root, const std::string& path, std::size_t limit) {
  const auto place = root.locate(path);
  if (!place) return std::nullopt;
  if (!fs::is_regular_file(fs::symlink_status(*place)))
    throw Error(ExitCode::configuration, fmt::format("{} of the builder is not a file", path));
  return read_file(*place, limit);
}

cnb::EnvFiles read_root_env(const store::Rootfs& root, const std::string& folder) {
  cnb::EnvFiles files;
  for (const std::string& name : root.list(folder)) {
    const std::string path = folder + "/" + name;
    const auto place = root.locate(path);
    if (place && fs::is_regular_file(fs::symlink_status(*place))) files[name] = read_file(*place, 1u << 20);
  }
  return files;
}

std::string home_of(const store::Rootfs& root, uid_t uid) {
  const std::string passwd = read_root_file(root, "/etc/passwd").value_or("");
  std::string_view rest = passwd;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    std::vector<std::string_view> fields;
    for (;;) {
      const std::size_t colon = line.find(':');
      fields.push_back(line.substr(0, colon));
      if (colon == std::string_view::npos) break;
      line.remove_prefix(colon + 1);
    }
    if (fields.size() < 6 || fields[5].empty()) continue;
    uid_t found = 0;
    const auto [end, error] = std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), found);
    if (error == std::errc() && end == fields[2].data() + fields[2].size() && found == uid)
      return std::string(fields[5]);
  }
  return "/";
}

}  // namespace cib::build
