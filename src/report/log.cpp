#include "report/log.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/version.hpp"
#include "report/why.hpp"

namespace cib::report {

namespace {

constexpr std::size_t label_width = 10;
constexpr std::size_t time_column = 62;  // where a time ends, counted from behind the label
constexpr std::size_t kept_output_lines = 40;
constexpr std::chrono::milliseconds default_heartbeat{15'000};

constexpr int red = 31;
constexpr int yellow = 33;

double seconds_between(TimePoint from, TimePoint to) { return std::chrono::duration<double>(to - from).count(); }

std::string key_of(std::string_view id, std::string_view version) { return fmt::format("{}@{}", id, version); }

Phase phase_of(event::LayerDone::Where where) {
  switch (where) {
    case event::LayerDone::Where::image: return Phase::export_image;
    case event::LayerDone::Where::cache: return Phase::cache;
    case event::LayerDone::Where::restored: return Phase::restore;
  }
  return Phase::export_image;
}

std::string_view word_of(const event::LayerDone& layer) {
  if (layer.where == event::LayerDone::Where::restored && layer.how != event::LayerDone::How::dropped) return "restored";
  switch (layer.how) {
    case event::LayerDone::How::fresh: return "new";
    case event::LayerDone::How::same: return "same";
    case event::LayerDone::How::reused: return "reused";
    case event::LayerDone::How::dropped: return "dropped";
  }
  return "";
}

std::string_view word_of(event::DetectVerdict::Kind kind) {
  switch (kind) {
    case event::DetectVerdict::Kind::pass: return "pass";
    case event::DetectVerdict::Kind::fail: return "fail";
    case event::DetectVerdict::Kind::error: return "error";
    case event::DetectVerdict::Kind::skipped: return "skipped";
  }
  return "";
}

}  // namespace

PlainLog::PlainLog(LogOptions options) : m_options(std::move(options)) {
  m_begin = m_said = m_options.now();
  if (m_options.heartbeat.count() > 0 && m_options.level != Level::quiet) {
    // Looked at more often than it is due, so that it comes close to when it is.
    const auto often = std::max(m_options.heartbeat / 15, std::chrono::milliseconds(1));
    m_ticker = std::make_unique<Ticker>(often, [this] { tick(); });
  }
}

PlainLog::~PlainLog() { m_ticker.reset(); }

void PlainLog::title(std::string_view what) {
  const std::lock_guard lock(m_mutex);
  if (m_options.level == Level::quiet) return;
  m_out += fmt::format("{}   {}\n", painted(fmt::format("{} {}", program_name, program_version), bold), text_of(what));
  flush();
}

void PlainLog::on(const Event& event) {
  const std::lock_guard lock(m_mutex);
  m_progress.note(event, m_options.now());
  std::visit([this](const auto& typed) { show(typed); }, event);
  flush();
}

void PlainLog::tick() {
  const std::lock_guard lock(m_mutex);
  if (m_over || m_options.level == Level::quiet) return;
  const TimePoint now = m_options.now();
  const auto interval = m_options.heartbeat.count() > 0 ? m_options.heartbeat : default_heartbeat;
  if (now - m_said < interval) return;
  const std::vector<Progress::Doing> doing = m_progress.doing(now);
  if (doing.empty()) {
    labelled("running", fmt::format("{:.0f} s since the start", seconds_between(m_begin, now)));
  } else {
    std::string text = still_running(doing.front());
    if (doing.size() > 1) text += fmt::format(" (and {} more)", doing.size() - 1);
    labelled(doing.front().label, text);
  }
  flush();
}

void PlainLog::done() {
  const std::lock_guard lock(m_mutex);
  for (auto& [key, unit] : m_units) flush_output(unit);
  m_over = true;
  std::string text = human_seconds(seconds_between(m_begin, m_options.now()));
  if (m_buildpack_seconds > 0) text += fmt::format(", of which buildpacks {}", human_seconds(m_buildpack_seconds));
  if (!m_images.empty()) {
    const event::ImageWritten& image = m_images.front();
    if (image.written == 0)
      text += fmt::format("   nothing new: {} was there already", text_of(image.digest));
    else
      text += fmt::format("   image {}, {} of it written", human_size(image.size), human_size(image.written));
  }
  if (m_options.level != Level::quiet) labelled("done", text);
  flush();
}

void PlainLog::show(const event::PhaseStarted&) {}

void PlainLog::show(const event::PhaseEnded& ended) {
  if (m_options.level == Level::quiet) return;
  std::string text = lines_of(ended.summary);
  if (const auto counted = m_layers.find(ended.phase); text.empty() && counted != m_layers.end()) {
    std::vector<std::string> parts;
    const auto add = [&](std::size_t count, std::string_view word) {
      if (count == 0) return;
      parts.push_back(parts.empty() ? fmt::format("{} {} {}", count, count == 1 ? "layer" : "layers", word)
                                    : fmt::format("{} {}", count, word));
    };
    const LayerCount& count = counted->second;
    if (ended.phase == Phase::restore) {
      add(count.kept + count.fresh, "restored");
    } else {
      add(count.kept, "reused");
      add(count.fresh, "new");
    }
    add(count.dropped, "dropped");
    text = fmt::format("{}", fmt::join(parts, ", "));
  }
  if (text.empty()) {
    // A phase that spoke for itself, or took no time worth a line, needs no last word.
    const bool spoke = m_spoken.contains(phase_name(ended.phase));
    if (m_options.level != Level::verbose && (spoke || ended.seconds < 1)) return;
    text = "done";
  }
  line(phase_name(ended.phase), with_time(text, ended.seconds));
}

void PlainLog::show(const event::Decision& decision) {
  if (m_options.level == Level::quiet) return;
  std::string text = text_of(decision.value);
  if (!decision.source.empty()) text += fmt::format("  ({})", text_of(decision.source));
  labelled(text_of(decision.subject), text);
}

void PlainLog::verdict(const event::DetectVerdict& verdict) {
  std::string text =
      fmt::format("{} {} {}", padded(word_of(verdict.kind), 8), text_of(verdict.id), text_of(verdict.version));
  if (!verdict.reason.empty())
    text += fmt::format("   {}", text_of(verdict.reason));
  else if (verdict.exit_code != 0)
    text += fmt::format("   bin/detect exited with {}", verdict.exit_code);
  line(phase_name(Phase::detect), text);
  m_out += output_block(verdict.output, m_options.colours);
}

void PlainLog::show(const event::Detected& detected) {
  const std::string_view label = phase_name(Phase::detect);
  if (!detected.passed) {
    labelled(label, painted("no group of buildpacks fits the application", red));
    for (const event::DetectVerdict& each : detected.verdicts) verdict(each);
    return;
  }
  if (m_options.level == Level::quiet) return;
  std::vector<std::string> names;
  std::set<std::string_view> seen;
  bool ambiguous = false;
  for (const event::DetectVerdict& each : detected.verdicts)
    if (each.kind == event::DetectVerdict::Kind::pass) ambiguous |= !seen.insert(short_name(each.id)).second;
  for (const event::DetectVerdict& each : detected.verdicts)
    if (each.kind == event::DetectVerdict::Kind::pass)
      names.push_back(fmt::format("{} {}", text_of(ambiguous ? each.id : named(each.id)), text_of(each.version)));
  labelled(label, fmt::format("{}", fmt::join(names, ", ")));
  if (m_options.level == Level::verbose)
    for (const event::DetectVerdict& each : detected.verdicts) verdict(each);
}

PlainLog::Unit& PlainLog::unit(const std::string& key, std::string_view name) {
  const auto known = m_units.find(key);
  if (known != m_units.end()) return known->second;
  Unit& made = m_units[key];
  made.name = clean_line(name, Colours::strip);
  made.since = m_options.now();
  return made;
}

void PlainLog::show(const event::BuildpackStarted& started) {
  // Its name is printed with its first output or at its end, so that a silent buildpack takes one line.
  const std::string key = key_of(started.id, started.version);
  m_units.erase(key);
  unit(key, fmt::format("{} {}", started.id, started.version)).running = true;
}

void PlainLog::head(Unit& unit) {
  line(phase_name(Phase::build), unit.name);
  unit.headed = true;
}

void PlainLog::output_line(Unit& unit, std::string_view line) {
  ++unit.lines;
  if (m_options.level == Level::quiet) {
    unit.last.emplace_back(line);
    if (unit.last.size() > kept_output_lines) unit.last.pop_front();
    return;
  }
  if (!unit.headed || m_speaker != unit.name) head(unit);
  m_speaker = unit.name;
  m_out += fmt::format("            │ {}\n", clean_line(line, m_options.colours ? Colours::keep : Colours::strip));
}

void PlainLog::show(const event::Output& output) {
  Unit& speaker = unit(output.unit, output.unit);
  speaker.joiner.add(output.text, [&](std::string_view text) { output_line(speaker, text); });
}

void PlainLog::flush_output(Unit& unit) {
  unit.joiner.flush([&](std::string_view text) { output_line(unit, text); });
}

void PlainLog::kept_lines(Unit& unit) {
  if (unit.lines > unit.last.size())
    m_out += fmt::format("            │ … {} earlier lines\n", unit.lines - unit.last.size());
  for (const std::string& text : unit.last)
    m_out += fmt::format("            │ {}\n", clean_line(text, m_options.colours ? Colours::keep : Colours::strip));
}

void PlainLog::show(const event::BuildpackEnded& ended) {
  m_buildpack_seconds += ended.seconds;
  const std::string key = key_of(ended.id, ended.version);
  Unit& over = unit(key, fmt::format("{} {}", ended.id, ended.version));
  flush_output(over);
  const bool failed = ended.exit_code != 0;
  if (failed) {
    const std::string how = ended.exit_code > 0 ? fmt::format("FAILED with exit code {}", ended.exit_code)
                                                : std::string("FAILED: ended by a signal");
    line(phase_name(Phase::build),
         fmt::format("{}   {} after {}", over.name, painted(how, red), human_seconds(ended.seconds)));
    if (m_options.level == Level::quiet) kept_lines(over);
    m_failure_output_shown |= over.lines > 0;
  } else if (m_options.level != Level::quiet) {
    line(phase_name(Phase::build), with_time(over.name, ended.seconds));
  }
  m_units.erase(key);
  m_speaker.clear();
}

void PlainLog::show(const event::LayerDone& layer) {
  const Phase phase = phase_of(layer.where);
  LayerCount& count = m_layers[phase];
  if (layer.how == event::LayerDone::How::fresh)
    ++count.fresh;
  else if (layer.how == event::LayerDone::How::dropped)
    ++count.dropped;
  else
    ++count.kept;
  if (m_options.level == Level::quiet) return;
  std::string text = fmt::format("{} {} {:>8}", padded(text_of(named(layer.name)), 28), padded(word_of(layer), 8),
                                 layer.size == 0 ? std::string() : human_size(layer.size));
  if (!layer.reason.empty()) text += fmt::format("   {}", text_of(layer.reason));
  if (m_options.level == Level::verbose && !layer.diff_id.empty()) text += fmt::format("   {}", text_of(layer.diff_id));
  line(phase_name(phase), text.substr(0, text.find_last_not_of(' ') + 1));
}

void PlainLog::show(const event::ImageWritten& image) {
  m_images.push_back(image);
  if (m_options.level == Level::quiet) return;
  line(phase_name(Phase::publish), fmt::format("{}@{}   {} written", text_of(image.name), text_of(image.digest),
                                               human_part(image.written, image.size)));
}

void PlainLog::say_warning(const event::Warning& warning) {
  labelled("warning", lines_of(warning.text), yellow);
  if (!warning.next.empty()) labelled("", fmt::format("next: {}", lines_of(warning.next)));
}

void PlainLog::show(const event::Warning& warning) {
  if (m_options.level == Level::quiet)
    m_held_warnings.push_back(warning);
  else
    say_warning(warning);
}

void PlainLog::show(const event::Detail& detail) {
  if (m_options.level == Level::verbose) line("detail", lines_of(detail.text));
}

void PlainLog::unfinished_units(const Error& error) {
  const TimePoint now = m_options.now();
  for (auto& [key, unit] : m_units) {
    flush_output(unit);
    if (!unit.running) {
      if (m_options.level == Level::quiet && unit.lines > 0) {
        head(unit);
        kept_lines(unit);
      }
      m_failure_output_shown |= unit.lines > 0;
      continue;
    }
    const bool cancelled = error.category() == Category::cancelled;
    line(phase_name(Phase::build),
         fmt::format("{}   {} after {}", unit.name,
                     cancelled ? painted("cancelled", yellow) : painted("STOPPED", red),
                     human_seconds(seconds_between(unit.since, now))));
    if (m_options.level == Level::quiet) kept_lines(unit);
    m_failure_output_shown |= unit.lines > 0;
  }
  m_units.clear();
}

void PlainLog::show(const event::Failed& failed) {
  unfinished_units(failed.error);
  for (const event::Warning& warning : m_held_warnings) say_warning(warning);
  m_held_warnings.clear();
  if (!m_failure_output_shown) m_out += output_block(failed.error.output(), m_options.colours);
  if (m_wrote || !m_out.empty()) m_out += "\n";
  m_out += error_text(failed.error, m_options.colours);
  m_over = true;
}

void PlainLog::line(std::string_view label, std::string_view text) { labelled(label == m_label ? "" : label, text); }

void PlainLog::labelled(std::string_view label, std::string_view text, int colour) {
  m_out += label.empty() ? std::string(label_width, ' ') : painted(padded(label, label_width - 1), colour) + " ";
  for (const char c : text) {
    m_out += c;
    if (c == '\n') m_out.append(label_width, ' ');
  }
  m_out += '\n';
  if (label.empty()) return;
  m_label = label;
  m_spoken.insert(m_label);
}

std::string PlainLog::with_time(std::string_view text, double seconds) const {
  const std::string time = human_seconds(seconds);
  const std::size_t taken = columns(text) + time.size() + 2;
  const std::size_t dots = taken + 3 < time_column ? time_column - taken : 3;
  return fmt::format("{} {} {}", text, std::string(dots, '.'), time);
}

std::string PlainLog::named(std::string_view id) const {
  return std::string(m_options.level == Level::verbose ? id : short_name(id));
}

std::string PlainLog::text_of(std::string_view foreign) const {
  std::string text = clean_line(foreign, Colours::strip);
  return m_options.level == Level::verbose ? text : brief_digests(text);
}

std::string PlainLog::lines_of(std::string_view foreign) const {
  std::string text = clean_text(foreign);
  return m_options.level == Level::verbose ? text : brief_digests(text);
}

std::string PlainLog::painted(std::string_view text, int colour) const {
  return m_options.colours ? fmt::format("\x1b[{}m{}\x1b[0m", colour, text) : std::string(text);
}

void PlainLog::flush() {
  if (m_out.empty()) return;
  m_said = m_options.now();
  m_wrote = true;
  m_options.write(m_out);
  m_out.clear();
}

}  // namespace cib::report
