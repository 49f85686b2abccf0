// Builders from builder.toml.
#include "build/create_builder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "build/builder_layers.hpp"
#include "build/layer_writer.hpp"
#include "cnb/builder.hpp"
#include "oci/archive.hpp"
#include "oci/layout.hpp"
#include "oci/tar_reader.hpp"
#include "oci/tar_writer.hpp"

namespace cib::build {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Quiet : EventSink {
  void on(const Event& event) override {
    if (const auto* layer = std::get_if<event::LayerDone>(&event)) layers.push_back(layer->name);
    if (const auto* image = std::get_if<event::ImageWritten>(&event)) written = image->written;
    if (const auto* warning = std::get_if<event::Warning>(&event)) warnings.push_back(warning->text);
  }
  std::vector<std::string> layers;
  std::vector<std::string> warnings;
  std::uint64_t written = 0;
};

class CreateBuilderTest : public testing::Test {
 protected:
  void SetUp() override {
    make_folders(at("scratch"));
    make_base({"PATH=/bin", "CNB_USER_ID=1001", "CNB_GROUP_ID=1000"});
    make_buildpack("one", "x/one", "1.0.0");
    make_buildpack("two", "x/two", "2.1.0");
    write_file(at("builder.toml"), plain);
  }

  fs::path at(const std::string& name) const { return m_folder.path() / name; }

  void make_base(std::vector<std::string> env) {
    const auto target = oci::layout_target(at("base"));
    TaskPool pool(1);
    LayerWriter writer(*target, {}, pool, {});
    const PlacedLayer layer = writer.make([](Sink& sink) {
      oci::TarWriter tar(sink);
      tar.header({.name = "etc", .type = oci::TarHeader::Type::folder, .mode = 0755});
      tar.finish();
    });
    oci::ImageConfig config;
    config.platform = {"linux", "amd64", ""};
    config.env = std::move(env);
    config.diff_ids = {layer.diff_id};
    oci::Manifest manifest;
    manifest.media_type = oci::media_type::oci_manifest;
    const std::string config_json = oci::to_json(config);
    manifest.config = {std::string(oci::media_type::oci_config), oci::sha256_of(config_json), config_json.size(), {}, {}};
    manifest.layers = {layer.descriptor};
    target->commit(manifest, oci::to_json(manifest), config_json);
  }

  void make_buildpack(const std::string& folder, const std::string& id, const std::string& version) {
    make_folders(at(folder) / "bin");
    write_file(at(folder) / "buildpack.toml",
               "api = \"0.10\"\n[buildpack]\nid = \"" + id + "\"\nversion = \"" + version + "\"\n");
    for (const char* program : {"bin/detect", "bin/build"}) write_file(at(folder) / program, "#!/bin/sh\n", 0700);
  }

  CreatedBuilder create(const std::string& output = "builder", bool reuse = false) {
    const auto target = oci::layout_target(at(output));
    CreateBuilder request;
    request.definition = cnb::parse_builder_toml(read_file(at("builder.toml")), "builder.toml");
    request.folder = m_folder.path();
    request.scratch = at("scratch");
    request.builder = target.get();
    if (reuse) request.known = {oci::open_layout(at(output))};
    events = {};
    return create_builder(request, events, {});
  }

  std::string failure() {
    try {
      create();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::configuration);
      EXPECT_FALSE(fs::exists(at("builder")));
      return error.message() + " | " + error.why();
    }
    return "nothing was thrown";
  }

  // Names, modes and contents of a layer: "0755 /cnb", "0644 /cnb/order.toml: <text>".
  static std::vector<std::string> listing(const oci::Layer& layer) {
    std::vector<std::string> list;
    const auto tar = oci::open_tar(layer);
    oci::TarReader reader(*tar);
    for (oci::TarEntry entry; reader.next(entry);) {
      std::string text(entry.size, '\0');
      for (std::size_t done = 0; done < text.size();)
        done += reader.read(std::as_writable_bytes(std::span(text.data() + done, text.size() - done)));
      char mode[8];
      std::snprintf(mode, sizeof mode, "%04o ", entry.mode);
      list.push_back(mode + entry.name + (entry.uid ? " of " + std::to_string(entry.uid) : "") +
                     (text.empty() ? "" : ": " + text));
    }
    return list;
  }

