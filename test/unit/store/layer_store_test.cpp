#include "store/layer_store.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <latch>
#include <random>
#include <thread>

#include "helpers.hpp"
#include "store/extract.hpp"
#include "store/prune.hpp"
#include "store/read_ahead.hpp"

namespace cib::store::test {
namespace {

using testing::HasSubstr;

std::string random_text(std::size_t size) {
  std::mt19937 random(1);
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

class LayerStoreTest : public testing::Test {
 protected:
  // Nothing half made: neither under a final name nor among the temporary things.
  void expect_nothing_stored() {
    EXPECT_TRUE(fs::is_empty(m_store.temporary()));
    for (const auto& entry : list_folder(m_store.layers())) EXPECT_TRUE(entry.name.ends_with(".lock")) << entry.name;
  }

  TempFolder m_temp;
  Store m_store{m_temp.path() / "s"};
  LayerStore m_layers{m_store};
};

TEST_F(LayerStoreTest, unpacks_a_layer_once) {
  const MemoryLayer layer(Tar().folder("etc").file("etc/f", "text", 0640, 7, 8).whiteout("etc", "gone"));
  EXPECT_FALSE(m_layers.find(layer.diff_id()));
  std::uint64_t last = 0;
  const auto unpacked = m_layers.get(layer, "oci:x", [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_GE(done, last);
    EXPECT_EQ(total, layer.descriptor().size);
    last = done;
  });
  EXPECT_EQ(last, layer.descriptor().size);
  EXPECT_EQ(unpacked.path, m_store.layers() / layer.diff_id().hex() / "tree");
  EXPECT_EQ(read_file(unpacked.path / "etc/f"), "text");
  EXPECT_EQ(read_owners(unpacked.owners()).at("etc/f"), (Owner{7, 8, 0640}));
  EXPECT_TRUE(unpacked.record->marks.whiteouts.contains("etc/gone"));

  bool read_again = false;
  const auto again = m_layers.get(layer, "oci:x", [&](std::uint64_t, std::uint64_t) { read_again = true; });
  EXPECT_FALSE(read_again);
  EXPECT_EQ(again.record->entries, unpacked.record->entries);
  EXPECT_TRUE(m_layers.find(layer.diff_id()));
  EXPECT_TRUE(fs::is_empty(m_store.temporary()));
}

TEST_F(LayerStoreTest, takes_plain_tars_too) {
  const MemoryLayer layer(Tar().file("f", "x"), MemoryLayer::Form::plain);
  EXPECT_EQ(read_file(m_layers.get(layer, "i").path / "f"), "x");
}

TEST_F(LayerStoreTest, refuses_a_blob_with_another_digest) {
  MemoryLayer layer(Tar().file("f", "x"));
  layer.m_descriptor.digest = oci::sha256_of("something else");
  const Error error = error_of([&] { m_layers.get(layer, "oci:evil"); });
  EXPECT_EQ(error.code(), ExitCode::configuration);
  EXPECT_THAT(error.message(), HasSubstr("layer " + layer.m_descriptor.digest.brief() + " of oci:evil"));
  expect_nothing_stored();
}

TEST_F(LayerStoreTest, refuses_a_tar_with_another_diff_id) {
  MemoryLayer layer(Tar().file("f", "x"));
  layer.m_diff_id = oci::sha256_of("something else");
  EXPECT_EQ(error_of([&] { m_layers.get(layer, "i"); }).code(), ExitCode::configuration);
  expect_nothing_stored();
}

TEST_F(LayerStoreTest, refuses_a_truncated_blob) {
  MemoryLayer layer(Tar().file("f", random_text(100'000)));
  layer.m_blob.resize(layer.m_blob.size() / 2);
  EXPECT_EQ(error_of([&] { m_layers.get(layer, "i"); }).code(), ExitCode::configuration);
  layer.m_descriptor.size = layer.m_blob.size();
  layer.m_descriptor.digest = oci::sha256_of(layer.m_blob);
  EXPECT_EQ(error_of([&] { m_layers.get(layer, "i"); }).code(), ExitCode::configuration);
  expect_nothing_stored();
}

TEST_F(LayerStoreTest, says_damaged_rather_than_what_the_damage_looks_like) {
  MemoryLayer layer(Tar().file("f", "x").file("g", "y"), MemoryLayer::Form::plain);
  layer.m_blob[1024] = '?';  // the second header's name: its checksum is wrong
  EXPECT_THAT(error_of([&] { m_layers.get(layer, "i"); }).message(), HasSubstr("does not have that digest"));
  expect_nothing_stored();
}

TEST_F(LayerStoreTest, refuses_hostile_entries) {
  const MemoryLayer layer(Tar().file("ok", "x").file("../../escaped", "x"));
  EXPECT_THAT(error_of([&] { m_layers.get(layer, "oci:evil"); }).message(),
              HasSubstr("of oci:evil: entry '../../escaped'"));
  expect_nothing_stored();
}

TEST_F(LayerStoreTest, stops_when_asked_and_leaves_nothing) {
  const MemoryLayer layer(Tar().file("f", random_text(4 << 20)));
  std::stop_source stop;
  const Error error = error_of(
      [&] { m_layers.get(layer, "i", [&](std::uint64_t, std::uint64_t) { stop.request_stop(); }, stop.get_token()); });
  EXPECT_EQ(error.code(), ExitCode::interrupted);
  expect_nothing_stored();
}

TEST_F(LayerStoreTest, waits_for_another_process_that_unpacks_the_same_layer) {
  const MemoryLayer layer(Tar().file("f", random_text(1 << 20)));
  std::vector<pid_t> children;
  const fs::path counter = m_temp.path() / "count";
  for (int i = 0; i < 4; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      bool unpacked_here = false;
      int code = 1;
      try {
        const auto unpacked = m_layers.get(layer, "i", [&](std::uint64_t, std::uint64_t) { unpacked_here = true; });
        code = fs::file_size(unpacked.path / "f") == 1 << 20 ? 0 : 2;
      } catch (...) {
      }
      if (unpacked_here) write_file(counter.string() + std::to_string(i), "");
      ::_exit(code);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  int unpacked = 0;
  for (const auto& entry : list_folder(m_temp.path())) unpacked += entry.name.starts_with("count");
  EXPECT_EQ(unpacked, 1);
}

TEST_F(LayerStoreTest, waits_for_another_thread_that_unpacks_the_same_layer) {
  // Several rounds: that two threads miss the layer at the same moment is likely, not certain.
  for (int round = 0; round < 20; ++round) {
    const MemoryLayer layer(Tar().file("f", random_text(100'000 + static_cast<std::size_t>(round))));
    std::atomic<int> unpacked = 0, good = 0;
    std::latch start(4);
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
          std::atomic<bool> here = false;
          start.arrive_and_wait();
          const auto result = m_layers.get(layer, "i", [&](std::uint64_t, std::uint64_t) { here = true; });
          unpacked += here;
          good += fs::file_size(result.path / "f") >= 100'000;
        });
    }
    EXPECT_EQ(unpacked, 1);
    EXPECT_EQ(good, 4);
  }
}

TEST_F(LayerStoreTest, a_wait_for_another_ends_when_asked) {
  const MemoryLayer layer(Tar().file("f", "x"));
  const FileLock other(m_store.layers() / (layer.diff_id().hex() + ".lock"), FileLock::Kind::exclusive);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(error_of([&] { m_layers.get(layer, "i", {}, stop.get_token()); }).code(), ExitCode::interrupted);
  EXPECT_FALSE(m_layers.find(layer.diff_id()));
}

TEST_F(LayerStoreTest, a_killed_process_leaves_no_half_layer) {
  const MemoryLayer layer(Tar().file("first", random_text(8 << 20)).file("second", random_text(1 << 20)));
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      m_layers.get(layer, "i", [&](std::uint64_t done, std::uint64_t total) {
        if (done > total / 2) ::_exit(42);
      });
    } catch (...) {
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(WEXITSTATUS(status), 42);
  EXPECT_FALSE(exists_no_follow(m_store.layers() / layer.diff_id().hex()));
  EXPECT_EQ(list_folder(m_store.temporary()).size(), 1u) << "the half layer, among the garbage";
  const Store again(m_store.root());
  expect_nothing_stored();
  EXPECT_EQ(fs::file_size(m_layers.get(layer, "i").path / "second"), 1u << 20);
}

TEST_F(LayerStoreTest, a_layer_without_a_record_is_unpacked_again) {
  const MemoryLayer layer(Tar().file("f", "x"));
  { m_layers.get(layer, "i"); }
  const fs::path folder = m_store.layers() / layer.diff_id().hex();
  write_file(folder / "complete", "");  // as a power cut leaves it
  write_file(folder / "tree/f", "damaged");
  EXPECT_EQ(read_file(m_layers.get(layer, "i").path / "f"), "x");
}

TEST_F(LayerStoreTest, a_full_disk_is_said_and_leaves_nothing) {
  if (!is_root()) GTEST_SKIP() << "needs a small file system";
  const MemoryLayer layer(Tar().file("f", random_text(4 << 20)));
  const std::string said = in_child([&]() -> std::string {
    const fs::path disk = m_temp.path() / "disk";
    make_folders(disk);
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0)
      throw system_error(errno, "mount");
    const Store store(disk / "s");
    try {
      LayerStore(store).get(layer, "oci:x");
    } catch (const Error& error) {
      const bool clean = fs::is_empty(store.temporary()) && !exists_no_follow(store.layers() / layer.diff_id().hex());
      return std::to_string(static_cast<int>(error.code())) + (clean ? " clean " : " dirty ") + error.message() + " " + error.next();
    }
    return "no error";
  });
  EXPECT_THAT(said, HasSubstr("74 clean layer " + layer.descriptor().digest.brief() + " of oci:x"));
  EXPECT_THAT(said, HasSubstr("No space left"));
  EXPECT_THAT(said, HasSubstr("--store"));
}

TEST_F(LayerStoreTest, works_where_no_whiteouts_can_be_made) {
  if (!is_root()) GTEST_SKIP() << "needs to mount an overlay";
  // A container's own root is an overlayfs, and that refuses whiteouts of its users.
  const MemoryLayer layer(Tar().folder("etc").whiteout("etc", "gone").folder("var").opaque("var"));
  EXPECT_EQ(in_child([&]() -> std::string {
              for (const char* name : {"low", "up", "work", "merged"}) make_folders(m_temp.path() / name);
              if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                  ::chdir(m_temp.path().c_str()) != 0 ||
                  ::mount("overlay", "merged", "overlay", 0, "lowerdir=low,upperdir=up,workdir=work") != 0)
                throw system_error(errno, "mount");
              const Store store(m_temp.path() / "merged/s");
              const auto unpacked = LayerStore(store).get(layer, "i");
              const auto& marks = unpacked.record->marks;
              return std::string(unpacked.record->made == OverlayMarks::none ? "unmarked" : "marked") +
                     (marks.whiteouts.contains("etc/gone") ? " whiteout" : "") +
                     (marks.opaques.contains("var") ? " opaque" : "");
            }),
            "unmarked whiteout opaque");
}

TEST_F(LayerStoreTest, prune_removes_the_least_recently_used_that_nobody_holds) {
  const MemoryLayer a(Tar().file("a", random_text(100'000))), b(Tar().file("b", random_text(100'000))),
      c(Tar().file("c", random_text(100'000)));
  { m_layers.get(a, "i"); }
  { m_layers.get(b, "i"); }
  auto held = std::optional(m_layers.get(c, "i"));
  const auto age = [&](const MemoryLayer& layer, int seconds_ago) {
    const timespec when{1'700'000'000 - seconds_ago, 0};
    const timespec times[2] = {when, when};
    ASSERT_EQ(::utimensat(AT_FDCWD, (m_store.layers() / layer.diff_id().hex() / "complete").c_str(), times, 0), 0);
  };
  age(a, 10);
  age(b, 20);
  age(c, 30);
  const Usage before = usage(m_store);
  EXPECT_EQ(before.layers, 3u);
  EXPECT_GE(before.layer_bytes, 300'000u);

  const Pruned none = prune(m_store, {before.layer_bytes});
  EXPECT_EQ(none.removed, 0u);
  EXPECT_EQ(none.kept, 3u);

  // c is the oldest, but held; b is the next.
  const Pruned one = prune(m_store, {before.layer_bytes - 1});
  EXPECT_EQ(one.removed, 1u);
  EXPECT_EQ(one.in_use, 1u);
  EXPECT_EQ(one.kept_bytes, usage(m_store).layer_bytes);
  EXPECT_TRUE(m_layers.find(a.diff_id()));
  EXPECT_FALSE(m_layers.find(b.diff_id()));

  held.reset();
  const Pruned all = prune(m_store, {0});
  EXPECT_EQ(all.removed, 2u);
  EXPECT_EQ(all.kept, 0u);
  EXPECT_EQ(usage(m_store).layers, 0u);
  expect_nothing_stored();
}

TEST_F(LayerStoreTest, a_use_makes_a_layer_recent) {
  const MemoryLayer a(Tar().file("a", "x")), b(Tar().file("b", "x"));
  for (const auto* layer : {&a, &b}) {
    m_layers.get(*layer, "i");
    const timespec times[2] = {{1'000'000'000 + (layer == &b), 0}, {1'000'000'000 + (layer == &b), 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (m_store.layers() / layer->diff_id().hex() / "complete").c_str(), times, 0), 0);
  }
  { m_layers.get(a, "i"); }
  prune(m_store, {usage(m_store).layer_bytes - 1});
  EXPECT_TRUE(m_layers.find(a.diff_id()));
  EXPECT_FALSE(m_layers.find(b.diff_id()));
}

TEST(Usage, counts_everything) {
  const TempFolder temp;
  const Store store(temp.path() / "s");
  write_file(store.caches() / "c", std::string(10'000, 'x'));
  write_file(store.images() / "i", std::string(10'000, 'x'));
  write_file(store.builders() / "b", std::string(10'000, 'x'));
  const BuildFolder build(store);
  const Usage all = usage(store);
  EXPECT_GE(all.cache_bytes, 10'000u);
  EXPECT_GE(all.image_bytes, 10'000u);
  EXPECT_GE(all.builder_bytes, 10'000u);
  EXPECT_EQ(all.builds, 1u);
  EXPECT_GE(all.bytes(), 30'000u);
}

// A source that gives its text in small pieces, then fails or ends.
class Pieces : public Source {
 public:
  Pieces(std::string text, bool fails) : m_text(std::move(text)), m_fails(fails) {}
  std::size_t read(std::span<std::byte> buffer) override {
    if (m_at == m_text.size() && m_fails) throw Error(ExitCode::unavailable, "the line went dead");
    const std::size_t count = std::min({buffer.size(), m_text.size() - m_at, std::size_t{777}});
    std::memcpy(buffer.data(), m_text.data() + m_at, count);
    m_at += count;
    return count;
  }

 private:
  std::string m_text;
  bool m_fails;
  std::size_t m_at = 0;
};

TEST(ReadAhead, gives_the_same_bytes) {
  const std::string text = random_text(100'000);
  ReadAhead source(std::make_unique<Pieces>(text, false), 2, 1000);
  EXPECT_EQ(read_all(source, 1 << 20), text);
  std::byte byte[1];
  EXPECT_EQ(source.read(byte), 0u) << "the end stays the end";
}

TEST(ReadAhead, gives_the_bytes_before_a_failure_and_then_the_failure) {
  ReadAhead source(std::make_unique<Pieces>(random_text(5000), true), 2, 1000);
  std::vector<std::byte> buffer(5000);
  EXPECT_EQ(read_full(source, buffer), 5000u);
  EXPECT_EQ(error_of([&] { source.read(buffer); }).message(), "the line went dead");
}

TEST(ReadAhead, can_be_left_early) {
  ReadAhead source(std::make_unique<Pieces>(random_text(100'000), false), 2, 1000);
  std::vector<std::byte> buffer(10);
  EXPECT_EQ(source.read(buffer), 10u);
}

}  // namespace
}  // namespace cib::store::test
