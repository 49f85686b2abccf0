#include "cnb/builder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cnb/labels.hpp"

namespace cib::cnb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string sha(char digit) { return "sha256:" + std::string(64, digit); }
oci::Digest digest(char digit) { return oci::Digest::parse(sha(digit)); }

void set_label(oci::ImageConfig& config, std::string_view label, std::string value) { config.labels[std::string(label)] = std::move(value); }

// Shaped like builder-jammy-full.
oci::ImageConfig jammy() {
  oci::ImageConfig config;
  config.platform = {"linux", "amd64", ""};
  config.env = {"PATH=/bin", "CNB_USER_ID=1002", "CNB_GROUP_ID=1000", "CNB_STACK_ID=io.buildpacks.stacks.jammy"};
  set_label(config, label::stack_id, "io.buildpacks.stacks.jammy");
  set_label(config, label::distro_name, "ubuntu");
  set_label(config, label::distro_version, "22.04");
  set_label(config, label::base_id, "io.base");
  set_label(config, label::builder_metadata, R"({"description":"Ubuntu 22.04","buildpacks":[{"id":"p/python","version":"2.23.1"}],
    "extensions":null,"stack":{"runImage":{"image":"old/run:latest","mirrors":null}},
    "lifecycle":{"version":"0.20.8","api":{"buildpack":"0.7","platform":"0.7"},
      "apis":{"buildpack":{"deprecated":[],"supported":["0.7","0.10"]},"platform":{"deprecated":["0.3"],"supported":["0.7","0.12"]}}},
    "createdBy":{"name":"Pack CLI","version":"0.38.2"},
    "images":[{"image":"index.docker.io/p/run:latest","mirrors":["gcr.io/p/run:latest"]}]})");
  set_label(config, label::buildpack_order, R"([{"group":[{"id":"p/python","version":"2.23.1"},{"id":"p/procfile","optional":true}]}])");
  set_label(config, label::buildpack_layers, R"({"p/cpython":{"1.13.4":{"api":"0.7","stacks":[{"id":"*","mixins":["git"]}],
      "targets":[{"os":"linux","arch":"arm64","variant":"v8","distros":[{"name":"ubuntu","version":"22.04"}]}],
      "layerDiffID":")" + sha('1') + R"(","homepage":"https://h","name":"CPython"}},
    "p/procfile":{"5.0.0":{"api":"0.7","layerDiffID":")" + sha('2') + R"("}},
    "p/unused":{"1":{"api":"0.7","layerDiffID":")" + sha('3') + R"("},"2":{"api":"0.7","layerDiffID":")" + sha('4') + R"("}},
    "p/python":{"2.23.1":{"api":"0.8","order":[{"group":[{"id":"p/cpython","version":"1.13.4"},{"id":"p/procfile","version":"5.0.0","optional":true}]}],
      "layerDiffID":")" + sha('5') + R"("}}})");
  return config;
}

std::string refusal(const oci::ImageConfig& config, std::string* next = nullptr) {
  try {
    parse_builder(config, "the/builder");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    if (next) *next = error.next();
    return error.message();
  }
  return "";
}

TEST(Builder, is_read_from_labels_and_environment) {
  const Builder builder = parse_builder(jammy(), "b");
  EXPECT_EQ(builder.uid, 1002u);
  EXPECT_EQ(builder.gid, 1000u);
  EXPECT_EQ(builder.description, "Ubuntu 22.04");
  EXPECT_THAT(builder.order, ElementsAre(ElementsAre(GroupElement{"p/python", "2.23.1", false}, GroupElement{"p/procfile", "", true})));
  EXPECT_THAT(builder.run_images, ElementsAre(RunImage{"index.docker.io/p/run:latest", {"gcr.io/p/run:latest"}}));
  EXPECT_EQ(builder.lifecycle_version, "0.20.8");
  EXPECT_EQ(builder.platform_apis, (ApiVersions{{"0.7", "0.12"}, {"0.3"}}));
  EXPECT_EQ(builder.stack_id, "io.buildpacks.stacks.jammy");
  EXPECT_EQ(builder.target.os, "linux");
  EXPECT_EQ(builder.target.arch, "amd64");
  EXPECT_EQ(builder.target.id, "io.base");
  EXPECT_EQ(builder.target.distro, (Distro{"ubuntu", "22.04"}));
}

TEST(Builder, table_says_which_layer_holds_a_buildpack) {
  const Builder builder = parse_builder(jammy(), "b");
  const BuilderBuildpack* cpython = builder.find("p/cpython", "1.13.4");
  ASSERT_NE(cpython, nullptr);
  EXPECT_EQ(*cpython, (BuilderBuildpack{.api = "0.7", .layer = digest('1'), .stacks = {{"*", {"git"}}},
                                        .targets = {{"linux", "arm64", "v8", {{"ubuntu", "22.04"}}}}, .name = "CPython", .homepage = "https://h"}));
  EXPECT_EQ(builder.find("p/python", "")->order.size(), 1u);
  EXPECT_EQ(builder.find("p/python", "9"), nullptr);
  EXPECT_EQ(builder.find("p/none", ""), nullptr);
  EXPECT_EQ(builder.find("p/unused", ""), nullptr) << "two versions: one must be named";
}

