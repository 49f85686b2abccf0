#include "oci/layout.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "oci/archive.hpp"
#include "oci/compression.hpp"
#include "oci/reference.hpp"
#include "oci/tar_writer.hpp"

using namespace cib;
using namespace cib::oci;

namespace {

const fs::path goldens = CIB_GOLDENS;

// An image of one layer with this text in it, written into the target.
Digest put_image(ImageTarget& target, const std::string& text) {
  StringSink tar;
  TarWriter writer(tar);
  TarHeader header;
  header.name = "/text";
  header.size = text.size();
  writer.header(header);
  writer.contents(as_bytes(text));
  writer.finish();
  StringSink blob;
  if (target.wants_compression()) {
    GzipSink gzip(blob, nullptr);
    gzip.write(as_bytes(tar.text));
    gzip.finish();
  } else {
    blob.text = tar.text;
  }
  auto out = target.begin_blob();
  out->write(as_bytes(blob.text));
  out->commit(sha256_of(blob.text));
  ImageConfig config;
  config.platform = {"linux", "amd64", ""};
  config.diff_ids = {sha256_of(tar.text)};
  const std::string config_json = to_json(config);
  Manifest manifest;
  manifest.media_type = media_type::oci_manifest;
  manifest.config = {std::string(media_type::oci_config), sha256_of(config_json), config_json.size(), {}, {}};
  manifest.layers = {{std::string(media_type::oci_layer_gzip), sha256_of(blob.text), blob.text.size(), {}, {}}};
  return target.commit(manifest, to_json(manifest), config_json);
}

std::string layer_text(const Image& image) {
  auto tar = open_tar(*image.layers().at(0));
  return read_all(*tar, 1 << 20).substr(512, 3);
}

std::size_t blob_count(const fs::path& layout) { return list_folder(layout / "blobs/sha256").size(); }

}  // namespace

TEST(Layout, reads_a_run_image_and_verifies_every_layer) {
  const auto image = open_layout(goldens / "run-images/plain");
  EXPECT_EQ(image->config().labels.at("base.label"), "kept");
  for (const auto& layer : image->layers()) {
    auto tar = open_tar(*layer);
    NullSink sink;
    EXPECT_GT(copy(*tar, sink), 1024u);
  }
}

TEST(Layout, an_image_of_the_go_lifecycle_with_two_families_of_layer_types_is_read) {
  const auto image = open_layout(goldens / "go-made/app");
  EXPECT_EQ(image->layers().size(), image->config().diff_ids.size());
  for (const auto& layer : image->layers()) {
    auto tar = open_tar(*layer);
    NullSink sink;
    EXPECT_NO_THROW(copy(*tar, sink));
  }
}

TEST(Layout, what_was_written_is_read_back) {
  TempFolder temp;
  const fs::path folder = temp.path() / "new/layout";
  const Digest digest = put_image(*layout_target(folder), "one");
  const auto image = open_layout(folder);
  EXPECT_EQ(image->digest(), digest);
  EXPECT_EQ(layer_text(*image), "one");
}

TEST(Layout, a_second_image_replaces_the_first_and_its_blobs_go) {
  TempFolder temp;
  const fs::path folder = temp.path() / "layout";
  put_image(*layout_target(folder), "one");
  const std::size_t count = blob_count(folder);
  put_image(*layout_target(folder), "two");
  EXPECT_EQ(layer_text(*open_layout(folder)), "two");
  EXPECT_EQ(blob_count(folder), count);
}

TEST(Layout, images_under_other_tags_stay) {
  TempFolder temp;
  const fs::path folder = temp.path() / "layout";
  put_image(*layout_target(folder, "a"), "one");
  put_image(*layout_target(folder, "b"), "two");
  put_image(*layout_target(folder, "b"), "new");
  EXPECT_EQ(layer_text(*open_layout(folder, "a")), "one");
  EXPECT_EQ(layer_text(*open_layout(folder, "b")), "new");
  EXPECT_THROW(open_layout(folder, "c"), Error);
}

