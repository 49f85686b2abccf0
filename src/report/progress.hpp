// What is going on now, as the events so far tell it: for the heartbeat and for the status line. Not thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.hpp"

namespace cib::report {

using TimePoint = std::chrono::steady_clock::time_point;

class Progress {
 public:
  void note(const Event& event, TimePoint now);

  struct Doing {
    std::string label;     // "build", "fetch"
    std::string what;      // "x/y 1.0", "builder layer 3 of 7"; empty when only the phase is known
    std::string measure;   // "12 of 61 MB"; empty when nothing is measured
    double seconds = 0;    // since it began
    double part = -1;      // 0 to 1; negative when unknown
  };
  // The most telling thing first chosen: a running buildpack, else a transfer, else the phase begun last. Nothing when
  // nothing is going on. Texts are cleaned.
  std::vector<Doing> doing(TimePoint now) const;

 private:
  struct Running {
    std::string id;
    std::string version;
    TimePoint since;
  };
  struct Transfer {
    Phase phase;
    std::string what;
    std::uint64_t done;
    std::uint64_t total;
    TimePoint since;
  };
  struct Open {
    Phase phase;
    TimePoint since;
  };
  std::vector<Running> m_running;
  std::vector<Transfer> m_transfers;
  std::vector<Open> m_phases;
};

// "x/y 1.0 still running, 45 s", "builder layer 3 of 7, 12 of 61 MB after 30 s", "still running, 30 s".
std::string still_running(const Progress::Doing& doing);

}  // namespace cib::report
