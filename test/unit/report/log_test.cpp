#include "report/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <regex>
#include <thread>

#include "base/version.hpp"

namespace cib::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A log into a string, with a clock that stands still until it is moved.
struct Bench {
  explicit Bench(Level level = Level::normal, bool colours = false) {
    LogOptions options;
    options.level = level;
    options.colours = colours;
    options.heartbeat = std::chrono::milliseconds(0);
    options.now = [this] { return now; };
    options.write = [this](std::string_view part) { text += part; };
    log = std::make_unique<PlainLog>(std::move(options));
  }
  void pass(double seconds) {
    now += std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
  }

  TimePoint now;
  std::string text;
  std::unique_ptr<PlainLog> log;
};

const std::string digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// A build with two buildpacks, as the pipeline tells it.
void tell_a_build(Bench& bench) {
  PlainLog& log = *bench.log;
  log.title("demo/app");
  log.on(event::Decision{"builder", "oci:builder@" + digest, "--builder"});
  log.on(event::Decision{"isolation", "namespaces (root)", ""});
  log.on(event::PhaseStarted{Phase::fetch});
  log.on(event::BytesMoved{Phase::fetch, "builder layer 1 of 2", 5, 10});
  log.on(event::PhaseEnded{Phase::fetch, 3.1, "41 of 103 builder layers needed, 212 of 611 MB"});
  log.on(event::PhaseStarted{Phase::detect});
  log.on(event::Detected{true,
                         {{"paketo-buildpacks/cpython", "1.18.40"},
                          {"paketo-buildpacks/pip", "0.29.0", event::DetectVerdict::Kind::skipped},
                          {"paketo-buildpacks/procfile", "5.13.6"}}});
  log.on(event::PhaseEnded{Phase::detect, 0.1, ""});
  log.on(event::PhaseStarted{Phase::restore});
  log.on(event::LayerDone{event::LayerDone::Where::restored, event::LayerDone::How::reused,
                          "paketo-buildpacks/cpython:cpython", 88'000'000, digest, ""});
  log.on(event::PhaseEnded{Phase::restore, 0.6, ""});
  log.on(event::PhaseStarted{Phase::build});
  log.on(event::BuildpackStarted{"paketo-buildpacks/cpython", "1.18.40"});
  log.on(event::BuildpackEnded{"paketo-buildpacks/cpython", "1.18.40", 0, 0.3});
  log.on(event::BuildpackStarted{"paketo-buildpacks/procfile", "5.13.6"});
  log.on(event::Output{"paketo-buildpacks/procfile@5.13.6", "\x1b[34mProcfile\x1b[0m bui"});
  log.on(event::Output{"paketo-buildpacks/procfile@5.13.6", "ldpack\nweb: ./run"});
  log.on(event::BuildpackEnded{"paketo-buildpacks/procfile", "5.13.6", 0, 4.0});
  log.on(event::PhaseEnded{Phase::build, 4.3, ""});
  log.on(event::PhaseStarted{Phase::export_image});
  log.on(event::LayerDone{event::LayerDone::Where::image, event::LayerDone::How::reused,
                          "paketo-buildpacks/cpython:cpython", 49'000'000, digest, ""});
  log.on(event::LayerDone{event::LayerDone::Where::image, event::LayerDone::How::fresh, "application", 1'200'000, digest,
                          "sources changed"});
  log.on(event::PhaseEnded{Phase::export_image, 0.9, ""});
  log.on(event::ImageWritten{"oci:image", digest, 143'000'000, 31'000'000});
  log.on(event::Warning{"no run image mirror", "add one"});
  bench.pass(13.4);
  log.done();
}

TEST(PlainLog, tells_a_build_one_event_a_line) {
  Bench bench;
  tell_a_build(bench);
  const std::string expected =
      "ci-image-builder " + std::string(program_version) +
      "   demo/app\n"
      "builder   oci:builder@sha256:e3b0c44298fc…  (--builder)\n"
      "isolation namespaces (root)\n"
      "fetch     41 of 103 builder layers needed, 212 of 611 MB ......... 3.1 s\n"
      "detect    cpython 1.18.40, procfile 5.13.6\n"
      "restore   cpython:cpython              restored    88 MB\n"
      "          1 layer restored ....................................... 0.6 s\n"
      "build     paketo-buildpacks/cpython 1.18.40 ...................... 0.3 s\n"
      "          paketo-buildpacks/procfile 5.13.6\n"
      "            │ Procfile buildpack\n"
      "            │ web: ./run\n"
      "          paketo-buildpacks/procfile 5.13.6 ...................... 4.0 s\n"
      "export    cpython:cpython              reused      49 MB\n"
      "          application                  new        1.2 MB   sources changed\n"
      "          1 layer reused, 1 new .................................. 0.9 s\n"
      "publish   oci:image@sha256:e3b0c44298fc…   31 of 143 MB written\n"
      "warning   no run image mirror\n"
      "          next: add one\n"
      "done      13.4 s, of which buildpacks 4.3 s   image 143 MB, 31 MB of it written\n";
  EXPECT_EQ(bench.text, expected);
}

