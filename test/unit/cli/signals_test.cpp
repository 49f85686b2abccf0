#include "cli/signals.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <vector>

namespace cib::cli {
namespace {

// Sends the signal to this process and waits until the stop request has been made.
void send_and_wait(const Signals& signals, int signal) {
  std::mutex mutex;
  std::condition_variable stopped;
  bool done = false;
  const std::stop_callback callback(signals.token(), [&] {
    const std::lock_guard lock(mutex);
    done = true;
    stopped.notify_all();
  });
  kill(getpid(), signal);
  std::unique_lock lock(mutex);
  stopped.wait(lock, [&] { return done; });
}

// The tests may run under nohup, where SIGHUP is ignored, or in the background of a script, where SIGINT is.
class SignalsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const int number : signals) before.push_back(signal(number, SIG_DFL));
  }
  void TearDown() override {
    for (std::size_t i = 0; i < signals.size(); ++i) signal(signals[i], before[i]);
  }
  const std::vector<int> signals{SIGINT, SIGTERM, SIGHUP, SIGPIPE};
  std::vector<sighandler_t> before;
};

TEST_F(SignalsTest, the_first_one_is_a_stop_request_that_is_remembered) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const Signals signals;
    EXPECT_EQ(signals.received(), 0);
    EXPECT_FALSE(signals.token().stop_requested());
    send_and_wait(signals, signal);
    EXPECT_EQ(signals.received(), signal);
  }
}

TEST_F(SignalsTest, a_cancelled_failure_gets_the_code_of_the_signal) {
  const Error cancelled = Error(ExitCode::interrupted, "cancelled").why("w").next("n").output("o");
  const Signals signals;
  EXPECT_EQ(signals.as_reported(cancelled).code(), ExitCode::interrupted);
  send_and_wait(signals, SIGTERM);
  const Error reported = signals.as_reported(cancelled);
  EXPECT_EQ(reported.code(), ExitCode::terminated);
  EXPECT_EQ(reported.message(), "cancelled");
  EXPECT_EQ(reported.why(), "w");
  EXPECT_EQ(reported.next(), "n");
  EXPECT_EQ(reported.output(), "o");
  EXPECT_EQ(signals.as_reported(Error(ExitCode::disk, "full")).code(), ExitCode::disk);
}

TEST_F(SignalsTest, leaves_mask_and_handlers_as_they_were) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  { const Signals signals; }
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal));
  struct sigaction pipe;
  sigaction(SIGPIPE, nullptr, &pipe);
  EXPECT_EQ(pipe.sa_handler, SIG_DFL);
}

TEST_F(SignalsTest, writing_to_a_closed_pipe_does_not_end_the_process) {
  const Signals signals;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  close(ends[1]);
}

TEST(SignalsDeathTest, the_second_one_ends_the_process_at_once) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto twice = [](int first, int second) {
    const Signals signals;
    send_and_wait(signals, first);
    kill(getpid(), second);
    while (true) pause();
  };
  EXPECT_EXIT(twice(SIGTERM, SIGINT), ::testing::ExitedWithCode(130), "");
  EXPECT_EXIT(twice(SIGINT, SIGTERM), ::testing::ExitedWithCode(143), "");
}

TEST(SignalsDeathTest, an_ignored_hangup_stays_ignored) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto hang_up = [] {
    signal(SIGHUP, SIG_IGN);
    const Signals signals;
    kill(getpid(), SIGHUP);
    send_and_wait(signals, SIGTERM);
    _exit(signals.received() == SIGTERM ? 0 : 1);
  };
  EXPECT_EXIT(hang_up(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace cib::cli
