#include "cnb/api.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

using testing::HasSubstr;

// Holds in `first` and from there on, and not in `before`.
void expect_since(Since behaviour, BuildpackApi before, BuildpackApi first) {
  EXPECT_FALSE(holds(behaviour, before));
  EXPECT_TRUE(holds(behaviour, first));
  EXPECT_TRUE(holds(behaviour, BuildpackApi(0, 12)));
  EXPECT_TRUE(holds(behaviour, BuildpackApi(1, 0)));
}

void expect_since(PlatformSince behaviour, PlatformApi before, PlatformApi first) {
  EXPECT_FALSE(holds(behaviour, before));
  EXPECT_TRUE(holds(behaviour, first));
  EXPECT_TRUE(holds(behaviour, PlatformApi(1, 0)));
}

TEST(BuildpackApi, tells_paths_in_variables_since_0_8) {
  expect_since(Since::env_variables_for_paths, {0, 7}, {0, 8});
}
TEST(BuildpackApi, has_working_directories_since_0_8) { expect_since(Since::working_dir, {0, 7}, {0, 8}); }
TEST(BuildpackApi, has_commands_as_lists_since_0_9) { expect_since(Since::command_array, {0, 8}, {0, 9}); }
TEST(BuildpackApi, forbids_the_key_direct_since_0_9) { expect_since(Since::direct_forbidden, {0, 8}, {0, 9}); }
TEST(BuildpackApi, lets_arguments_replace_args_since_0_9) { expect_since(Since::args_overridable, {0, 8}, {0, 9}); }
TEST(BuildpackApi, tells_the_target_in_variables_since_0_10) {
  expect_since(Since::target_variables, {0, 9}, {0, 10});
}
TEST(BuildpackApi, takes_stack_bionic_for_a_target_since_0_10) {
  expect_since(Since::stack_bionic_is_target, {0, 9}, {0, 10});
}
TEST(BuildpackApi, has_execution_environments_since_0_12) { expect_since(Since::exec_env, {0, 11}, {0, 12}); }

TEST(PlatformApi, collects_sboms_since_0_8) { expect_since(PlatformSince::sbom_layers, {0, 7}, {0, 8}); }
TEST(PlatformApi, writes_the_legacy_sbom_since_0_9) { expect_since(PlatformSince::legacy_sbom, {0, 8}, {0, 9}); }
TEST(PlatformApi, takes_the_epoch_for_the_creation_time_since_0_9) {
  expect_since(PlatformSince::epoch_is_created, {0, 8}, {0, 9});
}
TEST(PlatformApi, writes_commands_as_lists_since_0_10) {
  expect_since(PlatformSince::metadata_command_array, {0, 9}, {0, 10});
}
TEST(PlatformApi, has_build_config_since_0_11) { expect_since(PlatformSince::build_config, {0, 10}, {0, 11}); }
TEST(PlatformApi, ships_the_launchers_sbom_since_0_11) { expect_since(PlatformSince::launcher_sbom, {0, 10}, {0, 11}); }
TEST(PlatformApi, has_run_toml_since_0_12) { expect_since(PlatformSince::run_toml, {0, 11}, {0, 12}); }
TEST(PlatformApi, matches_targets_since_0_12) { expect_since(PlatformSince::target_matching, {0, 11}, {0, 12}); }
TEST(PlatformApi, keeps_history_since_0_12) { expect_since(PlatformSince::image_history, {0, 11}, {0, 12}); }
TEST(PlatformApi, trusts_the_caches_metadata_alone_since_0_14) {
  expect_since(PlatformSince::cache_metadata_alone, {0, 13}, {0, 14});
}
TEST(PlatformApi, has_system_buildpacks_since_0_15) { expect_since(PlatformSince::system_buildpacks, {0, 14}, {0, 15}); }
TEST(PlatformApi, chooses_by_execution_environment_since_0_15) {
  expect_since(PlatformSince::exec_env, {0, 14}, {0, 15});
}

TEST(PlatformApi, ours_is_0_12) {
  EXPECT_EQ(platform_api.text(), "0.12");
  EXPECT_TRUE(holds(PlatformSince::run_toml));
  EXPECT_FALSE(holds(PlatformSince::cache_metadata_alone));
}

TEST(ApiVersion, reads_major_and_minor) {
  EXPECT_EQ(BuildpackApi::parse("0.10"), BuildpackApi(0, 10));
  EXPECT_EQ(BuildpackApi::parse("1"), BuildpackApi(1, 0));
  EXPECT_EQ(BuildpackApi::parse("v0.9"), BuildpackApi(0, 9));
  EXPECT_EQ(BuildpackApi(0, 10).text(), "0.10");
}

TEST(ApiVersion, refuses_any_other_text) {
  for (const char* text : {"", ".", "0.", ".1", "0.1.2", "a", "0.x", " 0.1", "-1.0", "0.99999999999", "vv1"})
    EXPECT_FALSE(BuildpackApi::parse(text)) << text;
}

TEST(SupportedApis, are_0_7_to_0_12) {
  EXPECT_FALSE(is_supported({0, 6}));
  for (unsigned minor = 7; minor <= 12; ++minor) EXPECT_TRUE(is_supported({0, minor}));
  EXPECT_FALSE(is_supported({0, 13}));
  EXPECT_FALSE(is_supported({1, 0}));
}

TEST(SupportedApis, an_unsupported_one_ends_with_12_and_says_what_to_do) {
  try {
    require_supported_api("0.99", "golden/future@1.0.0");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::buildpack_api);
    EXPECT_EQ(static_cast<int>(error.code()), 12);
    EXPECT_THAT(error.message(), HasSubstr("buildpack API version '0.99' is incompatible with the lifecycle"));
    EXPECT_THAT(error.message(), HasSubstr("golden/future@1.0.0"));
    EXPECT_THAT(error.next(), HasSubstr("0.7 to 0.12"));
  }
}

TEST(SupportedApis, no_version_at_all_ends_with_12_too) {
  try {
    require_supported_api("", "hello_world@0.0.1");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::buildpack_api);
    EXPECT_THAT(error.message(), HasSubstr("parse buildpack API '' for buildpack 'hello_world@0.0.1'"));
  }
}

}  // namespace
}  // namespace cib::cnb