  std::vector<std::string> layer(const std::string& image, const std::string& name) const {
    const auto found = std::ranges::find(events.layers, name);
    EXPECT_NE(found, events.layers.end()) << name;
    return listing(*oci::open_layout(at(image))->layers()[static_cast<std::size_t>(found - events.layers.begin())]);
  }

  const std::string plain = R"(
description = "a test"
[[buildpacks]]
uri = "two"
[[buildpacks]]
uri = "one"
id = "x/one"
[[order]]
[[order.group]]
id = "x/one"
[[order.group]]
id = "x/two"
version = "2.1.0"
optional = true
[build]
image = "oci:base"
[[run.images]]
image = "registry.example/run"
mirrors = ["mirror.example/run"]
)";
  Quiet events;

 private:
  TempFolder m_folder;
};

TEST_F(CreateBuilderTest, makes_an_image_that_is_read_as_a_builder) {
  create();
  const auto image = oci::open_layout(at("builder"));
  const cnb::Builder builder = cnb::parse_builder(image->config(), "builder");
  EXPECT_EQ(builder.uid, 1001u);
  EXPECT_EQ(builder.gid, 1000u);
  EXPECT_EQ(builder.description, "a test");
  EXPECT_THAT(builder.run_images, ElementsAre(cnb::RunImage{"registry.example/run", {"mirror.example/run"}}));
  EXPECT_EQ(image->config().working_dir, "/layers");
  EXPECT_THAT(builder.buildpack_apis.supported, testing::Contains("0.10"));
}

TEST_F(CreateBuilderTest, fills_in_the_versions_that_the_order_leaves_open) {
  create();
  const cnb::Builder builder = cnb::parse_builder(oci::open_layout(at("builder"))->config(), "builder");
  ASSERT_EQ(builder.order.size(), 1u);
  EXPECT_THAT(builder.order[0], ElementsAre(cnb::GroupElement{"x/one", "1.0.0", false}, cnb::GroupElement{"x/two", "2.1.0", true}));
}

TEST_F(CreateBuilderTest, puts_the_layers_in_the_order_that_platforms_expect) {
  create();
  EXPECT_THAT(events.layers, ElementsAre("base", "folders", "lifecycle", "x/one@1.0.0", "x/two@2.1.0", "order.toml",
                                         "stack.toml", "run.toml"));
}

TEST_F(CreateBuilderTest, names_the_layer_of_every_buildpack) {
  create();
  const auto image = oci::open_layout(at("builder"));
  const cnb::Builder builder = cnb::parse_builder(image->config(), "builder");
  const int index = oci::find_layer(*image, builder.find("x/two", "2.1.0")->layer);
  ASSERT_EQ(index, 4);
  EXPECT_THAT(listing(*image->layers()[4]),
              ElementsAre("0755 /cnb", "0755 /cnb/buildpacks", "0755 /cnb/buildpacks/x_two",
                          "0755 /cnb/buildpacks/x_two/2.1.0", "0755 /cnb/buildpacks/x_two/2.1.0/bin",
                          "0755 /cnb/buildpacks/x_two/2.1.0/bin/build: #!/bin/sh\n",
                          "0755 /cnb/buildpacks/x_two/2.1.0/bin/detect: #!/bin/sh\n",
                          HasSubstr("0644 /cnb/buildpacks/x_two/2.1.0/buildpack.toml: api")));
}

TEST_F(CreateBuilderTest, gives_the_build_user_its_folders) {
  create();
  EXPECT_THAT(layer("builder", "folders"),
              ElementsAre("0755 /workspace of 1001", "0755 /layers of 1001", "0755 /cnb", "0755 /cnb/buildpacks",
                          "0755 /platform", "0755 /platform/env"));
}