TEST(Layout, a_target_that_is_given_up_leaves_nothing_behind) {
  TempFolder temp;
  const fs::path folder = temp.path() / "layout";
  {
    auto target = layout_target(folder);
    auto blob = target->begin_blob();
    blob->write(as_bytes("half"));
  }
  EXPECT_TRUE(list_folder(temp.path()).empty());
  put_image(*layout_target(folder), "one");
  const std::size_t count = blob_count(folder);
  {
    auto target = layout_target(folder);
    auto blob = target->begin_blob();
    blob->write(as_bytes("whole"));
    blob->commit(sha256_of("whole"));
    auto half = target->begin_blob();
    half->write(as_bytes("half"));
  }
  EXPECT_EQ(blob_count(folder), count);
  EXPECT_EQ(layer_text(*open_layout(folder)), "one");
}

TEST(Layout, a_target_that_is_given_up_takes_nothing_that_another_build_uses) {
  TempFolder temp;
  const fs::path folder = temp.path() / "layout";
  put_image(*layout_target(folder, "a"), "one");
  {
    auto given_up = layout_target(folder, "b");
    EXPECT_ANY_THROW([&] {
      put_image(*given_up, "two");
      throw 1;
    }());
  }
  EXPECT_EQ(layer_text(*open_layout(folder, "b")), "two");
  const std::size_t count = blob_count(folder);
  {
    // It adds a layer, another build finds and uses it, it is stopped.
    auto stopped = layout_target(folder, "c");
    StringSink tar;
    TarWriter writer(tar);
    TarHeader header;
    header.name = "/text";
    header.size = 3;
    writer.header(header);
    writer.contents(as_bytes("new"));
    writer.finish();
    StringSink blob;
    GzipSink gzip(blob, nullptr);
    gzip.write(as_bytes(tar.text));
    gzip.finish();
    auto out = stopped->begin_blob();
    out->write(as_bytes(blob.text));
    out->commit(sha256_of(blob.text));
    put_image(*layout_target(folder, "d"), "new");
  }
  EXPECT_EQ(blob_count(folder), count + 3);
  EXPECT_EQ(layer_text(*open_layout(folder, "d")), "new");
}

TEST(Layout, an_image_without_a_tag_does_not_replace_one_that_has_one) {
  TempFolder temp;
  const fs::path folder = temp.path() / "layout";
  put_image(*layout_target(folder, "builder"), "one");
  put_image(*layout_target(folder), "two");
  put_image(*layout_target(folder), "new");
  EXPECT_EQ(layer_text(*open_layout(folder, "builder")), "one");
  EXPECT_EQ(layer_text(*open_layout(folder)), "new");
}

TEST(Layout, a_blob_of_another_size_is_in_no_image) {
  TempFolder temp;
  const fs::path folder = temp.path() / "layout";
  put_image(*layout_target(folder, "a"), "one");
  const oci::Digest layer = open_layout(folder, "a")->layers().at(0)->descriptor().digest;
  write_file(folder / "blobs/sha256" / layer.hex(), "");
  EXPECT_THROW(put_image(*layout_target(folder, "b"), "one"), Error);
  EXPECT_THROW(open_layout(folder, "b"), Error);
}

TEST(Layout, never_writes_into_a_folder_that_is_something_else) {
  TempFolder temp;
  write_file(temp.path() / "mine.txt", "keep");
  EXPECT_THROW(layout_target(temp.path()), Error);
  EXPECT_EQ(read_file(temp.path() / "mine.txt"), "keep");
}

