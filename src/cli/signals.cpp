#include "cli/signals.hpp"

#include <unistd.h>

#include <cstring>

namespace cib::cli {

namespace {

ExitCode code_of(int signal) { return signal == SIGINT ? ExitCode::interrupted : ExitCode::terminated; }

// A handler, unlike SIG_IGN, is not inherited by programs that we start.
void do_nothing(int) {}

}  // namespace

Signals::Signals() {
  sigemptyset(&m_watched);
  sigaddset(&m_watched, SIGINT);
  sigaddset(&m_watched, SIGTERM);
  struct sigaction hangup;
  sigaction(SIGHUP, nullptr, &hangup);
  // A blocked signal reaches sigwait even when it is ignored.
  if (hangup.sa_handler != SIG_IGN) sigaddset(&m_watched, SIGHUP);

  struct sigaction pipe;
  std::memset(&pipe, 0, sizeof pipe);
  pipe.sa_handler = do_nothing;
  pipe.sa_flags = SA_RESTART;
  sigaction(SIGPIPE, &pipe, &m_pipe_before);

  pthread_sigmask(SIG_BLOCK, &m_watched, &m_mask_before);
  // The waiting thread takes no other signal.
  sigset_t all;
  sigset_t mine;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mine);
  m_thread = std::thread([this] { wait(); });
  pthread_sigmask(SIG_SETMASK, &mine, nullptr);
}

Signals::~Signals() {
  m_closing = true;
  pthread_kill(m_thread.native_handle(), SIGTERM);
  m_thread.join();
  pthread_sigmask(SIG_SETMASK, &m_mask_before, nullptr);
  sigaction(SIGPIPE, &m_pipe_before, nullptr);
}

void Signals::wait() {
  while (true) {
    int signal = 0;
    if (sigwait(&m_watched, &signal) != 0) continue;
    if (m_closing) return;
    int none = 0;
    if (!m_received.compare_exchange_strong(none, signal)) _exit(static_cast<int>(code_of(signal)));
    m_stop.request_stop();
  }
}

Error Signals::as_reported(Error error) const {
  const int signal = m_received;
  if (signal == 0 || error.category() != Category::cancelled || error.code() == code_of(signal)) return error;
  return Error(code_of(signal), error.message()).why(error.why()).next(error.next()).output(error.output());
}

}  // namespace cib::cli