TEST_F(CreateBuilderTest, brings_an_executable_launcher_and_says_what_it_supports) {
  create();
  const auto files = layer("builder", "lifecycle");
  ASSERT_EQ(files.size(), 4u);
  EXPECT_THAT(files[2], testing::StartsWith("0755 /cnb/lifecycle/launcher: \x7f" "ELF"));
  EXPECT_THAT(files[3], HasSubstr("[apis.platform]"));
}

TEST_F(CreateBuilderTest, takes_another_launcher_when_one_is_named) {
  write_file(at("mine"), "my launcher");
  write_file(at("builder.toml"), plain + "[lifecycle]\nlauncher = \"mine\"\n");
  create();
  EXPECT_EQ(layer("builder", "lifecycle")[2], "0755 /cnb/lifecycle/launcher: my launcher");
}

TEST_F(CreateBuilderTest, says_that_a_lifecycle_version_is_not_downloaded) {
  write_file(at("builder.toml"), plain + "[lifecycle]\nversion = \"0.20.8\"\n");
  create();
  EXPECT_THAT(events.warnings, ElementsAre(HasSubstr("0.20.8 is not downloaded")));
}

TEST_F(CreateBuilderTest, writes_the_operators_variables_with_suffix_and_delimiter) {
  write_file(at("builder.toml"), plain + "[[build.env]]\nname = \"A\"\nvalue = \"1\"\n[[build.env]]\nname = \"P\"\n"
                                         "value = \"/x\"\nsuffix = \"append\"\ndelim = \":\"\n");
  create();
  EXPECT_THAT(layer("builder", "build-config"),
              ElementsAre("0755 /cnb", "0755 /cnb/build-config", "0755 /cnb/build-config/env",
                          "0644 /cnb/build-config/env/A: 1", "0644 /cnb/build-config/env/P.append: /x",
                          "0644 /cnb/build-config/env/P.delim: :"));
}

TEST_F(CreateBuilderTest, gives_equal_images_whatever_the_modes_and_times_of_the_sources_are) {
  const CreatedBuilder first = create("first");
  fs::permissions(at("one/bin/build"), static_cast<fs::perms>(0777));
  fs::permissions(at("one/buildpack.toml"), static_cast<fs::perms>(0600));
  fs::last_write_time(at("one/bin/build"), fs::file_time_type::clock::now() - std::chrono::hours(1000));
  EXPECT_EQ(create("second").builder.digest, first.builder.digest);
}

TEST_F(CreateBuilderTest, writes_nothing_the_second_time) {
  const CreatedBuilder first = create();
  const CreatedBuilder second = create("builder", true);
  EXPECT_EQ(second.builder.digest, first.builder.digest);
  EXPECT_EQ(events.written, 0u);
}

TEST_F(CreateBuilderTest, writes_only_the_layer_of_the_buildpack_that_changed) {
  create();
  const auto before = oci::open_layout(at("builder"))->config().diff_ids;
  write_file(at("one/bin/build"), "#!/bin/sh\necho changed\n", 0755);
  create("builder", true);
  const auto after = oci::open_layout(at("builder"))->config().diff_ids;
  ASSERT_EQ(before.size(), after.size());
  std::vector<std::size_t> different;
  for (std::size_t i = 0; i < after.size(); ++i)
    if (before[i] != after[i]) different.push_back(i);
  EXPECT_THAT(different, ElementsAre(3u));
}

TEST_F(CreateBuilderTest, reads_a_buildpack_from_an_archive_as_from_its_folder) {
  const CreatedBuilder from_folder = create("first");
  ASSERT_EQ(std::system(("tar -C " + at("two").string() + " -czf " + at("two.tgz").string() + " .").c_str()), 0);
  std::string text = plain;
  text.replace(text.find("\"two\""), 5, "\"two.tgz\"");
  write_file(at("builder.toml"), text);
  EXPECT_EQ(create("second").builder.digest, from_folder.builder.digest);
}

