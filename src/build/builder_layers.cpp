#include "build/builder_layers.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <vector>

#include "base/error.hpp"
#include "cnb/go_toml.hpp"
#include "oci/tar_writer.hpp"

namespace cib::build {

namespace {

using oci::TarHeader;
using oci::TarWriter;

void folder(TarWriter& writer, const std::string& name, std::uint64_t uid = 0, std::uint64_t gid = 0) {
  writer.header({.name = name, .type = TarHeader::Type::folder, .mode = 0755, .uid = uid, .gid = gid});
}

void file(TarWriter& writer, const std::string& name, std::string_view text, std::uint32_t mode = 0644) {
  writer.header({.name = name, .mode = mode, .size = text.size()});
  writer.contents(as_bytes(text));
}

void symlink(TarWriter& writer, const std::string& name, const fs::path& place) {
  writer.header(
      {.name = name, .type = TarHeader::Type::symlink, .mode = 0777, .link = fs::read_symlink(place).string()});
}

// The contents of `place` under `name`, sorted by name.
void tree(TarWriter& writer, const fs::path& place, const std::string& name) {
  for (const FolderEntry& entry : list_folder(place)) {
    const fs::path path = place / entry.name;
    const std::string inside = name + "/" + entry.name;
    if (entry.type == DT_DIR) {
      folder(writer, inside);
      tree(writer, path, inside);
    } else if (entry.type == DT_LNK) {
      symlink(writer, inside, path);
    } else if (entry.type == DT_REG) {
      struct stat status;
      if (::lstat(path.c_str(), &status) != 0) throw system_error(errno, path.string());
      file(writer, inside, read_file(path, 1u << 30), status.st_mode & 0100 ? 0755 : 0644);
    } else {
      throw Error(ExitCode::configuration, fmt::format("{} is no file, folder or link", path.string()));
    }
  }
}

std::string group_toml(std::string_view table, const cnb::Group& group) {
  std::string text;
  for (const cnb::GroupElement& element : group) {
    text += fmt::format("[[{}]]\nid = {}\n", table, cnb::go_toml_string(element.id));
    if (!element.version.empty()) text += fmt::format("version = {}\n", cnb::go_toml_string(element.version));
    if (element.optional) text += "optional = true\n";
    text += "\n";
  }
  return text;
}

std::string image_toml(const cnb::RunImage& image) {
  std::string text = fmt::format("image = {}\n", cnb::go_toml_string(image.image));
  if (!image.mirrors.empty()) text += fmt::format("mirrors = {}\n", cnb::go_toml_array(image.mirrors));
  return text;
}

}  // namespace

void write_folders_layer(Sink& sink, std::uint32_t uid, std::uint32_t gid) {
  TarWriter writer(sink);
  for (const char* name : {"/workspace", "/layers"}) folder(writer, name, uid, gid);
  for (const char* name : {"/cnb", "/cnb/buildpacks", "/platform", "/platform/env"}) folder(writer, name);
  writer.finish();
}

void write_buildpack_layer(Sink& sink, const cnb::Buildpack& buildpack, const fs::path& place) {
  TarWriter writer(sink);
  std::string name = "/cnb";
  folder(writer, name);
  for (const std::string& part : {std::string("buildpacks"), cnb::escaped_id(buildpack.id), buildpack.version})
    folder(writer, name += "/" + part);
  tree(writer, place, name);
  writer.finish();
}

void write_lifecycle_layer(Sink& sink, std::string_view launcher, std::string_view toml, const fs::path& place) {
  TarWriter writer(sink);
  folder(writer, "/cnb");
  folder(writer, "/cnb/lifecycle");
  if (!place.empty()) {
    for (const FolderEntry& entry : list_folder(place)) {
      if (entry.name == "launcher" || entry.name == "lifecycle.toml") continue;
      const std::string name = "/cnb/lifecycle/" + entry.name;
      // Programs have no suffix, lists of what is in them have.
      const bool program = entry.name.find('.') == std::string::npos;
      if (entry.type == DT_REG) file(writer, name, read_file(place / entry.name, 1u << 30), program ? 0755 : 0644);
      if (entry.type == DT_LNK) symlink(writer, name, place / entry.name);
    }
  }
  file(writer, "/cnb/lifecycle/launcher", launcher, 0755);
  file(writer, "/cnb/lifecycle/lifecycle.toml", toml);
  writer.finish();
}

void write_file_layer(Sink& sink, const std::string& name, std::string_view text) {
  TarWriter writer(sink);
  folder(writer, "/cnb");
  file(writer, "/cnb/" + name, text);
  writer.finish();
}

void write_build_config_layer(Sink& sink, const std::vector<cnb::BuilderToml::Variable>& variables) {
  std::map<std::string, std::string> files;
  for (const auto& variable : variables) {
    files[variable.suffix.empty() ? variable.name : variable.name + "." + variable.suffix] = variable.value;
    if (!variable.delim.empty()) files[variable.name + ".delim"] = variable.delim;
  }
  TarWriter writer(sink);
  for (const char* name : {"/cnb", "/cnb/build-config", "/cnb/build-config/env"}) folder(writer, name);
  for (const auto& [name, value] : files) file(writer, "/cnb/build-config/env/" + name, value);
  writer.finish();
}

std::string lifecycle_toml(std::string_view version, const cnb::ApiVersions& buildpack, const cnb::ApiVersions& platform) {
  const auto versions = [](std::string_view name, const cnb::ApiVersions& api) {
    return fmt::format("[apis.{}]\ndeprecated = {}\nsupported = {}\n\n", name, cnb::go_toml_array(api.deprecated),
                       cnb::go_toml_array(api.supported));
  };
  return versions("buildpack", buildpack) + versions("platform", platform) +
         fmt::format("[lifecycle]\nversion = {}\n", cnb::go_toml_string(version));
}

std::string run_toml(const std::vector<cnb::RunImage>& images) {
  std::string text;
  for (const cnb::RunImage& image : images) text += "[[images]]\n" + image_toml(image) + "\n";
  return text;
}

std::string stack_toml(const cnb::RunImage& image) { return "[run-image]\n" + image_toml(image); }

std::string system_toml(const cnb::Group& pre, const cnb::Group& post) {
  return group_toml("system.pre.buildpacks", pre) + group_toml("system.post.buildpacks", post);
}

}  // namespace cib::build