TEST(Layout, damaged_blobs_are_not_believed) {
  TempFolder temp;
  const fs::path folder = temp.path() / "layout";
  put_image(*layout_target(folder), "one");
  const auto image = open_layout(folder);
  const fs::path layer = folder / "blobs/sha256" / image->layers()[0]->descriptor().digest.hex();
  const std::string bytes = read_file(layer);
  std::string damaged = bytes;
  damaged[bytes.size() - 6] ^= 1;
  write_file(layer, damaged);
  EXPECT_THROW(layer_text(*open_layout(folder)), Error);
  write_file(layer, bytes + "x");
  EXPECT_THROW(layer_text(*open_layout(folder)), Error);
  fs::remove(layer);
  EXPECT_THROW(layer_text(*open_layout(folder)), Error);
  write_file(folder / "blobs/sha256" / image->digest().hex(), "{}");
  EXPECT_THROW(open_layout(folder), Error);
}

TEST(Layout, malformed_indexes_end_in_an_error_that_names_them) {
  TempFolder temp;
  const fs::path folder = temp.path() / "layout";
  put_image(*layout_target(folder), "one");
  for (const char* text : {"", "[]", "{", R"({"schemaVersion":2,"manifests":[1]})",
                                 R"({"schemaVersion":2,"manifests":[{"digest":"sha256:../../x","size":1}]})",
                                 R"({"schemaVersion":2,"manifests":[{"digest":7,"size":-1}]})"}) {
    write_file(folder / "index.json", text);
    try {
      open_layout(folder);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(folder.string()), std::string::npos) << error.message();
      EXPECT_EQ(error.code(), ExitCode::configuration);
    }
  }
}

TEST(Archive, what_was_written_is_read_back) {
  TempFolder temp;
  const fs::path file = temp.path() / "image.tar";
  put_image(*archive_target(file, "app:latest"), "one");
  const auto image = open_archive(file, temp.path());
  EXPECT_EQ(layer_text(*image), "one");
  EXPECT_EQ(list_folder(temp.path()).size(), 1u) << "nothing else is left in the folder";
}

TEST(Archive, a_target_that_is_given_up_leaves_nothing_behind) {
  TempFolder temp;
  {
    auto target = archive_target(temp.path() / "image.tar", "");
    target->begin_blob()->write(as_bytes("half"));
  }
  EXPECT_TRUE(list_folder(temp.path()).empty());
}

TEST(Archive, what_is_no_archive_is_refused_by_name) {
  TempFolder temp;
  const fs::path file = temp.path() / "image.tar";
  for (const std::string& text : {std::string("not a tar, but longer than a block").append(600, 'x'), std::string()}) {
    write_file(file, text);
    try {
      open_archive(file, temp.path());
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_NE(error.message().find("image.tar"), std::string::npos);
    }
  }
  EXPECT_THROW(open_archive(temp.path() / "missing.tar", temp.path()), Error);
}

TEST(Reference, layouts_and_archives_may_carry_a_tag) {
  EXPECT_EQ(parse_reference("oci:a/b").path, "a/b");
  EXPECT_EQ(parse_reference("oci:a/b:run").tag, "run");
  EXPECT_EQ(parse_reference("docker-archive:x.tar:app:1").tag, "app:1");
  EXPECT_EQ(parse_reference("paketobuildpacks/builder:full").kind, Reference::Kind::registry);
  EXPECT_THROW(parse_reference("oci:"), Error);
}

TEST(Config, foreign_fields_are_carried_through) {
  const auto image = open_layout(goldens / "run-images/plain");
  const std::string json = to_json(image->config());
  EXPECT_NE(json.find("ExposedPorts"), std::string::npos);
  EXPECT_NE(json.find("StopSignal"), std::string::npos);
}

TEST(Config, a_variable_is_replaced_where_it_stands) {
  ImageConfig config;
  config.env = {"A=1", "PATH=/bin", "B=2"};
  config.set_variable("PATH", "/x:/bin");
  config.set_variable("C", "3");
  EXPECT_EQ(config.env, (std::vector<std::string>{"A=1", "PATH=/x:/bin", "B=2", "C=3"}));
  EXPECT_EQ(config.variable("PATH"), "/x:/bin");
  EXPECT_FALSE(config.variable("PAT"));
}