TEST_F(CreateBuilderTest, takes_along_what_a_composite_names_in_its_package_toml) {
  make_folders(at("both"));
  write_file(at("both/buildpack.toml"),
             "api = \"0.10\"\n[buildpack]\nid = \"x/both\"\nversion = \"3\"\n[[order]]\n[[order.group]]\nid = \"x/one\"\n"
             "version = \"1.0.0\"\n[[order.group]]\nid = \"x/two\"\nversion = \"2.1.0\"\n");
  write_file(at("both/package.toml"), "[[dependencies]]\nuri = \"../one\"\n[[dependencies]]\nuri = \"../two\"\n");
  write_file(at("builder.toml"),
             "[[buildpacks]]\nuri = \"both\"\n[[order]]\n[[order.group]]\nid = \"x/both\"\n[build]\nimage = \"oci:base\"\n"
             "[[run.images]]\nimage = \"run\"\n");
  create();
  const cnb::Builder builder = cnb::parse_builder(oci::open_layout(at("builder"))->config(), "builder");
  EXPECT_EQ(cnb::layers_needed(builder, builder.order).size(), 3u);
}

// An image with the layer of buildpack x/two, as `pack buildpack package` makes it.
void make_package(const fs::path& folder, const fs::path& buildpack_folder, const std::string& version_in_label) {
  const auto target = oci::layout_target(folder);
  TaskPool pool(1);
  LayerWriter writer(*target, {}, pool, {});
  const cnb::Buildpack buildpack = cnb::parse_buildpack_toml(read_file(buildpack_folder / "buildpack.toml"), "x");
  const PlacedLayer layer = writer.make([&](Sink& sink) { write_buildpack_layer(sink, buildpack, buildpack_folder); });
  oci::ImageConfig config;
  config.platform = {"linux", "amd64", ""};
  config.diff_ids = {layer.diff_id};
  config.labels["io.buildpacks.buildpackage.metadata"] = R"({"id":"x/two","version":"2.1.0"})";
  config.labels["io.buildpacks.buildpack.layers"] =
      R"({"x/two":{")" + version_in_label + R"(":{"api":"0.10","layerDiffID":")" + layer.diff_id.str() + R"("}}})";
  oci::Manifest manifest;
  manifest.media_type = oci::media_type::oci_manifest;
  const std::string config_json = oci::to_json(config);
  manifest.config = {std::string(oci::media_type::oci_config), oci::sha256_of(config_json), config_json.size(), {}, {}};
  manifest.layers = {layer.descriptor};
  target->commit(manifest, oci::to_json(manifest), config_json);
}

TEST_F(CreateBuilderTest, reads_a_buildpackage_as_the_folder_it_was_made_of) {
  const CreatedBuilder from_folder = create("first");
  make_package(at("package"), at("two"), "2.1.0");
  std::string text = plain;
  text.replace(text.find("uri = \"two\""), 11, "image = \"oci:package\"");
  write_file(at("builder.toml"), text);
  EXPECT_EQ(create("second").builder.digest, from_folder.builder.digest);
}

TEST_F(CreateBuilderTest, refuses_a_buildpackage_whose_label_lies) {
  make_package(at("package"), at("two"), "9.9.9");
  std::string text = plain;
  text.replace(text.find("uri = \"two\""), 11, "image = \"oci:package\"");
  write_file(at("builder.toml"), text);
  EXPECT_THAT(failure(), HasSubstr("does not hold x/two@9.9.9"));
}

TEST_F(CreateBuilderTest, refuses_an_archive_whose_buildpack_toml_is_a_link) {
  fs::remove(at("two/buildpack.toml"));
  fs::create_symlink("/etc/passwd", at("two/buildpack.toml"));
  EXPECT_THAT(failure(), HasSubstr("two is no buildpack"));
}

