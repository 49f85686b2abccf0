#include "build/embedded_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/tasks.hpp"
#include "build/create_builder.hpp"
#include "build/debian_base.hpp"
#include "build/embedded_files.hpp"
#include "cnb/builder_toml.hpp"
#include "oci/layout.hpp"

namespace cib::build {

namespace {

constexpr std::string_view definition_name = "builders/embedded/builder.toml";
// How images built with it call what they run on: no folder of this machine belongs into them.
constexpr std::string_view run_image_name = "ci-image-builder/embedded-run:bookworm";

std::string embedded_hash() {
  oci::Sha256 hash;
  const auto add = [&](std::string_view name, std::string_view contents) {
    hash.write(as_bytes(fmt::format("{} {}\n", name, contents.size())));
    hash.write(as_bytes(contents));
  };
  for (const EmbeddedFile& file : embedded_files()) add(file.name, file.contents);
  add("launcher", embedded_launcher());
  add("layers of packages", fingerprint({}));  // how they are made
  return hash.finish().hex().substr(0, 16);
}

void write_embedded_files(const fs::path& folder) {
  for (const EmbeddedFile& file : embedded_files()) {
    const fs::path place = folder / file.name;
    make_folders(place.parent_path());
    write_file(place, file.contents, file.executable ? 0755 : 0644);
  }
}

bool is_complete(const fs::path& folder) {
  return oci::layout_has(folder / "builder") && oci::layout_has(folder / "run");
}

// Builders that this or another version of the program made before.
std::vector<std::shared_ptr<const oci::Image>> made_before(const fs::path& builders) {
  std::vector<std::shared_ptr<const oci::Image>> images;
  for (const FolderEntry& entry : list_folder(builders)) {
    const fs::path folder = builders / entry.name;
    if (!entry.name.starts_with("embedded-") || !is_complete(folder)) continue;
    // A broken one only means that it is of no use here.
    for (const char* which : {"builder", "run"})
      if (auto image = capture([&] { return oci::open_layout(folder / which); })) images.push_back(std::move(*image));
  }
  return images;
}

// Layers and images of the builder are not those of the build that needs it: its report says nothing of them.
class Listener : public EventSink {
 public:
  explicit Listener(EventSink& events) : m_events(events) {}
  void on(const Event& event) override {
    if (const auto* image = std::get_if<event::ImageWritten>(&event)) m_size = std::max(m_size, image->size);
    else if (!std::holds_alternative<event::LayerDone>(event)) m_events.on(event);
  }
  std::uint64_t size() const { return m_size; }  // of the largest image

 private:
  EventSink& m_events;
  std::uint64_t m_size = 0;
};

EmbeddedBuilder at(const fs::path& folder, bool made) {
  const auto layout = [&](const char* which) {
    const fs::path place = folder / which;
    return oci::Reference{oci::Reference::Kind::layout, place, "", "oci:" + place.string()};
  };
  return {layout("builder"), layout("run"), made};
}

}  // namespace

EmbeddedBuilder embedded_builder(const store::Store& store, unsigned jobs, EventSink& events, std::stop_token stop) {
  const std::string name = fmt::format("embedded-{}", embedded_hash());
  const fs::path folder = store.builders() / name;
  if (is_complete(folder)) return at(folder, false);

  make_folders(store.builders());
  const fs::path lock_file = store.builders() / (name + ".lock");
  auto lock = FileLock::try_lock(lock_file, FileLock::Kind::exclusive);
  if (!lock) {
    events.on(event::Decision{"builder", "waiting for the embedded builder", "another process is making it"});
    lock.emplace(lock_file, FileLock::Kind::exclusive);
    if (is_complete(folder)) return at(folder, false);
  } else if (is_complete(folder)) {
    return at(folder, false);
  }
  events.on(event::Decision{"builder", "making the embedded builder", "it is kept for the next builds"});
  store::LockedFolder work(store.temporary(), "embedded-");
  const fs::path files = work.path() / "files", scratch = work.path() / "scratch", images = work.path() / "images";
  for (const fs::path& place : {files, scratch, images}) make_folders(place);
  write_embedded_files(files);

  CreateBuilder request;
  const fs::path definition = files / definition_name;
  request.definition = cnb::parse_builder_toml(read_file(definition), definition_name);
  request.folder = definition.parent_path();
  request.scratch = scratch;
  const auto builder = oci::layout_target(images / "builder");
  const auto run = oci::layout_target(images / "run");
  request.builder = builder.get();
  request.run = run.get();
  request.run_image_name = run_image_name;
  request.known = made_before(store.builders());
  request.jobs = jobs;
  Listener listener(events);
  const CreatedBuilder created = create_builder(request, listener, stop);

  // What stands there was incomplete.
  remove_tree(folder);
  fs::rename(images, folder);
  events.on(event::Decision{"builder", fmt::format("the embedded builder is made, {} MB", listener.size() / 1'000'000),
                            created.base_reused ? "with the Debian packages of the one before" : ""});
  return at(folder, true);
}

}  // namespace cib::build
