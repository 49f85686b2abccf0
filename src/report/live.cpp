#include "report/live.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "report/why.hpp"

namespace cib::report {

namespace {

constexpr std::size_t bar_width = 20;
constexpr std::size_t default_width = 80;
constexpr std::chrono::milliseconds redraw_interval{200};
// The status line never wraps, whatever the terminal makes of its characters: wrapping is off while it is drawn.
constexpr std::string_view erase_line = "\r\x1b[K";
constexpr std::string_view wrap_off = "\x1b[?7l";
constexpr std::string_view wrap_on = "\x1b[?7h";

// At most `width` columns, whole characters.
std::string cut(std::string_view text, std::size_t width) {
  std::size_t taken = 0;
  std::size_t end = 0;
  while (end < text.size()) {
    std::size_t next = end + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xc0) == 0x80) ++next;
    // A character that is not ASCII may be two columns wide.
    const std::size_t wide = next - end > 1 ? 2 : 1;
    if (taken + wide > width) break;
    taken += wide;
    end = next;
  }
  return std::string(text.substr(0, end));
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

// CI=false is what some people write to say that there is none.
bool in_ci() { return is_set("CI") && std::string_view(std::getenv("CI")) != "false"; }

}  // namespace

std::string status_line(const Progress& progress, TimePoint now, std::size_t width) {
  const std::vector<Progress::Doing> doing = progress.doing(now);
  if (doing.empty()) return {};
  const Progress::Doing& first = doing.front();
  std::string text = padded(first.label, 10);
  if (first.part >= 0) {
    const auto full = static_cast<std::size_t>(first.part * static_cast<double>(bar_width));
    text += fmt::format("[{}{}] ", std::string(full, '#'), std::string(bar_width - full, '-'));
  }
  std::string rest = first.what;
  if (!first.measure.empty()) rest += fmt::format(", {}", first.measure);
  if (doing.size() > 1) rest += fmt::format(" (and {} more)", doing.size() - 1);
  text += rest;
  if (!rest.empty()) text += ", ";
  text += fmt::format("{:.0f} s", first.seconds);
  return cut(text, width);
}

LiveLog::LiveLog(LogOptions options, std::function<std::size_t()> width)
    : m_write(options.write), m_now(options.now), m_width(std::move(width)) {
  const std::chrono::milliseconds interval = options.heartbeat;
  options.heartbeat = std::chrono::milliseconds(0);  // the status line says what a heartbeat would
  options.write = [this](std::string_view text) { lines(text); };
  m_plain = std::make_unique<PlainLog>(std::move(options));
  if (interval.count() > 0) m_ticker = std::make_unique<Ticker>(interval, [this] { tick(); });
}

LiveLog::~LiveLog() {
  m_ticker.reset();
  end();
}

void LiveLog::title(std::string_view what) { m_plain->title(what); }

void LiveLog::on(const Event& event) {
  {
    const std::lock_guard lock(m_mutex);
    m_progress.note(event, m_now());
  }
  if (std::holds_alternative<event::Failed>(event)) end();
  m_plain->on(event);
}

void LiveLog::done() {
  end();
  m_plain->done();
}

void LiveLog::tick() {
  const std::lock_guard lock(m_mutex);
  std::string text = erased();
  text += drawn();
  if (!text.empty()) m_write(text);
}

// Called by the plain log with the lines of one event.
void LiveLog::lines(std::string_view text) {
  const std::lock_guard lock(m_mutex);
  std::string all = erased();
  all += text;
  all += drawn();
  m_write(all);
}

std::string LiveLog::erased() {
  if (!m_drawn) return {};
  m_drawn = false;
  return std::string(erase_line);
}

std::string LiveLog::drawn() {
  if (m_over) return {};
  std::size_t width = m_width();
  if (width == 0) width = default_width;
  const std::string status = status_line(m_progress, m_now(), width - 1);
  if (status.empty()) return {};
  m_drawn = true;
  return fmt::format("{}{}{}", wrap_off, status, wrap_on);
}

void LiveLog::end() {
  const std::lock_guard lock(m_mutex);
  m_over = true;
  const std::string text = erased();
  if (!text.empty()) m_write(text);
}

std::unique_ptr<Log> make_log(Level level, bool no_color_flag) {
  LogOptions options;
  options.level = level;
  options.colours = stderr_takes_colours(no_color_flag);
  const char* term = std::getenv("TERM");
  const bool terminal = isatty(STDERR_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb";
  if (terminal && !in_ci() && level != Level::quiet) {
    options.heartbeat = redraw_interval;
    return std::make_unique<LiveLog>(std::move(options), terminal_width);
  }
  return std::make_unique<PlainLog>(std::move(options));
}

}  // namespace cib::report
