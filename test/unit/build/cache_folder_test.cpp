#include "build/cache_folder.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

using namespace cib;
using namespace cib::build;

namespace {

oci::Digest put(CacheStore& cache, std::string_view text) {
  const auto writer = cache.begin_layer();
  writer->write(as_bytes(text));
  const oci::Digest digest = oci::sha256_of(text);
  writer->commit(digest);
  return digest;
}

cnb::CacheMetadata with_layer(const oci::Digest& digest) {
  cnb::CacheMetadata metadata;
  metadata.buildpacks = {{"x/bp", "1", {{"layer", {digest.str(), "null", false, false, true}}}, "null"}};
  return metadata;
}

std::string contents(CacheStore& cache, const oci::Digest& digest) {
  const auto tar = cache.open(digest);
  return tar ? read_all(*tar, 1 << 20) : "missing";
}

}  // namespace

TEST(CacheFolder, what_was_committed_is_there_for_the_next_build) {
  TempFolder temp;
  oci::Digest digest;
  {
    const auto cache = open_cache_folder(temp.path() / "cache", false);
    digest = put(*cache, "tar");
    cache->commit(with_layer(digest));
  }
  const auto cache = open_cache_folder(temp.path() / "cache", false);
  EXPECT_EQ(cache->metadata().find("x/bp", "layer")->sha, digest.str());
  EXPECT_EQ(contents(*cache, digest), "tar");
}

TEST(CacheFolder, what_was_not_committed_leaves_no_trace) {
  TempFolder temp;
  const fs::path folder = temp.path() / "cache";
  put(*open_cache_folder(folder, false), "tar");
  const auto cache = open_cache_folder(folder, false);
  EXPECT_TRUE(cache->metadata().buildpacks.empty());
  EXPECT_TRUE(list_folder(folder / "committed").empty());
}

TEST(CacheFolder, layers_that_are_not_kept_go_with_the_old_generation) {
  TempFolder temp;
  const fs::path folder = temp.path() / "cache";
  oci::Digest kept, gone;
  {
    const auto cache = open_cache_folder(folder, false);
    kept = put(*cache, "kept");
    gone = put(*cache, "gone");
    cache->commit(with_layer(kept));
  }
  {
    const auto cache = open_cache_folder(folder, false);
    EXPECT_TRUE(cache->keep(kept));
    EXPECT_FALSE(cache->keep(oci::sha256_of("never there")));
    cache->commit(with_layer(kept));
  }
  const auto cache = open_cache_folder(folder, false);
  EXPECT_EQ(contents(*cache, kept), "kept");
  EXPECT_EQ(contents(*cache, gone), "missing");
}

TEST(CacheFolder, a_damaged_layer_fails_at_its_end) {
  TempFolder temp;
  const fs::path folder = temp.path() / "cache";
  const auto cache = open_cache_folder(folder, false);
  const oci::Digest digest = put(*cache, "tar");
  cache->commit(with_layer(digest));
  write_file(folder / "committed" / (digest.str() + ".tar"), "bad");
  EXPECT_THROW(contents(*cache, digest), Error);
}

TEST(CacheFolder, a_build_killed_between_the_two_renames_loses_nothing) {
  TempFolder temp;
  const fs::path folder = temp.path() / "cache";
  oci::Digest digest;
  {
    const auto cache = open_cache_folder(folder, false);
    digest = put(*cache, "tar");
    cache->commit(with_layer(digest));
  }
  fs::rename(folder / "committed", folder / "committed-backup");
  const auto cache = open_cache_folder(folder, false);
  EXPECT_EQ(contents(*cache, digest), "tar");
}

TEST(CacheFolder, clear_empties_it) {
  TempFolder temp;
  const fs::path folder = temp.path() / "cache";
  {
    const auto cache = open_cache_folder(folder, false);
    cache->commit(with_layer(put(*cache, "tar")));
  }
  EXPECT_TRUE(open_cache_folder(folder, true)->metadata().buildpacks.empty());
}

TEST(CacheFolder, a_file_in_its_place_is_refused_by_name) {
  TempFolder temp;
  write_file(temp.path() / "cache", "");
  EXPECT_THROW(open_cache_folder(temp.path() / "cache", false), Error);
}

TEST(CacheFolder, waiting_for_another_build_ends_when_it_is_stopped) {
  TempFolder temp;
  const auto other = open_cache_folder(temp.path() / "cache", false);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(open_cache_folder(temp.path() / "cache", false, stop.get_token()), Error);
}

TEST(CacheFolder, metadata_that_is_no_file_is_a_miss) {
  TempFolder temp;
  make_folders(temp.path() / "cache/committed");
  ASSERT_EQ(::mkfifo((temp.path() / "cache/committed/io.buildpacks.lifecycle.cache.metadata").c_str(), 0600), 0);
  EXPECT_TRUE(open_cache_folder(temp.path() / "cache", false)->metadata().buildpacks.empty());
}
