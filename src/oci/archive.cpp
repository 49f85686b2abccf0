#include "oci/archive.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "base/error.hpp"
#include "oci/compression.hpp"
#include "oci/json_fields.hpp"
#include "oci/partial.hpp"
#include "oci/stored_image.hpp"
#include "oci/tar_reader.hpp"
#include "oci/tar_writer.hpp"

namespace cib::oci {

namespace {

constexpr std::size_t largest_document = 8u << 20;
constexpr std::size_t most_entries = 20000;

struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// Part of a file, as a source.
class ExtentSource : public Source {
 public:
  ExtentSource(fs::path file, Extent extent)
      : m_fd(open_file(file, O_RDONLY)), m_name(std::move(file)), m_extent(extent) {}
  std::size_t read(std::span<std::byte> buffer) override {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), m_extent.size));
    if (wanted == 0) return 0;
    const ssize_t count = ::pread(m_fd.get(), buffer.data(), wanted, static_cast<off_t>(m_extent.offset));
    if (count < 0) throw system_error(errno, m_name.string(), ExitCode::configuration);
    if (count == 0) throw Error(ExitCode::configuration, fmt::format("{}: ends too early", m_name.string()));
    m_extent.offset += static_cast<std::uint64_t>(count);
    m_extent.size -= static_cast<std::uint64_t>(count);
    return static_cast<std::size_t>(count);
  }

 private:
  Fd m_fd;
  fs::path m_name;
  Extent m_extent;
};

class PositionSource : public Source {
 public:
  explicit PositionSource(Source& source) : m_source(source) {}
  std::size_t read(std::span<std::byte> buffer) override {
    const std::size_t count = m_source.read(buffer);
    position += count;
    return count;
  }
  std::uint64_t position = 0;

 private:
  Source& m_source;
};

// Where the archive's files lie; links (docker save makes them for equal layers) lead to their target's place.
class Contents {
 public:
  explicit Contents(fs::path file) : m_file(std::move(file)) {
    FileSource raw(m_file);
    PositionSource position(raw);
    TarReader reader(position);
    std::map<std::string, std::string> links;
    TarEntry entry;
    while (reader.next(entry)) {
      const std::string name = normal(entry.name);
      if (m_extents.size() + links.size() > most_entries)
        throw Error(ExitCode::configuration, "more files than an image archive has");
      if (entry.type == TarHeader::Type::file) m_extents[name] = {position.position, entry.size};
      if (entry.type == TarHeader::Type::hard_link) links[name] = normal(entry.link);
      if (entry.type == TarHeader::Type::symlink)
        links[name] = normal((fs::path(name).parent_path() / entry.link).string());
    }
    for (const auto& [name, target] : links)
      if (const auto found = m_extents.find(target); found != m_extents.end()) m_extents[name] = found->second;
  }

  const Extent* find(const std::string& name) const {
    const auto found = m_extents.find(normal(name));
    return found == m_extents.end() ? nullptr : &found->second;
  }

  Extent get(const std::string& name) const {
    if (const Extent* extent = find(name)) return *extent;
    throw Error(ExitCode::configuration, fmt::format("{} is missing", name));
  }

  std::string text(const std::string& name) const {
    ExtentSource source(m_file, get(name));
    return read_all(source, largest_document);
  }

  std::unique_ptr<Source> open(Extent extent) const { return std::make_unique<ExtentSource>(m_file, extent); }

 private:
  static std::string normal(const std::string& name) {
    std::string text = fs::path("/" + name).lexically_normal().string();
    return text.substr(1);
  }

  fs::path m_file;
  std::map<std::string, Extent> m_extents;
};