TEST(PlainLog, says_nothing_of_a_good_build_when_quiet) {
  Bench bench(Level::quiet);
  tell_a_build(bench);
  EXPECT_EQ(bench.text, "");
}

TEST(PlainLog, shows_whole_digests_names_and_details_when_verbose) {
  Bench bench(Level::verbose);
  tell_a_build(bench);
  bench.log->on(event::Detail{"overlay with 41 lower layers"});
  EXPECT_THAT(bench.text, HasSubstr("oci:image@" + digest));
  EXPECT_THAT(bench.text, HasSubstr("detect    paketo-buildpacks/cpython 1.18.40, paketo-buildpacks/procfile 5.13.6\n"));
  EXPECT_THAT(bench.text, HasSubstr("skipped  paketo-buildpacks/pip 0.29.0\n"));
  EXPECT_THAT(bench.text, HasSubstr("sources changed   " + digest));
  EXPECT_THAT(bench.text, HasSubstr("detail    overlay with 41 lower layers\n"));
}

TEST(PlainLog, uses_whole_names_where_short_ones_would_be_the_same) {
  Bench bench;
  bench.log->on(event::Detected{true, {{"a/node", "1"}, {"b/node", "2"}}});
  EXPECT_EQ(bench.text, "detect    a/node 1, b/node 2\n");
}

TEST(PlainLog, says_when_nothing_new_was_written) {
  Bench bench;
  bench.log->on(event::ImageWritten{"oci:image", digest, 143'000'000, 0});
  bench.log->done();
  EXPECT_THAT(bench.text, HasSubstr("done      0.0 s   nothing new: sha256:e3b0c44298fc… was there already\n"));
}

event::Failed pip_failed() {
  return {Error(ExitCode::buildpack_failed, "buildpack x/pip 1.0 failed")
              .why("bin/build exited with 1")
              .next("read its last lines above")
              .output("line of the error\n")};
}

TEST(PlainLog, a_failure_names_buildpack_exit_code_cause_and_next_step) {
  Bench bench;
  bench.log->on(event::BuildpackStarted{"x/pip", "1.0"});
  bench.log->on(event::Output{"x/pip@1.0", "ERROR: no djnago\n"});
  bench.log->on(event::BuildpackEnded{"x/pip", "1.0", 1, 4.0});
  bench.log->on(pip_failed());
  EXPECT_EQ(bench.text,
            "build     x/pip 1.0\n"
            "            │ ERROR: no djnago\n"
            "          x/pip 1.0   FAILED with exit code 1 after 4.0 s\n"
            "\n"
            "error: buildpack x/pip 1.0 failed\n"
            "  why:  bin/build exited with 1\n"
            "  next: read its last lines above\n"
            "  exit code 51 (user build)\n");
}

TEST(PlainLog, quiet_does_not_shorten_a_failure) {
  Bench bench(Level::quiet);
  bench.log->on(event::Warning{"python 3.7 has no support", "choose 3.12"});
  bench.log->on(event::BuildpackStarted{"x/first", "1.0"});
  bench.log->on(event::Output{"x/first@1.0", "not shown\n"});
  bench.log->on(event::BuildpackEnded{"x/first", "1.0", 0, 1.0});
  bench.log->on(event::BuildpackStarted{"x/pip", "1.0"});
  for (int i = 1; i <= 50; ++i) bench.log->on(event::Output{"x/pip@1.0", "line " + std::to_string(i) + "\n"});
  bench.log->on(event::BuildpackEnded{"x/pip", "1.0", 7, 4.0});
  bench.log->on(pip_failed());
  std::string lines;
  for (int i = 11; i <= 50; ++i) lines += "            │ line " + std::to_string(i) + "\n";
  EXPECT_EQ(bench.text, "build     x/pip 1.0   FAILED with exit code 7 after 4.0 s\n"
                        "            │ … 10 earlier lines\n" +
                            lines +
                            "warning   python 3.7 has no support\n"
                            "          next: choose 3.12\n"
                            "\n"
                            "error: buildpack x/pip 1.0 failed\n"
                            "  why:  bin/build exited with 1\n"
                            "  next: read its last lines above\n"
                            "  exit code 51 (user build)\n");
}

