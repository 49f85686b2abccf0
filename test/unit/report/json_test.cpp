#include "report/json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/version.hpp"
#include "report/fan_out.hpp"

namespace cib::report {
namespace {

using nlohmann::json;

struct Bench {
  std::chrono::system_clock::time_point now{std::chrono::seconds(1'700'000'000)};
  JsonReport report{[this] { return now; }};
  json document() const { return json::parse(report.to_json()); }
};

TEST(JsonReport, is_complete_and_stable_for_a_build) {
  Bench bench;
  JsonReport& report = bench.report;
  report.on(event::Decision{"builder", "oci:b", "--builder"});
  report.on(event::PhaseStarted{Phase::detect});
  report.on(event::Detected{true, {{"x/a", "1", event::DetectVerdict::Kind::skipped, 100, "out", "not needed"}},
                            R"({"group":[{"id":"x/a"}]})", R"({"entries":[]})"});
  report.on(event::PhaseEnded{Phase::detect, 0.5, "1 buildpack"});
  report.on(event::PhaseStarted{Phase::build});
  report.on(event::BuildpackStarted{"x/a", "1"});
  report.on(event::Output{"x/a@1", "not in the report"});
  report.on(event::BuildpackEnded{"x/a", "1", 0, 4.25});
  report.on(event::PhaseEnded{Phase::build, 4.5, ""});
  report.on(event::LayerDone{event::LayerDone::Where::image, event::LayerDone::How::same, "x/a:l", 10, "sha256:1", "why"});
  report.on(event::LayerDone{event::LayerDone::Where::cache, event::LayerDone::How::dropped, "x/a:m", 0, "", "gone"});
  report.on(event::ImageWritten{"oci:image", "sha256:2", 100, 40});
  report.on(event::Warning{"careful", "do"});
  bench.now += std::chrono::seconds(6);
  report.done();
  bench.now += std::chrono::seconds(100);
  EXPECT_EQ(bench.document(), json::parse(R"({
    "schema": 1,
    "program": {"name": "ci-image-builder", "version": ")" + std::string(program_version) + R"("},
    "result": "built",
    "started": "2023-11-14T22:13:20Z",
    "seconds": 6.0,
    "phases": [{"name": "detect", "seconds": 0.5, "summary": "1 buildpack"}, {"name": "build", "seconds": 4.5, "summary": ""}],
    "decisions": [{"subject": "builder", "value": "oci:b", "source": "--builder"}],
    "detect": {"passed": true, "verdicts": [
      {"id": "x/a", "version": "1", "verdict": "skipped", "exit_code": 100, "reason": "not needed", "output": "out"}]},
    "group": {"group": [{"id": "x/a"}]},
    "plan": {"entries": []},
    "buildpacks": [{"id": "x/a", "version": "1", "exit_code": 0, "seconds": 4.25}],
    "layers": [
      {"name": "x/a:l", "where": "image", "how": "same", "size": 10, "diff_id": "sha256:1", "reason": "why"},
      {"name": "x/a:m", "where": "cache", "how": "dropped", "size": null, "diff_id": "", "reason": "gone"}],
    "images": [{"name": "oci:image", "digest": "sha256:2", "size": 100, "written": 40}],
    "warnings": [{"text": "careful", "next": "do"}],
    "failure": null
  })"));
}

TEST(JsonReport, tells_how_far_a_failed_build_came) {
  Bench bench;
  bench.report.on(event::PhaseStarted{Phase::build});
  bench.report.on(event::BuildpackStarted{"x/a", "1"});
  bench.report.on(event::Failed{Error(ExitCode::disk, "no space").why("full").next("free some").output("last\n")});
  const json document = bench.document();
  EXPECT_EQ(document["result"], "failed");
  EXPECT_EQ(document["phases"], json::parse(R"([{"name": "build", "seconds": null, "summary": ""}])"));
  EXPECT_EQ(document["buildpacks"],
            json::parse(R"([{"id": "x/a", "version": "1", "exit_code": null, "seconds": null}])"));
  EXPECT_EQ(document["failure"], json::parse(R"({"message": "no space", "why": "full", "next": "free some",
    "exit_code": 74, "category": "disk", "output": "last\n"})"));
  EXPECT_TRUE(document["detect"].is_null() && document["group"].is_null() && document["plan"].is_null());
}

TEST(JsonReport, tells_a_cancelled_build_from_a_failed_one) {
  Bench bench;
  EXPECT_EQ(bench.document()["result"], "unfinished");
  bench.report.on(event::Failed{Error(ExitCode::terminated, "cancelled")});
  EXPECT_EQ(bench.document()["result"], "cancelled");
  EXPECT_EQ(bench.document()["failure"]["exit_code"], 143);
}

TEST(JsonReport, stands_bytes_that_are_no_text) {
  Bench bench;
  bench.report.on(event::Warning{"\xff\x1b", ""});
  EXPECT_EQ(bench.document()["warnings"][0]["text"], "\xef\xbf\xbd\x1b");
}

TEST(FanOut, gives_every_event_to_every_listener) {
  Bench first;
  Bench second;
  FanOut both{&first.report, &second.report};
  both.on(event::Warning{"w", ""});
  EXPECT_EQ(first.document()["warnings"].size(), 1u);
  EXPECT_EQ(second.document()["warnings"].size(), 1u);
}

}  // namespace
}  // namespace cib::report