// The archive's own manifest.json names a configuration and layer files; their descriptors are made here.
std::shared_ptr<const Image> from_docker_manifest(const std::string& name, std::shared_ptr<Contents> contents) {
  Json list;
  try {
    list = Json::parse(contents->text("manifest.json"));
  } catch (const Json::exception&) {
    bad_json("manifest.json", "not JSON");
  }
  if (!list.is_array() || list.size() != 1 || !list[0].is_object())
    bad_json("manifest.json", "it does not describe exactly one image");
  const std::string config_name = string_field(list[0], "Config", "manifest.json");
  const auto layer_names = string_list(list[0], "Layers", "manifest.json");
  std::string config_json = contents->text(config_name);
  const ImageConfig config = parse_config(config_json);
  if (layer_names.size() != config.diff_ids.size())
    bad_json("manifest.json", fmt::format("{} layers, but {} diffIDs in {}", layer_names.size(),
                                          config.diff_ids.size(), config_name));
  Manifest manifest;
  manifest.media_type = media_type::oci_manifest;
  manifest.config = {.media_type = std::string(media_type::oci_config),
                     .digest = sha256_of(config_json),
                     .size = config_json.size()};
  auto extents = std::make_shared<std::map<Digest, Extent>>();
  for (std::size_t i = 0; i < layer_names.size(); ++i) {
    const Extent extent = contents->get(layer_names[i]);
    std::array<std::byte, 4> head{};
    read_full(*contents->open(extent), head);
    Descriptor layer{.media_type = std::string(media_type::oci_layer), .digest = config.diff_ids[i],
                     .size = extent.size};
    // A plain tar's digest is its diffID, checked when it is read; a compressed one has to be hashed now.
    const bool gzip = head[0] == std::byte{0x1f} && head[1] == std::byte{0x8b};
    const bool zstd = head[0] == std::byte{0x28} && head[1] == std::byte{0xb5};
    if (gzip || zstd) {
      Sha256 hash;
      copy(*contents->open(extent), hash);
      layer.digest = hash.finish();
      layer.media_type = gzip ? media_type::oci_layer_gzip : media_type::oci_layer_zstd;
    }
    (*extents)[layer.digest] = extent;
    manifest.layers.push_back(std::move(layer));
  }
  return std::make_shared<StoredImage>(name, to_json(manifest), std::move(config_json),
                                       [contents, extents](const Descriptor& layer) {
                                         return contents->open(extents->at(layer.digest));
                                       });
}

std::shared_ptr<const Image> from_layout(const std::string& name, std::shared_ptr<Contents> contents) {
  const Index index = parse_index(contents->text("index.json"));
  if (index.manifests.size() != 1)
    throw Error(ExitCode::configuration, fmt::format("it holds {} images", index.manifests.size()));
  const auto blob = [contents](const Digest& digest) { return contents->get("blobs/sha256/" + digest.hex()); };
  const auto document = [&](const Digest& digest) {
    std::string text = contents->text("blobs/sha256/" + digest.hex());
    if (sha256_of(text) != digest)
      throw Error(ExitCode::configuration, fmt::format("blob {} does not have that digest", digest.brief()));
    return text;
  };
  std::string manifest = document(index.manifests[0].digest);
  if (is_index(manifest)) {
    const Index inner = parse_index(manifest);
    if (inner.manifests.empty()) throw Error(ExitCode::configuration, "its index is empty");
    manifest = document(inner.manifests[0].digest);
  }
  std::string config = document(parse_manifest(manifest).config.digest);
  return std::make_shared<StoredImage>(name, std::move(manifest), std::move(config),
                                       [contents, blob](const Descriptor& layer) {
                                         return contents->open(blob(layer.digest));
                                       });
}

// A gzipped or zstd archive cannot be read at random: it is inflated once.
fs::path plain_file(const fs::path& file, const fs::path& scratch) {
  std::array<std::byte, 4> head{};
  {
    FileSource source(file);
    read_full(source, head);
  }
  const bool compressed = (head[0] == std::byte{0x1f} && head[1] == std::byte{0x8b}) ||
                          (head[0] == std::byte{0x28} && head[1] == std::byte{0xb5});
  if (!compressed) return file;
  make_folders(scratch);
  PartialFile plain(scratch, "archive-");
  copy(*inflate(std::make_unique<FileSource>(file)), plain);
  const fs::path path = scratch / fmt::format("{}.tar", plain.path().filename().string());
  plain.rename_to(path);
  return path;
}

}  // namespace