TEST(Builder, of_an_old_pack_has_its_run_image_in_the_stack_and_one_api) {
  oci::ImageConfig config = jammy();
  set_label(config, label::builder_metadata,
            R"({"stack":{"runImage":{"image":"r:1","mirrors":["m:1"]}},"lifecycle":{"version":"0.5.0","api":{"buildpack":"0.2","platform":"0.1"}}})");
  const Builder builder = parse_builder(config, "b");
  EXPECT_THAT(builder.run_images, ElementsAre(RunImage{"r:1", {"m:1"}}));
  EXPECT_EQ(builder.buildpack_apis, (ApiVersions{{"0.2"}, {}}));
}

TEST(Builder, may_name_no_run_image) {
  oci::ImageConfig config = jammy();
  set_label(config, label::builder_metadata, R"({"stack":{"runImage":{"image":"","mirrors":null}},"images":null})");
  EXPECT_THAT(parse_builder(config, "b").run_images, IsEmpty());
}

TEST(Builder, without_its_labels_is_none_and_the_reader_learns_what_to_do) {
  for (const std::string_view missing : {label::builder_metadata, label::buildpack_order}) {
    oci::ImageConfig config = jammy();
    config.labels.erase(std::string(missing));
    std::string next;
    EXPECT_EQ(refusal(config, &next), "the/builder is not a builder");
    EXPECT_THAT(next, HasSubstr("builder create"));
  }
}

TEST(Builder, malformed_label_is_named) {
  for (const std::string_view bad : {label::builder_metadata, label::buildpack_order, label::buildpack_layers, label::system_buildpacks, label::extension_order})
    for (const char* value : {"{", "3", "\"x\""}) {
      oci::ImageConfig config = jammy();
      set_label(config, bad, value);
      EXPECT_THAT(refusal(config), HasSubstr("the/builder: label: " + std::string(bad))) << value;
    }
  oci::ImageConfig config = jammy();
  set_label(config, label::buildpack_layers, R"({"a":{"1":{"layerDiffID":"sha256:12"}}})");
  EXPECT_THAT(refusal(config), HasSubstr("a.1.layerDiffID"));
}

TEST(Builder, needs_numbers_of_user_and_group) {
  for (const char* variable : {"CNB_USER_ID", "CNB_GROUP_ID"}) {
    for (const char* value : {"", "cnb", "10x", "-1", "4294967295", "99999999999", "1.5"}) {
      oci::ImageConfig config = jammy();
      config.set_variable(variable, value);
      EXPECT_THAT(refusal(config), HasSubstr(variable)) << value;
    }
    oci::ImageConfig config = jammy();
    std::erase_if(config.env, [&](const std::string& entry) { return entry.starts_with(variable); });
    EXPECT_THAT(refusal(config), HasSubstr(variable));
  }
}

TEST(Builder, never_runs_as_root) {
  oci::ImageConfig config = jammy();
  config.set_variable("CNB_USER_ID", "0");
  EXPECT_THAT(refusal(config), HasSubstr("CNB_USER_ID is 0"));
  config = jammy();
  config.set_variable("CNB_GROUP_ID", "0");
  EXPECT_EQ(parse_builder(config, "b").gid, 0u);
}

TEST(Builder, stack_comes_from_the_environment_when_the_label_is_missing) {
  oci::ImageConfig config = jammy();
  config.labels.erase(std::string(label::stack_id));
  config.set_variable("CNB_STACK_ID", "from.env");
  EXPECT_EQ(parse_builder(config, "b").stack_id, "from.env");
}

TEST(Builder, has_system_buildpacks_and_extension_orders) {
  oci::ImageConfig config = jammy();
  set_label(config, label::system_buildpacks, R"({"pre":{"buildpacks":[{"id":"s/a","version":"1"}]},"post":{"buildpacks":[{"id":"s/b","version":"2","optional":true}]}})");
  set_label(config, label::extension_order, R"([{"group":[{"id":"e/x","version":"1"}]}])");
  const Builder builder = parse_builder(config, "b");
  EXPECT_THAT(builder.system_pre, ElementsAre(GroupElement{"s/a", "1", false}));
  EXPECT_THAT(builder.system_post, ElementsAre(GroupElement{"s/b", "2", true}));
  EXPECT_THAT(builder.extension_order, ElementsAre(ElementsAre(GroupElement{"e/x", "1", false})));
}