TEST(PlainLog, shows_the_output_of_an_error_that_was_not_shown_before) {
  Bench bench(Level::quiet);
  bench.log->on(pip_failed());
  EXPECT_THAT(bench.text, ::testing::StartsWith("            │ line of the error\n\nerror: "));
}

TEST(PlainLog, a_cancelled_build_names_what_was_running) {
  Bench bench(Level::quiet);
  bench.log->on(event::BuildpackStarted{"x/slow", "2.0"});
  bench.log->on(event::Output{"x/slow@2.0", "compiling\nhalf a li"});
  bench.pass(45);
  bench.log->on(event::Failed{Error(ExitCode::terminated, "cancelled")});
  EXPECT_EQ(bench.text,
            "build     x/slow 2.0   cancelled after 45.0 s\n"
            "            │ compiling\n"
            "            │ half a li\n"
            "\n"
            "cancelled\n"
            "  exit code 143 (cancelled)\n");
}

TEST(PlainLog, a_failed_detection_lists_every_verdict_with_its_output_even_when_quiet) {
  for (const Level level : {Level::quiet, Level::normal}) {
    Bench bench(level);
    bench.log->on(event::Detected{
        false,
        {{"x/a", "1", event::DetectVerdict::Kind::fail, 100, "no Gemfile\n", ""},
         {"x/b", "2", event::DetectVerdict::Kind::error, 7, "", ""},
         {"x/c", "3", event::DetectVerdict::Kind::pass, 0, "", "requires y, which nothing before it provides"}}});
    EXPECT_EQ(bench.text,
              "detect    no group of buildpacks fits the application\n"
              "          fail     x/a 1   bin/detect exited with 100\n"
              "            │ no Gemfile\n"
              "          error    x/b 2   bin/detect exited with 7\n"
              "          pass     x/c 3   requires y, which nothing before it provides\n");
  }
}

TEST(PlainLog, joins_pieces_of_lines_of_each_speaker) {
  Bench bench;
  bench.log->on(event::BuildpackStarted{"x/a", "1"});
  bench.log->on(event::Output{"x/a@1", "one "});
  bench.log->on(event::Output{"other", "from elsew"});
  bench.log->on(event::Output{"x/a@1", "line\n"});
  bench.log->on(event::Output{"other", "here\n"});
  EXPECT_EQ(bench.text,
            "build     x/a 1\n"
            "            │ one line\n"
            "          other\n"
            "            │ from elsewhere\n");
}

TEST(PlainLog, an_unended_last_line_is_shown_at_the_end) {
  Bench bench;
  bench.log->on(event::Output{"x/a@1", "no newline"});
  EXPECT_EQ(bench.text, "");
  bench.log->done();
  EXPECT_THAT(bench.text, HasSubstr("            │ no newline\n"));
}

