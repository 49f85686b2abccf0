#include "report/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "report/text.hpp"
#include "report/why.hpp"

namespace cib::report {

namespace {

double seconds_between(TimePoint from, TimePoint to) { return std::chrono::duration<double>(to - from).count(); }

}  // namespace

void Progress::note(const Event& event, TimePoint now) {
  if (const auto* started = std::get_if<event::PhaseStarted>(&event)) {
    m_phases.push_back({started->phase, now});
  } else if (const auto* ended = std::get_if<event::PhaseEnded>(&event)) {
    // What was not brought to its end (cancelled, not needed after all) ends with its phase.
    std::erase_if(m_phases, [&](const Open& open) { return open.phase == ended->phase; });
    std::erase_if(m_transfers, [&](const Transfer& transfer) { return transfer.phase == ended->phase; });
  } else if (const auto* bytes = std::get_if<event::BytesMoved>(&event)) {
    const auto same = [&](const Transfer& t) { return t.phase == bytes->phase && t.what == bytes->what; };
    const auto known = std::find_if(m_transfers.begin(), m_transfers.end(), same);
    if (bytes->total != 0 && bytes->done >= bytes->total) {
      if (known != m_transfers.end()) m_transfers.erase(known);
    } else if (known != m_transfers.end()) {
      known->done = bytes->done;
      known->total = bytes->total;
    } else {
      m_transfers.push_back({bytes->phase, bytes->what, bytes->done, bytes->total, now});
    }
  } else if (const auto* begun = std::get_if<event::BuildpackStarted>(&event)) {
    m_running.push_back({begun->id, begun->version, now});
  } else if (const auto* over = std::get_if<event::BuildpackEnded>(&event)) {
    std::erase_if(m_running, [&](const Running& r) { return r.id == over->id && r.version == over->version; });
  } else if (std::holds_alternative<event::Failed>(event)) {
    *this = Progress();
  }
}

std::vector<Progress::Doing> Progress::doing(TimePoint now) const {
  std::vector<Doing> out;
  for (const Running& running : m_running)
    out.push_back({.label = phase_name(Phase::build),
                   .what = clean_line(fmt::format("{} {}", running.id, running.version), Colours::strip),
                   .seconds = seconds_between(running.since, now)});
  if (!out.empty()) return out;
  for (const Transfer& transfer : m_transfers) {
    Doing doing{.label = phase_name(transfer.phase),
                .what = clean_line(transfer.what, Colours::strip),
                .measure = human_part(transfer.done, transfer.total),
                .seconds = seconds_between(transfer.since, now)};
    if (transfer.total != 0)
      doing.part = std::min(1.0, static_cast<double>(transfer.done) / static_cast<double>(transfer.total));
    out.push_back(std::move(doing));
  }
  if (out.empty() && !m_phases.empty())
    out.push_back({.label = phase_name(m_phases.back().phase), .seconds = seconds_between(m_phases.back().since, now)});
  return out;
}

std::string still_running(const Progress::Doing& doing) {
  const std::string time = fmt::format("{:.0f} s", doing.seconds);
  if (!doing.measure.empty()) return fmt::format("{}, {} after {}", doing.what, doing.measure, time);
  if (!doing.what.empty()) return fmt::format("{} still running, {}", doing.what, time);
  return fmt::format("still running, {}", time);
}

}  // namespace cib::report
