#include "report/live.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cib::report {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// What a terminal of one line and a scroll-back shows: erased and redrawn status lines are gone.
std::string on_screen(std::string_view written) {
  std::string screen;
  for (std::size_t i = 0; i < written.size();) {
    if (written.substr(i).starts_with("\r\x1b[K")) {
      screen.erase(screen.rfind('\n') == std::string::npos ? 0 : screen.rfind('\n') + 1);
      i += 4;
    } else if (written.substr(i).starts_with("\x1b[?7")) {
      i += 5;
    } else {
      screen += written[i++];
    }
  }
  return screen;
}

struct Bench {
  Bench() {
    LogOptions options;
    options.heartbeat = std::chrono::milliseconds(0);
    options.now = [this] { return now; };
    options.write = [this](std::string_view part) { text += part; };
    log = std::make_unique<LiveLog>(std::move(options), [this] { return width; });
  }
  TimePoint now;
  std::size_t width = 60;
  std::string text;
  std::unique_ptr<LiveLog> log;
};

TEST(LiveLog, keeps_one_status_line_below_the_lines) {
  Bench bench;
  bench.log->on(event::PhaseStarted{Phase::fetch});
  bench.log->on(event::BytesMoved{Phase::fetch, "layer 1 of 2", 5'000'000, 10'000'000});
  bench.now += std::chrono::seconds(2);
  bench.log->tick();
  EXPECT_EQ(on_screen(bench.text), "fetch     [##########----------] layer 1 of 2, 5.0 of 10 MB");
  bench.width = 80;
  bench.log->tick();
  EXPECT_EQ(on_screen(bench.text), "fetch     [##########----------] layer 1 of 2, 5.0 of 10 MB, 2 s");
  bench.log->on(event::Decision{"builder", "oci:b", ""});
  EXPECT_EQ(on_screen(bench.text), "builder   oci:b\nfetch     [##########----------] layer 1 of 2, 5.0 of 10 MB, 2 s");
  bench.log->on(event::PhaseEnded{Phase::fetch, 2, "2 layers"});
  EXPECT_THAT(on_screen(bench.text), EndsWith("2.0 s\n"));
}

TEST(LiveLog, shows_the_running_buildpack_and_its_seconds) {
  Bench bench;
  bench.log->on(event::PhaseStarted{Phase::build});
  bench.log->on(event::BuildpackStarted{"x/y", "1.0"});
  bench.now += std::chrono::seconds(45);
  bench.log->tick();
  EXPECT_EQ(on_screen(bench.text), "build     x/y 1.0, 45 s");
  bench.log->on(event::Output{"x/y@1.0", "hello\n"});
  EXPECT_EQ(on_screen(bench.text), "build     x/y 1.0\n            │ hello\nbuild     x/y 1.0, 45 s");
}

TEST(LiveLog, leaves_no_status_line_behind) {
  Bench done;
  done.log->on(event::BuildpackStarted{"x/y", "1.0"});
  done.log->tick();
  done.log->done();
  done.log->tick();
  EXPECT_EQ(on_screen(done.text), "done      0.0 s\n");

  Bench failed;
  failed.log->on(event::BuildpackStarted{"x/y", "1.0"});
  failed.log->tick();
  failed.log->on(event::Failed{Error(ExitCode::disk, "full")});
  failed.log->tick();
  EXPECT_THAT(on_screen(failed.text), EndsWith("error: full\n  exit code 74 (disk)\n"));

  Bench dropped;
  dropped.log->on(event::BuildpackStarted{"x/y", "1.0"});
  dropped.log->tick();
  dropped.log.reset();
  EXPECT_EQ(on_screen(dropped.text), "");
}

TEST(StatusLine, never_takes_more_columns_than_there_are) {
  Progress progress;
  progress.note(event::BytesMoved{Phase::fetch, "layer €€€€€€€€€€€€€€€€€€€€ of \x1b[2J", 1, 0}, TimePoint());
  for (std::size_t width = 0; width < 60; ++width) {
    const std::string line = status_line(progress, TimePoint(), width);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const auto byte = static_cast<unsigned char>(line[i]);
      if ((byte & 0xc0) == 0x80) continue;
      taken += byte < 0x80 ? 1 : 2;
    }
    EXPECT_LE(taken, width);
    EXPECT_THAT(line, Not(HasSubstr("\x1b")));
  }
  EXPECT_EQ(status_line(Progress(), TimePoint(), 80), "");
}

}  // namespace
}  // namespace cib::report