TEST(PlainLog, colours_of_buildpacks_are_kept_only_where_colours_are_on) {
  Bench coloured(Level::normal, true);
  coloured.log->on(event::Output{"x/a@1", "\x1b[31mred\x1b[0m\n"});
  EXPECT_THAT(coloured.text, HasSubstr("│ \x1b[31mred\x1b[0m\x1b[0m\n"));
  Bench plain;
  plain.log->on(event::Output{"x/a@1", "\x1b[31mred\x1b[0m\n"});
  EXPECT_THAT(plain.text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(plain.text, HasSubstr("│ red\n"));
}

TEST(PlainLog, nothing_foreign_reaches_the_terminal_as_a_control_sequence) {
  for (const Level level : {Level::quiet, Level::normal, Level::verbose}) {
    Bench bench(level);
    const std::string evil = "a\x1b]0;title\x07 b\x1b[2J\x9b" "31m\x08\n::error::x";
    bench.log->title(evil);
    bench.log->on(event::Decision{evil, evil, evil});
    bench.log->on(event::PhaseStarted{Phase::fetch});
    bench.log->on(event::BytesMoved{Phase::fetch, evil, 1, 2});
    bench.pass(60);
    bench.log->tick();
    bench.log->on(event::Detected{true, {{evil, evil, event::DetectVerdict::Kind::pass, 0, evil, evil}}});
    bench.log->on(event::Detected{false, {{evil, evil, event::DetectVerdict::Kind::fail, 0, evil, evil}}});
    bench.log->on(event::BuildpackStarted{evil, evil});
    bench.log->on(event::Output{evil + "@" + evil, evil});
    bench.log->on(event::BuildpackEnded{evil, evil, 1, 1});
    bench.log->on(event::LayerDone{event::LayerDone::Where::image, event::LayerDone::How::fresh, evil, 1, evil, evil});
    bench.log->on(event::ImageWritten{evil, evil, 1, 1});
    bench.log->on(event::Warning{evil, evil});
    bench.log->on(event::Detail{evil});
    bench.log->on(event::PhaseEnded{Phase::fetch, 1, evil});
    bench.log->on(event::Failed{Error(ExitCode::disk, evil).why(evil).next(evil).output(evil)});
    EXPECT_THAT(bench.text, HasSubstr("error: a b\\x9b31m\\x08\n"));
    for (const char c : bench.text) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << bench.text;
    // A line of ours never begins with what CI services take for a command.
    EXPECT_FALSE(std::regex_search(bench.text, std::regex("(^|\n)[ \t]*::"))) << bench.text;
  }
}

TEST(PlainLog, says_what_is_going_on_after_fifteen_silent_seconds) {
  Bench bench;
  bench.log->on(event::PhaseStarted{Phase::build});
  bench.log->on(event::BuildpackStarted{"x/y", "1.0"});
  bench.pass(14.9);
  bench.log->tick();
  EXPECT_EQ(bench.text, "");
  bench.pass(0.1);
  bench.log->tick();
  EXPECT_EQ(bench.text, "build     x/y 1.0 still running, 15 s\n");
  bench.log->tick();
  bench.pass(10);
  bench.log->on(event::Output{"x/y@1.0", "alive\n"});
  bench.pass(14);
  bench.log->tick();
  EXPECT_EQ(bench.text, "build     x/y 1.0 still running, 15 s\n          x/y 1.0\n            │ alive\n");
  bench.pass(1);
  bench.log->tick();
  EXPECT_THAT(bench.text, HasSubstr("build     x/y 1.0 still running, 40 s\n"));
}

TEST(PlainLog, a_heartbeat_names_a_transfer_or_a_phase) {
  Bench bench;
  bench.log->on(event::PhaseStarted{Phase::fetch});
  bench.pass(15);
  bench.log->tick();
  bench.log->on(event::BytesMoved{Phase::fetch, "builder layer 3 of 7", 12'000'000, 61'000'000});
  bench.log->on(event::BytesMoved{Phase::fetch, "builder layer 4 of 7", 1'000'000, 2'000'000});
  bench.pass(15);
  bench.log->tick();
  bench.log->on(event::BytesMoved{Phase::fetch, "builder layer 3 of 7", 61'000'000, 61'000'000});
  bench.pass(15);
  bench.log->tick();
  EXPECT_EQ(bench.text,
            "fetch     still running, 15 s\n"
            "fetch     builder layer 3 of 7, 12 of 61 MB after 15 s (and 1 more)\n"
            "fetch     builder layer 4 of 7, 1.0 of 2.0 MB after 30 s\n");
}

TEST(PlainLog, no_heartbeat_when_quiet_or_over) {
  Bench quiet(Level::quiet);
  quiet.log->on(event::BuildpackStarted{"x/y", "1.0"});
  quiet.pass(100);
  quiet.log->tick();
  EXPECT_EQ(quiet.text, "");
  Bench over;
  over.log->done();
  const std::string before = over.text;
  over.pass(100);
  over.log->tick();
  EXPECT_EQ(over.text, before);
}

TEST(PlainLog, its_own_thread_gives_the_heartbeat) {
  std::mutex mutex;
  std::condition_variable said;
  std::string text;
  LogOptions options;
  options.heartbeat = std::chrono::milliseconds(1);
  options.write = [&](std::string_view part) {
    const std::lock_guard lock(mutex);
    text += part;
    said.notify_all();
  };
  PlainLog log(std::move(options));
  log.on(event::BuildpackStarted{"x/y", "1.0"});
  std::unique_lock lock(mutex);
  said.wait(lock, [&] { return text.find("x/y 1.0 still running") != std::string::npos; });
}

TEST(PlainLog, events_from_many_threads_never_tear_a_line) {
  Bench bench;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      const std::string unit = "x/" + std::to_string(t) + "@1";
      for (int i = 0; i < 200; ++i) {
        bench.log->on(event::Output{unit, "thread "});
        bench.log->on(event::Output{unit, std::to_string(t) + "\n"});
      }
    });
  for (std::thread& thread : threads) thread.join();
  std::size_t lines = 0;
  for (int t = 0; t < 4; ++t) {
    const std::string line = "            │ thread " + std::to_string(t) + "\n";
    for (std::size_t at = bench.text.find(line); at != std::string::npos; at = bench.text.find(line, at + 1)) ++lines;
  }
  EXPECT_EQ(lines, 800u);
}

}  // namespace
}  // namespace cib::report
