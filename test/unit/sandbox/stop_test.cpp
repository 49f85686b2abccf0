// Ends: of processes that leave others behind, that are asked to stop, whose listener fails.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <stdexcept>

#include "support.hpp"

namespace cib::sandbox::testing {
namespace {

class Ending : public InRoot {
 protected:
  // Runs until its output contains "ready", then asks it to stop. The output is kept in `m_output`.
  void stop_when_ready(Sandbox& sandbox, const std::string& script) {
    std::stop_source source;
    const auto listener = [&](std::string_view text) {
      m_output += text;
      if (m_output.find("ready") != std::string::npos) source.request_stop();
    };
    try {
      sandbox.run({{"/bin/sh", "-c", script}, {"PATH=/bin"}, "/"}, listener, source.get_token());
      FAIL() << "it was not stopped";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::interrupted);
      EXPECT_STREQ(error.what(), "cancelled");
    }
  }

  std::string m_output;
};
INSTANTIATE_TEST_SUITE_P(, Ending, all_ways, way_name);

TEST_P(Ending, a_daemon_dies_with_the_process_that_left_it) {
  const auto sandbox = make();
  // It keeps the output open, has its own session, and its parent is gone.
  const auto outcome = shell(*sandbox, "(setsid sleep 81234.25 & exec true); echo done");
  EXPECT_EQ(outcome.output, "done\n");
  EXPECT_TRUE(processes_with("81234.25").empty());
}

TEST_P(Ending, orphans_are_reaped_while_the_process_runs) {
  const auto outcome = shell(*make(), "(sh -c 'true & exec sleep 0' &); i=0; while [ $i -lt 50 ]; do (true &); i=$((i+1)); done; "
                                      "wait; sleep 0; cat /proc/[0-9]*/stat | grep -c ' Z ' || true");
  EXPECT_LT(std::atoi(outcome.output.c_str()), 50);
}

TEST_P(Ending, a_stop_request_is_sigterm_to_the_process_group) {
  stop_when_ready(*make(), "trap 'echo terminated; exit 0' TERM; echo ready; while :; do sleep 72345.5 & wait $!; done");
  EXPECT_NE(m_output.find("terminated"), std::string::npos);
  EXPECT_TRUE(processes_with("72345.5").empty());
}

TEST_P(Ending, what_ignores_sigterm_is_killed_two_seconds_later) {
  const auto begin = std::chrono::steady_clock::now();
  stop_when_ready(*make(), "trap '' TERM; echo ready; sleep 63456.5; sleep 63456.5; sleep 63456.5");
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, std::chrono::seconds(2));
  EXPECT_LT(took, std::chrono::seconds(5));
  EXPECT_TRUE(processes_with("63456.5").empty());
}

TEST_P(Ending, a_stop_that_was_requested_before_is_obeyed) {
  std::stop_source source;
  source.request_stop();
  const auto sandbox = make();
  EXPECT_THROW(run(*sandbox, {{"/bin/busybox", "sleep", "54567.5"}, {}, "/"}, source.get_token()), Error);
  EXPECT_TRUE(processes_with("54567.5").empty());
}

TEST_P(Ending, the_sandbox_lives_on_after_a_stop) {
  const auto sandbox = make();
  stop_when_ready(*sandbox, "echo ready; sleep 45678.5");
  EXPECT_EQ(shell(*sandbox, "echo again").output, "again\n");
}

TEST_P(Ending, a_failing_listener_ends_the_process) {
  const auto sandbox = make();
  const auto fail = [](std::string_view) { throw std::runtime_error("disk full"); };
  EXPECT_THROW(sandbox->run({{"/bin/sh", "-c", "echo x; sleep 36789.5"}, {"PATH=/bin"}, "/"}, fail, {}),
               std::runtime_error);
  EXPECT_TRUE(processes_with("36789.5").empty());
}

TEST_P(Ending, init_does_not_obey_the_processes) {
  const auto outcome = shell(*make(), "kill -TERM 1; kill -KILL 1; kill -INT 1; echo alive");
  EXPECT_NE(outcome.output.find("alive"), std::string::npos);
  EXPECT_EQ(outcome.exit.code, 0);
}

}  // namespace
}  // namespace cib::sandbox::testing
