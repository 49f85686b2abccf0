// The log that people read: one event a line, the phase in the first column.
//
//   detect    cpython 1.18.40, pip 0.29.0
//   build     paketo-buildpacks/pip 0.29.0
//               │ Installing pip
//             paketo-buildpacks/pip 0.29.0 ............................ 4.0 s
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.hpp"
#include "report/error_text.hpp"
#include "report/progress.hpp"
#include "report/text.hpp"
#include "report/ticker.hpp"

namespace cib::report {

enum class Level {
  quiet,   // failures only, with the last lines of what failed and the warnings before it
  normal,
  verbose  // whole digests and names, details, verdicts of a detection that passed
};

// An EventSink for people. Every method may be called from any thread.
class Log : public EventSink {
 public:
  // The first line: program, version and what is worked on.
  virtual void title(std::string_view what) = 0;
  // The last line of a build that succeeded: times and sizes from the events. After it nothing is shown any more by itself.
  virtual void done() = 0;
};

struct LogOptions {
  Level level = Level::normal;
  bool colours = false;
  // How long nothing may be said while something goes on; 0: no thread, whoever owns the log calls tick().
  std::chrono::milliseconds heartbeat{15'000};
  std::function<TimePoint()> now = [] { return std::chrono::steady_clock::now(); };
  // Takes whole lines; never called by two threads at once.
  std::function<void(std::string_view)> write = write_to_stderr;
};

class PlainLog : public Log {
 public:
  explicit PlainLog(LogOptions options);
  ~PlainLog() override;

  void title(std::string_view what) override;
  void on(const Event& event) override;
  void done() override;
  // Says what is going on if nothing was said for `heartbeat` (15 s when that is 0).
  void tick();

 private:
  // Somebody whose output is shown: a buildpack, or what else an Output event names.
  struct Unit {
    std::string name;  // "paketo-buildpacks/pip 0.29.0"
    TimePoint since;
    LineJoiner joiner;
    bool running = false;          // a buildpack that began and has not ended
    bool headed = false;           // its name was printed
    std::size_t lines = 0;         // of output so far
    std::deque<std::string> last;  // with Level::quiet
  };

  static constexpr int bold = 1;  // as terminals number it

  void show(const event::PhaseStarted& started);
  void show(const event::PhaseEnded& ended);
  void show(const event::Decision& decision);
  void show(const event::BytesMoved&) {}
  void show(const event::Detected& detected);
  void show(const event::BuildpackStarted& started);
  void show(const event::Output& output);
  void show(const event::BuildpackEnded& ended);
  void show(const event::LayerDone& layer);
  void show(const event::ImageWritten& image);
  void show(const event::Warning& warning);
  void show(const event::Detail& detail);
  void show(const event::Failed& failed);

  Unit& unit(const std::string& key, std::string_view name);
  void head(Unit& unit);
  void output_line(Unit& unit, std::string_view line);
  void flush_output(Unit& unit);
  void kept_lines(Unit& unit);
  void unfinished_units(const Error& error);
  void verdict(const event::DetectVerdict& verdict);
  void say_warning(const event::Warning& warning);
  // One line with the label in the first column, left out when the line before had the same one.
  void line(std::string_view label, std::string_view text);
  void labelled(std::string_view label, std::string_view text, int colour = bold);
  std::string with_time(std::string_view text, double seconds) const;
  std::string named(std::string_view id) const;
  // Made safe, digests shortened: as one line, or with its lines kept.
  std::string text_of(std::string_view foreign) const;
  std::string lines_of(std::string_view foreign) const;
  std::string painted(std::string_view text, int colour) const;
  void flush();

  LogOptions m_options;
  std::mutex m_mutex;
  std::string m_out;  // lines of the event at hand
  std::string m_label;
  TimePoint m_begin;
  TimePoint m_said;
  Progress m_progress;
  std::map<std::string, Unit> m_units;  // by "id@version"
  std::string m_speaker;                // name of the unit whose output came last
  bool m_failure_output_shown = false;
  bool m_over = false;
  bool m_wrote = false;
  std::vector<event::Warning> m_held_warnings;  // with Level::quiet
  std::set<std::string> m_spoken;               // labels that were printed
  struct LayerCount {
    std::size_t fresh = 0;
    std::size_t kept = 0;
    std::size_t dropped = 0;
  };
  std::map<Phase, LayerCount> m_layers;
  double m_buildpack_seconds = 0;
  std::vector<event::ImageWritten> m_images;
  std::unique_ptr<Ticker> m_ticker;
};

}  // namespace cib::report
