#include "cli/destinations.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "oci/archive.hpp"
#include "oci/layout.hpp"

namespace cib::cli {

namespace {

std::string key_of(const std::string& text) { return oci::sha256_of(text).hex().substr(0, 16); }

std::string last_name(const fs::path& path) {
  const fs::path normal = fs::absolute(path).lexically_normal();
  const std::string name = normal.filename().empty() ? normal.parent_path().filename().string() : normal.filename().string();
  return name.empty() ? "root" : name;
}

}  // namespace

std::shared_ptr<const oci::Image> open_image(std::string_view flag, const oci::Reference& reference,
                                             const fs::path& scratch) {
  try {
    switch (reference.kind) {
      case oci::Reference::Kind::layout: return oci::open_layout(reference.path, reference.tag);
      case oci::Reference::Kind::archive: return oci::open_archive(reference.path, scratch);
      case oci::Reference::Kind::registry: break;
    }
  } catch (Error& error) {
    throw error.within(flag);
  }
  const bool is_path = fs::exists(reference.text);
  throw Error(ExitCode::configuration, fmt::format("{}: no such image: {}", flag, reference.text))
      .why("images are read from layouts and archives; this program does not pull from registries")
      .next(is_path ? fmt::format("write {}{}", fs::is_directory(reference.text) ? "oci:" : "docker-archive:", reference.text)
                    : "copy it (skopeo copy docker://… oci:DIR) and write oci:DIR");
}

std::unique_ptr<oci::ImageTarget> open_target(const oci::Reference& reference, const std::string& tag) {
  if (reference.kind == oci::Reference::Kind::layout) return oci::layout_target(reference.path, reference.tag);
  return oci::archive_target(reference.path, !reference.tag.empty() ? reference.tag : tag);
}

std::shared_ptr<const oci::Image> previous_at(const oci::Reference& output, const fs::path& scratch, EventSink& events) {
  try {
    if (output.kind == oci::Reference::Kind::layout && oci::layout_has(output.path, output.tag))
      return oci::open_layout(output.path, output.tag);
    if (output.kind == oci::Reference::Kind::archive && fs::is_regular_file(output.path))
      return oci::open_archive(output.path, scratch);
  } catch (const Error& error) {
    events.on(event::Warning{fmt::format("what stands at the output is not reused: {}", error.message()), ""});
  }
  return nullptr;
}

oci::Reference default_output(const store::Store& store, const fs::path& app) {
  const std::string path = fs::canonical(app).string();
  const fs::path folder = store.images() / fmt::format("{}-{}", last_name(app), key_of(path));
  return oci::parse_reference("oci:" + folder.string());
}

fs::path default_cache(const store::Store& store, const oci::Reference& output) {
  // Absolute first: a relative path is canonical only once it exists, and the key must not change then.
  const std::string path = fs::weakly_canonical(fs::absolute(output.path)).string();
  return store.caches() / fmt::format("{}-{}", last_name(output.path), key_of(path + ":" + output.tag));
}

fs::path place_of(const fs::path& path) {
  const fs::path place = fs::weakly_canonical(fs::absolute(path));
  return place.filename().empty() ? place.parent_path() : place;
}

bool lies_within(const oci::Reference& output, const fs::path& app) {
  const fs::path folder = fs::canonical(app);
  const fs::path place = fs::weakly_canonical(fs::absolute(output.path));
  return std::mismatch(folder.begin(), folder.end(), place.begin(), place.end()).first == folder.end();
}

RootfsDecision decide_rootfs(RootfsChoice choice, const sandbox::Rung& rung) {
  if (choice == RootfsChoice::flat) return {store::RootfsKind::flat, "--rootfs flat"};
  if (rung.overlay)
    return {store::RootfsKind::overlay, choice == RootfsChoice::overlay ? "--rootfs overlay" : "overlays can be mounted here"};
  if (choice == RootfsChoice::overlay)
    throw Error(ExitCode::configuration, "--rootfs overlay: no overlay can be mounted in the store's file system")
        .next("leave --rootfs out, or put the store on another file system with --store");
  return {store::RootfsKind::flat, "no overlay can be mounted here"};
}

}  // namespace cib::cli
