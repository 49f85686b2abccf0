// The log on a terminal: the same lines, and below them one status line that is redrawn.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "report/log.hpp"

namespace cib::report {

// One line for what is going on, at most `width` columns: "fetch  [#####-----] builder layer 3 of 7, 12 of 61 MB, 3 s".
// Empty when nothing is.
std::string status_line(const Progress& progress, TimePoint now, std::size_t width);

class LiveLog : public Log {
 public:
  // `options.write` gets lines and terminal sequences; `options.heartbeat` is how often the status is redrawn, 0: only with
  // tick(). `width` gives the columns of the terminal, 0 when unknown.
  LiveLog(LogOptions options, std::function<std::size_t()> width);
  ~LiveLog() override;

  void title(std::string_view what) override;
  void on(const Event& event) override;
  void done() override;
  // Draws the status line anew.
  void tick();

 private:
  void lines(std::string_view text);
  // Both need the mutex.
  std::string erased();
  std::string drawn();
  void end();

  std::function<void(std::string_view)> m_write;
  std::function<TimePoint()> m_now;
  std::function<std::size_t()> m_width;
  std::mutex m_mutex;
  Progress m_progress;
  bool m_drawn = false;
  bool m_over = false;
  std::unique_ptr<PlainLog> m_plain;
  std::unique_ptr<Ticker> m_ticker;
};

// The log for this process's stderr: live on a terminal, plain elsewhere, where the environment variable CI is set, on a
// dumb terminal, and with Level::quiet.
std::unique_ptr<Log> make_log(Level level, bool no_color_flag);

}  // namespace cib::report