std::shared_ptr<const Image> open_archive(const fs::path& file, const fs::path& scratch) {
  const std::string name = "docker-archive:" + file.string();
  if (!fs::exists(file))
    throw Error(ExitCode::configuration, fmt::format("{}: no such file", name))
        .next("name an archive written by docker save, skopeo or this program");
  try {
    auto contents = std::make_shared<Contents>(plain_file(file, scratch));
    if (contents->find("manifest.json")) return from_docker_manifest(name, contents);
    if (contents->find("index.json")) return from_layout(name, contents);
    throw Error(ExitCode::configuration, "neither manifest.json nor index.json is in it")
        .next("name an archive written by docker save, skopeo or this program");
  } catch (Error& error) {
    throw error.message().starts_with(name) ? error : error.within(name);
  }
}

namespace {

class ArchiveTarget : public ImageTarget {
 public:
  ArchiveTarget(const fs::path& file, std::string tag)
      : m_file(fs::absolute(file).lexically_normal()),
        m_tag(std::move(tag)),
        m_name("docker-archive:" + file.string()),
        m_folder(prepare(m_file), prefix(m_file)) {}

  const std::string& name() const override { return m_name; }
  bool wants_compression() const override { return false; }
  bool has(const Digest& digest) const override { return fs::exists(m_folder.path() / digest.hex()); }

  std::unique_ptr<BlobWriter> begin_blob() override {
    class Blob : public BlobWriter {
     public:
      explicit Blob(const fs::path& folder) : m_folder(folder), m_partial(folder, "partial-") {}
      void write(Bytes bytes) override { m_partial.write(bytes); }
      void commit(const Digest& digest) override { m_partial.rename_to(m_folder / digest.hex()); }

     private:
      fs::path m_folder;
      PartialFile m_partial;
    };
    return std::make_unique<Blob>(m_folder.path());
  }

  Digest commit(const Manifest& manifest, const std::string&, const std::string& config_json) override {
    const Digest config = sha256_of(config_json);
    PartialFile out(m_file.parent_path(), prefix(m_file) + "tar-");
    TarWriter tar(out);
    const auto put_text = [&](const std::string& name, const std::string& text) {
      TarHeader header;
      header.name = name;
      header.size = text.size();
      tar.header(header);
      tar.contents(as_bytes(text));
    };
    Json entry = {{"Config", config.hex() + ".json"}, {"RepoTags", Json::array()}, {"Layers", Json::array()}};
    if (!m_tag.empty()) entry["RepoTags"].push_back(m_tag);
    put_text(config.hex() + ".json", config_json);
    std::set<Digest> written;
    for (const Descriptor& layer : manifest.layers) {
      const std::string name = layer.digest.hex() + ".tar";
      entry["Layers"].push_back(name);
      if (!written.insert(layer.digest).second) continue;
      const fs::path blob = m_folder.path() / layer.digest.hex();
      TarHeader header;
      header.name = name;
      header.size = fs::file_size(blob);
      tar.header(header);
      FileSource source(blob);
      std::vector<std::byte> buffer(256 * 1024);
      while (const std::size_t count = source.read(buffer)) tar.contents(Bytes(buffer).first(count));
      // Each layer is on the disk once, not twice.
      ::unlink(blob.c_str());
    }
    put_text("manifest.json", dump(Json::array({entry})));
    tar.finish();
    out.rename_to(m_file);
    return config;
  }

 private:
  static std::string prefix(const fs::path& file) { return "." + file.filename().string() + ".partial-"; }
  static fs::path prepare(const fs::path& file) {
    if (fs::is_directory(file))
      throw Error(ExitCode::configuration, fmt::format("docker-archive:{} is a folder", file.string()))
          .next("name a file");
    make_folders(file.parent_path());
    remove_stale_partials(file.parent_path(), prefix(file));
    return file.parent_path();
  }

  fs::path m_file;
  std::string m_tag;
  std::string m_name;
  PartialFolder m_folder;
};

}  // namespace

std::unique_ptr<ImageTarget> archive_target(const fs::path& file, const std::string& tag) {
  return std::make_unique<ArchiveTarget>(file, tag);
}

}  // namespace cib::oci