TEST_F(CreateBuilderTest, makes_archives_too) {
  const auto target = oci::archive_target(at("builder.tar"), "builder:latest");
  CreateBuilder request;
  request.definition = cnb::parse_builder_toml(plain, "builder.toml");
  request.folder = at(".");
  request.scratch = at("scratch");
  request.builder = target.get();
  create_builder(request, events, {});
  const auto image = oci::open_archive(at("builder.tar"), at("scratch"));
  EXPECT_EQ(cnb::parse_builder(image->config(), "builder").uid, 1001u);
  const CreatedBuilder layout = create("layout");
  EXPECT_EQ(image->config().diff_ids, oci::open_layout(at("layout"))->config().diff_ids);
}

TEST_F(CreateBuilderTest, refuses_an_order_with_a_buildpack_that_is_not_there) {
  write_file(at("builder.toml"), plain + "[[order]]\n[[order.group]]\nid = \"x/three\"\n");
  EXPECT_THAT(failure(), HasSubstr("x/three"));
}

TEST_F(CreateBuilderTest, refuses_a_buildpack_that_is_another_one_than_stated) {
  std::string text = plain;
  text.replace(text.find("uri = \"two\""), 11, "uri = \"two\"\nid = \"x/one\"");
  write_file(at("builder.toml"), text);
  EXPECT_THAT(failure(), HasSubstr("two is buildpack x/two@2.1.0, not x/one@2.1.0"));
}

TEST_F(CreateBuilderTest, refuses_a_folder_without_buildpack_toml) {
  fs::remove(at("two/buildpack.toml"));
  EXPECT_THAT(failure(), HasSubstr("two is no buildpack"));
}

TEST_F(CreateBuilderTest, refuses_a_buildpack_without_a_program) {
  fs::remove(at("two/bin/build"));
  EXPECT_THAT(failure(), HasSubstr("x/two@2.1.0 has no bin/build"));
}

TEST_F(CreateBuilderTest, refuses_the_same_buildpack_from_two_places) {
  make_buildpack("copy", "x/one", "1.0.0");
  write_file(at("builder.toml"), plain + "[[buildpacks]]\nuri = \"copy\"\n");
  EXPECT_THAT(failure(), HasSubstr("comes from two places"));
}

TEST_F(CreateBuilderTest, refuses_what_would_have_to_be_downloaded) {
  write_file(at("builder.toml"), plain + "[[buildpacks]]\nuri = \"https://example.com/bp.tgz\"\n");
  EXPECT_THAT(failure(), HasSubstr("https://example.com/bp.tgz is not on this machine"));
}

TEST_F(CreateBuilderTest, refuses_a_base_that_does_not_say_who_builds) {
  fs::remove_all(at("base"));
  make_base({"PATH=/bin", "CNB_USER_ID=1001"});
  EXPECT_THAT(failure(), HasSubstr("CNB_GROUP_ID is not set"));
}

TEST_F(CreateBuilderTest, refuses_a_base_where_buildpacks_would_be_root) {
  fs::remove_all(at("base"));
  make_base({"PATH=/bin", "CNB_USER_ID=0", "CNB_GROUP_ID=0"});
  EXPECT_THAT(failure(), HasSubstr("CNB_USER_ID is 0"));
}

TEST_F(CreateBuilderTest, ends_with_an_error_and_without_an_image_when_it_is_stopped) {
  std::stop_source stop;
  stop.request_stop();
  const auto target = oci::layout_target(at("builder"));
  CreateBuilder request;
  request.definition = cnb::parse_builder_toml(plain, "builder.toml");
  request.folder = at(".");
  request.scratch = at("scratch");
  request.builder = target.get();
  try {
    create_builder(request, events, stop.get_token());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::interrupted);
  }
  EXPECT_FALSE(oci::layout_has(at("builder")));
}

}  // namespace
}  // namespace cib::build