TEST(BuilderLabels, read_back_the_same) {
  Builder builder = parse_builder(jammy(), "b");
  builder.system_pre = {{"s/a", "1", true}};
  oci::ImageConfig config = jammy();
  for (const auto& [name, value] : builder_labels(builder)) config.labels[name] = value;
  const Builder again = parse_builder(config, "b");
  EXPECT_EQ(again.buildpacks, builder.buildpacks);
  EXPECT_EQ(again.order, builder.order);
  EXPECT_EQ(again.run_images, builder.run_images);
  EXPECT_EQ(again.system_pre, builder.system_pre);
  EXPECT_EQ(again.buildpack_apis, builder.buildpack_apis);
  EXPECT_EQ(again.platform_apis, builder.platform_apis);
  EXPECT_EQ(again.description, builder.description);
  EXPECT_EQ(again.created_by_version, "0.38.2");
}

TEST(BuilderLabels, have_the_shape_that_pack_reads) {
  const auto labels = builder_labels(parse_builder(jammy(), "b"));
  const auto metadata = nlohmann::json::parse(labels.at("io.buildpacks.builder.metadata"));
  EXPECT_EQ(metadata["stack"]["runImage"]["image"], "index.docker.io/p/run:latest");
  EXPECT_EQ(metadata["images"][0]["mirrors"][0], "gcr.io/p/run:latest");
  EXPECT_EQ(metadata["lifecycle"]["api"]["platform"], "0.7");
  EXPECT_EQ(metadata["lifecycle"]["apis"]["platform"]["deprecated"][0], "0.3");
  EXPECT_EQ(metadata["buildpacks"].size(), 5u);
  EXPECT_TRUE(metadata["extensions"].is_null());
  EXPECT_EQ(nlohmann::json::parse(labels.at("io.buildpacks.buildpack.order"))[0]["group"][1]["optional"], true);
  EXPECT_EQ(nlohmann::json::parse(labels.at("io.buildpacks.buildpack.layers"))["p/procfile"]["5.0.0"]["layerDiffID"], sha('2'));
  EXPECT_FALSE(labels.contains("io.buildpacks.buildpack.system"));
}

TEST(LayersNeeded, are_those_of_the_order_and_of_what_its_composites_name) {
  const Builder builder = parse_builder(jammy(), "b");
  EXPECT_THAT(layers_needed(builder, builder.order), UnorderedElementsAre(digest('1'), digest('2'), digest('5')));
  EXPECT_THAT(layers_needed(builder, {{{"p/procfile", "", false}}}), UnorderedElementsAre(digest('2')));
  EXPECT_EQ(buildpack_layers(builder).size(), 5u);
}

TEST(LayersNeeded, of_a_composite_that_contains_itself_end) {
  Builder builder;
  builder.buildpacks["a"]["1"] = {.layer = digest('1'), .order = {{{"b", "1", false}}}};
  builder.buildpacks["b"]["1"] = {.layer = digest('1'), .order = {{{"a", "1", false}}}};
  EXPECT_THAT(layers_needed(builder, {{{"a", "", false}}}), UnorderedElementsAre(digest('1')));
}

TEST(LayersNeeded, of_a_buildpack_that_is_missing_or_ambiguous_is_an_error) {
  const Builder builder = parse_builder(jammy(), "b");
  for (const auto& [element, message] : {std::pair{GroupElement{"p/none", "", false}, "no buildpack p/none"},
                                         std::pair{GroupElement{"p/unused", "", false}, "several versions of buildpack p/unused"},
                                         std::pair{GroupElement{"p/cpython", "9", true}, "no version 9 of buildpack p/cpython"}})
    try {
      layers_needed(builder, {{element}});
      ADD_FAILURE() << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::configuration);
      EXPECT_THAT(error.message(), HasSubstr(message));
    }
}

TEST(NormalImageName, has_registry_and_tag_and_no_digest) {
  for (const auto& [name, normal] : std::map<std::string, std::string>{
           {"ubuntu", "index.docker.io/library/ubuntu:latest"},
           {"docker.io/library/ubuntu", "index.docker.io/library/ubuntu:latest"},
           {"docker.io/ubuntu:22.04", "index.docker.io/library/ubuntu:22.04"},
           {"p/run:1@" + sha('1'), "index.docker.io/p/run:1"},
           {"localhost/x", "localhost/x:latest"},
           {"host:5000/x/y", "host:5000/x/y:latest"},
           {"gcr.io/p/run:2", "gcr.io/p/run:2"}})
    EXPECT_EQ(normal_image_name(name), normal);
}

TEST(RunImageForExport, is_the_entry_that_names_the_used_image_or_its_mirror) {
  const std::vector<RunImage> images = {{"p/first", {}}, {"docker.io/p/second:latest", {"gcr.io/p/second"}}};
  EXPECT_EQ(run_image_for_export(images, "index.docker.io/p/second@" + sha('1')), images[1]);
  EXPECT_EQ(run_image_for_export(images, "gcr.io/p/second:latest"), images[1]);
}

TEST(RunImageForExport, is_else_the_first_and_nothing_without_any) {
  const std::vector<RunImage> images = {{"p/first", {"m"}}, {"p/second", {}}};
  EXPECT_EQ(run_image_for_export(images, "other/run"), images[0]);
  EXPECT_EQ(run_image_for_export({}, "other/run"), RunImage{});
}

}  // namespace
}  // namespace cib::cnb
