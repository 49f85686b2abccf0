#include "cnb/labels.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;

TEST(BuildMetadataLabel, is_byte_for_byte_what_the_reference_writes) {
  const std::string folder = std::string(CIB_GOLDENS) + "/go-made/app/blobs/sha256/";
  const json config = json::parse(read_file(folder + "29e2ddcf331f53f66f45bf1880202748b5b75639b8637d5cfc9b9bb132767157"));
  LaunchMetadata launch;
  launch.buildpacks = {{"golden/kinds", "1.0.0", "0.10", "https://example.test/kinds?a=1&b=<2>"}};
  launch.processes = {{.type = "web", .command = {"sh", "-c", "one && two > three"}, .args = {{"--port", "<8080>"}}, .direct = true, .buildpack_id = "golden/kinds"},
                      {.type = "worker.v2", .command = {"worker"}, .direct = true, .buildpack_id = "golden/kinds", .working_dir = "/workspace/jobs"}};
  launch.default_process_type = "web";
  EXPECT_EQ(build_metadata_json(launch, {"0.21.17", "", ""}),
            config["config"]["Labels"]["io.buildpacks.build.metadata"].get<std::string>());
}

TEST(BuildMetadataLabel, has_an_empty_list_without_processes_and_no_default_then) {
  LaunchMetadata launch;
  launch.buildpacks = {{"a/b", "1", "0.10", ""}};
  EXPECT_EQ(build_metadata_json(launch, {"1", "r", "c"}),
            R"({"buildpacks":[{"id":"a/b","version":"1"}],)"
            R"("launcher":{"version":"1","source":{"git":{"repository":"r","commit":"c"}}},"processes":[]})");
}

TEST(BuildMetadataLabel, tells_empty_args_from_none) {
  LaunchMetadata launch;
  launch.processes = {{.type = "a", .command = {"a"}, .args = std::vector<std::string>{}}, {.type = "b", .command = {"b"}}};
  const json label = json::parse(build_metadata_json(launch, {}));
  EXPECT_EQ(label["processes"][0]["args"], json::array());
  EXPECT_EQ(label["processes"][1]["args"], nullptr);
}

TEST(ProjectMetadataLabel, is_an_empty_object_when_nothing_is_known) { EXPECT_EQ(project_metadata_json({}), "{}"); }

TEST(ProjectMetadataLabel, says_where_the_source_comes_from) {
  const ProjectSource source = parse_project_metadata_toml(
      "[source]\ntype = \"git\"\n[source.version]\ncommit = \"4b825dc\"\n[source.metadata]\nrepository = \"r\"\n", "p.toml");
  EXPECT_EQ(project_metadata_json(source),
            R"({"source":{"type":"git","version":{"commit":"4b825dc"},"metadata":{"repository":"r"}}})");
  EXPECT_EQ(project_metadata_json(parse_project_metadata_toml("", "p.toml")), "{}");
}

TEST(ProjectMetadataLabel, malformed_source_is_a_configuration_error) {
  try {
    parse_project_metadata_toml("source = 1\n", "p.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
  }
}

}  // namespace
}  // namespace cib::cnb
