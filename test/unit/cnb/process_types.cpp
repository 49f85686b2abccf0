#include "cnb/process_types.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace cib::cnb {
namespace {

using testing::HasSubstr;

Error refusal(std::string_view type) {
  try {
    check_process_type(type);
  } catch (const Error& error) {
    return error;
  }
  return Error(ExitCode::ok, "");
}

LaunchMetadata with_processes(std::vector<std::string> types, std::string default_type = "") {
  LaunchMetadata metadata;
  for (std::string& type : types) metadata.processes.push_back({.type = std::move(type)});
  metadata.default_process_type = std::move(default_type);
  return metadata;
}

TEST(ProcessTypes, allow_dots_dashes_and_anything_that_is_not_forbidden) {
  for (const char* type : {"web", "process.with.period", "a-b_c", "worker.v2", "é", "a b"}) EXPECT_NO_THROW(check_process_type(type));
}

TEST(ProcessTypes, forbidden_characters_fail_the_export) {
  for (const char c : std::string_view(R"(/><:|&\)")) {
    const std::string type = std::string("a") + c + "b";
    const Error error = refusal(type);
    EXPECT_EQ(error.code(), ExitCode::export_image);
    EXPECT_EQ(error.message(), "invalid process type '" + type + R"(': type may not contain characters '/><:|&\')");
  }
}

TEST(ProcessTypes, empty_type_and_names_that_are_no_files_fail_the_export) {
  for (const std::string& type : {std::string(), std::string("."), std::string(".."), std::string("a\0b", 3)})
    EXPECT_EQ(refusal(type).code(), ExitCode::export_image) << type;
}

TEST(Entrypoint, is_what_the_user_asks_for) {
  EXPECT_EQ(choose_entrypoint(with_processes({"web", "worker"}, "web"), "worker"), (Entrypoint{"/cnb/process/worker", "worker"}));
}

TEST(Entrypoint, is_else_the_buildpacks_default) {
  EXPECT_EQ(choose_entrypoint(with_processes({"web"}, "web"), ""), (Entrypoint{"/cnb/process/web", "web"}));
}

TEST(Entrypoint, is_the_bare_launcher_without_a_default) {
  EXPECT_EQ(choose_entrypoint(with_processes({"web"}), ""), (Entrypoint{"/cnb/lifecycle/launcher", ""}));
  EXPECT_EQ(choose_entrypoint({}, ""), (Entrypoint{"/cnb/lifecycle/launcher", ""}));
}

TEST(Entrypoint, that_does_not_exist_fails_the_export) {
  try {
    choose_entrypoint(with_processes({"web", "worker"}, "web"), "nope");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::export_image);
    EXPECT_EQ(error.message(), "tried to set nope to default but it doesn't exist");
    EXPECT_THAT(error.why(), HasSubstr("web, worker"));
  }
}

}  // namespace
}  // namespace cib::cnb
