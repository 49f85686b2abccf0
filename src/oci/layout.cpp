#include "oci/layout.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "oci/partial.hpp"
#include "oci/stored_image.hpp"

namespace cib::oci {

namespace {

constexpr const char* ref_name = "org.opencontainers.image.ref.name";
constexpr std::size_t largest_document = 8u << 20;
constexpr std::string_view layout_version = R"({"imageLayoutVersion":"1.0.0"})";

fs::path blob_path(const fs::path& folder, const Digest& digest) { return folder / "blobs" / "sha256" / digest.hex(); }

// Null when there is nothing. A fifo is no file, and nothing to wait for.
std::unique_ptr<Source> open_file_of(const fs::path& path) {
  auto fd = open_if_exists(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return nullptr;
  struct stat info;
  if (::fstat(fd->get(), &info) != 0 || !S_ISREG(info.st_mode))
    throw Error(ExitCode::configuration, fmt::format("{} is not a file", path.string()));
  return std::make_unique<FileSource>(std::move(*fd), path);
}

std::unique_ptr<Source> open_blob(const fs::path& folder, const Digest& digest) {
  auto source = open_file_of(blob_path(folder, digest));
  if (!source)
    throw Error(ExitCode::configuration, fmt::format("{}: blob {} is missing", folder.string(), digest.brief()))
        .next("make or copy the layout again");
  return source;
}

// A manifest, index or configuration: small, and believed only when its digest holds.
std::string read_document(const fs::path& folder, const Descriptor& descriptor) {
  auto source = open_blob(folder, descriptor.digest);
  std::string text = read_all(*source, largest_document);
  if (sha256_of(text) != descriptor.digest)
    throw Error(ExitCode::configuration,
                fmt::format("{}: blob {} does not have that digest", folder.string(), descriptor.digest.brief()))
        .why("its bytes were damaged or replaced")
        .next("make or copy the layout again");
  return text;
}

Index read_index(const fs::path& folder) {
  const auto version = open_file_of(folder / "oci-layout");
  const auto text = open_file_of(folder / "index.json");
  if (!version || !text)
    throw Error(ExitCode::configuration, fmt::format("{} is no OCI layout", folder.string()))
        .why(!fs::exists(folder) ? "the folder does not exist"
                                 : fmt::format("it has no {}", version ? "index.json" : "oci-layout"))
        .next("name a folder that has oci-layout, index.json and blobs");
  const std::string layout = read_all(*version, 4096);
  const auto json = nlohmann::json::parse(layout, nullptr, false);
  if (!json.is_object() || json.value("imageLayoutVersion", nlohmann::json()) != "1.0.0")
    throw Error(ExitCode::configuration, fmt::format("{} is not of version 1.0.0", (folder / "oci-layout").string()))
        .why("another layout version may mean other things")
        .next("make or copy the layout again");
  try {
    return parse_index(read_all(*text, largest_document));
  } catch (Error& error) {
    throw error.within((folder / "index.json").string());
  }
}

std::string tag_of(const Descriptor& descriptor) {
  const auto found = descriptor.annotations.find(ref_name);
  return found == descriptor.annotations.end() ? "" : found->second;
}

// The entry with this tag; with no tag the only one of the index.
const Descriptor* find_entry(const Index& index, const std::string& tag) {
  if (tag.empty() && index.manifests.size() == 1) return &index.manifests.front();
  for (const Descriptor& entry : index.manifests)
    if (tag_of(entry) == tag) return &entry;
  return nullptr;
}

const Descriptor* choose_platform(const Index& index, const Platform& wanted) {
  for (const Descriptor& entry : index.manifests)
    if (entry.platform && entry.platform->os == wanted.os && entry.platform->architecture == wanted.architecture &&
        (wanted.variant.empty() || entry.platform->variant.empty() || entry.platform->variant == wanted.variant))
      return &entry;
  return index.manifests.size() == 1 && !index.manifests.front().platform ? &index.manifests.front() : nullptr;
}

}  // namespace

std::shared_ptr<const Image> open_layout(const fs::path& folder, const std::string& tag, const Platform& platform) {
  const std::string name = fmt::format("oci:{}{}{}", folder.string(), tag.empty() ? "" : ":", tag);
  const Index index = read_index(folder);
  const Descriptor* entry = find_entry(index, tag);
  if (!entry) {
    std::string tags;
    for (const Descriptor& manifest : index.manifests)
      if (!tag_of(manifest).empty()) tags += (tags.empty() ? "" : ", ") + tag_of(manifest);
    throw Error(ExitCode::configuration, tag.empty() ? fmt::format("{} holds {} images", name, index.manifests.size())
                                                     : fmt::format("{}: no image with tag \"{}\"", name, tag))
        .next(tags.empty() ? "make the layout again" : fmt::format("name one of its tags: {}", tags));
  }
  try {
    Descriptor manifest = *entry;
    std::string text = read_document(folder, manifest);
    for (int depth = 0; is_index(text); ++depth) {
      if (depth == 3) throw Error(ExitCode::configuration, "indexes within indexes");
      const Index inner = parse_index(text);
      const Descriptor* chosen = choose_platform(inner, platform);
      if (!chosen)
        throw Error(ExitCode::configuration,
                    fmt::format("no image for {}/{}", platform.os, platform.architecture));
      manifest = *chosen;
      text = read_document(folder, manifest);
    }
    std::string config = read_document(folder, parse_manifest(text).config);
    return std::make_shared<StoredImage>(name, std::move(text), std::move(config), [folder](const Descriptor& layer) {
      return open_blob(folder, layer.digest);
    });
  } catch (Error& error) {
    throw error.message().starts_with(name) ? error : error.within(name);
  }
}

bool layout_has(const fs::path& folder, const std::string& tag) {
  if (!fs::exists(folder / "oci-layout") || !fs::exists(folder / "index.json")) return false;
  const Index index = read_index(folder);
  return find_entry(index, tag) != nullptr;
}

namespace {

// Something is mounted here, and nothing in it but what a killed build of ours may have left.
bool is_empty_mount(const fs::path& folder) {
  struct statx info;
  if (::statx(AT_FDCWD, folder.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info) != 0 || !S_ISDIR(info.stx_mode) ||
      (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0)
    return false;
  for (const FolderEntry& entry : list_folder(folder))
    if (entry.name != "blobs" && entry.name != "lost+found") return false;
  return true;
}

// All blobs that the images of an index need. A document that cannot be read keeps nothing alive but itself.
void add_reachable(const fs::path& folder, const Descriptor& descriptor, std::set<Digest>& reachable, int depth = 0) {
  if (depth > 4 || !reachable.insert(descriptor.digest).second) return;
  try {
    const std::string text = read_document(folder, descriptor);
    if (is_index(text)) {
      for (const Descriptor& child : parse_index(text).manifests) add_reachable(folder, child, reachable, depth + 1);
      return;
    }
    const Manifest manifest = parse_manifest(text);
    reachable.insert(manifest.config.digest);
    for (const Descriptor& layer : manifest.layers) reachable.insert(layer.digest);
  } catch (const Error&) {
  }
}

class LayoutTarget : public ImageTarget {
 public:
  LayoutTarget(const fs::path& folder, std::string tag)
      : m_final(fs::absolute(folder).lexically_normal()),
        m_tag(std::move(tag)),
        m_name(fmt::format("oci:{}{}{}", folder.string(), m_tag.empty() ? "" : ":", m_tag)) {
    if (m_final.filename().empty()) m_final = m_final.parent_path();
    if (fs::is_symlink(m_final) && fs::is_directory(m_final)) m_final = fs::canonical(m_final);
    if (fs::exists(m_final / "oci-layout")) {
      read_index(m_final);
      m_folder = m_final;
      remove_stale_partials(m_folder / "blobs" / "sha256", ".partial-");
    } else if (is_empty_mount(m_final)) {
      // It cannot be replaced by a rename: what is made in it is an image when the index stands.
      m_folder = m_final;
      m_mounted = true;
      remove_stale_partials(m_folder / "blobs" / "sha256", ".partial-");
    } else {
      if (fs::exists(m_final) && !(fs::is_directory(m_final) && fs::is_empty(m_final)))
        throw Error(ExitCode::configuration, fmt::format("{} exists and is no OCI layout", m_final.string()))
            .next("name another folder with --output, or empty this one");
      make_folders(m_final.parent_path());
      const std::string prefix = "." + m_final.filename().string() + ".partial-";
      remove_stale_partials(m_final.parent_path(), prefix);
      m_new.emplace(m_final.parent_path(), prefix);
      m_folder = m_new->path();
    }
    make_folders(m_folder / "blobs" / "sha256");
  }

  ~LayoutTarget() override {
    if (m_committed || m_new || (m_added.empty() && !m_mounted)) return;
    // Another build may have taken over what we added: only what no image of the index needs may go.
    try {
      const Fd lock = locked(m_folder);
      std::set<Digest> reachable;
      if (!m_mounted || fs::exists(m_folder / "index.json"))
        for (const Descriptor& entry : read_index(m_folder).manifests) add_reachable(m_folder, entry, reachable);
      for (const fs::path& path : m_added) {
        const auto digest = Digest::try_parse("sha256:" + path.filename().string());
        if (digest && !reachable.contains(*digest)) ::unlink(path.c_str());
      }
      if (m_mounted)
        for (const char* folder : {"blobs/sha256", "blobs"}) ::rmdir((m_folder / folder).c_str());
    } catch (const std::exception&) {
      // What is left is garbage, which the next image removes.
    }
  }

  const std::string& name() const override { return m_name; }
  bool wants_compression() const override { return true; }
  bool has(const Digest& digest) const override { return fs::is_regular_file(blob_path(m_folder, digest)); }

  std::unique_ptr<BlobWriter> begin_blob() override;

  Digest commit(const Manifest& manifest, const std::string& manifest_json, const std::string& config_json) override {
    // Another build may write the same layout. A new one is ours alone until it is renamed.
    const Fd lock = m_new ? Fd() : locked(m_folder);
    for (const Descriptor& layer : manifest.layers)
      if (!has(layer.digest))
        throw Error(ExitCode::unavailable, fmt::format("{}: layer {} vanished", m_name, layer.digest.brief()))
            .why("another program changed the layout meanwhile")
            .next("run the build again");
    for (const Descriptor& layer : manifest.layers)
      if (fs::file_size(blob_path(m_folder, layer.digest)) != layer.size)
        throw Error(ExitCode::configuration, fmt::format("{}: layer {} has another size than it should", m_name, layer.digest.brief()))
            .why("the file was damaged, or the image that it comes from lies about it")
            .next("make the layout again: remove it, or name another one with --output");
    put_document(config_json);
    const Digest digest = put_document(manifest_json);
    Index index;
    if (fs::exists(m_folder / "index.json")) index = read_index(m_folder);
    if (index.media_type.empty()) index.media_type = media_type::oci_index;
    Descriptor entry{.media_type = manifest.media_type, .digest = digest, .size = manifest_json.size()};
    if (!m_tag.empty()) entry.annotations[ref_name] = m_tag;
    // What has another tag, or a tag where we have none, is somebody's: his builder, perhaps.
    std::erase_if(index.manifests, [&](const Descriptor& other) { return tag_of(other) == m_tag; });
    index.manifests.push_back(entry);
    if (!fs::exists(m_folder / "oci-layout")) write_file_atomically(m_folder / "oci-layout", layout_version);
    write_file_atomically(m_folder / "index.json", to_json(index));
    if (m_new) {
      if (::chmod(m_folder.c_str(), 0755) != 0) throw system_error(errno, m_folder.string());
      if (::rename(m_folder.c_str(), m_final.c_str()) != 0)
        throw system_error(errno, m_final.string(), ExitCode::configuration)
            .next("another program may have written there: run the build again");
      m_new->release();
    }
    m_committed = true;
    remove_unreachable(m_final, index);
    return digest;
  }

 private:
  friend class LayoutBlob;

  static Fd locked(const fs::path& folder) {
    Fd lock = open_file(folder, O_RDONLY | O_DIRECTORY);
    while (::flock(lock.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    return lock;
  }

  Digest put_document(const std::string& text) {
    const Digest digest = sha256_of(text);
    if (has(digest)) return digest;
    write_file_atomically(blob_path(m_folder, digest), text);
    added(blob_path(m_folder, digest));
    return digest;
  }

  void added(fs::path path) {
    std::lock_guard lock(m_mutex);
    m_added.push_back(std::move(path));
  }

  // Only after the new index stands; a file that cannot be removed is only wasted space.
  static void remove_unreachable(const fs::path& folder, const Index& index) {
    std::set<Digest> reachable;
    for (const Descriptor& entry : index.manifests) add_reachable(folder, entry, reachable);
    for (const FolderEntry& entry : list_folder(folder / "blobs" / "sha256")) {
      const auto digest = Digest::try_parse("sha256:" + entry.name);
      if (digest && !reachable.contains(*digest)) ::unlink((folder / "blobs" / "sha256" / entry.name).c_str());
    }
  }

  fs::path m_final;
  std::string m_tag;
  std::string m_name;
  fs::path m_folder;
  std::optional<PartialFolder> m_new;
  bool m_mounted = false;
  bool m_committed = false;
  std::mutex m_mutex;
  std::vector<fs::path> m_added;
};

class LayoutBlob : public BlobWriter {
 public:
  explicit LayoutBlob(LayoutTarget& target)
      : m_target(target), m_file(target.m_folder / "blobs" / "sha256", ".partial-") {}
  void write(Bytes bytes) override { m_file.write(bytes); }
  void commit(const Digest& digest) override {
    const fs::path path = blob_path(m_target.m_folder, digest);
    if (!m_target.has(digest)) {
      m_file.rename_to(path);
      m_target.added(path);
    }
  }

 private:
  LayoutTarget& m_target;
  PartialFile m_file;
};

std::unique_ptr<BlobWriter> LayoutTarget::begin_blob() { return std::make_unique<LayoutBlob>(*this); }

}  // namespace

std::unique_ptr<ImageTarget> layout_target(const fs::path& folder, const std::string& tag) {
  return std::make_unique<LayoutTarget>(folder, tag);
}

}  // namespace cib::oci
