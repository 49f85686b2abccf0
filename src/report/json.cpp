#include "report/json.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/version.hpp"

namespace cib::report {

namespace {

using Json = nlohmann::ordered_json;

constexpr int schema = 1;

std::string utc(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

const char* word_of(event::LayerDone::Where where) {
  switch (where) {
    case event::LayerDone::Where::image: return "image";
    case event::LayerDone::Where::cache: return "cache";
    case event::LayerDone::Where::restored: return "restored";
  }
  return "";
}

const char* word_of(event::LayerDone::How how) {
  switch (how) {
    case event::LayerDone::How::fresh: return "fresh";
    case event::LayerDone::How::same: return "same";
    case event::LayerDone::How::reused: return "reused";
    case event::LayerDone::How::dropped: return "dropped";
  }
  return "";
}

const char* word_of(event::DetectVerdict::Kind kind) {
  switch (kind) {
    case event::DetectVerdict::Kind::pass: return "pass";
    case event::DetectVerdict::Kind::fail: return "fail";
    case event::DetectVerdict::Kind::error: return "error";
    case event::DetectVerdict::Kind::skipped: return "skipped";
  }
  return "";
}

}  // namespace

struct JsonReport::State {
  Clock now;
  mutable std::mutex mutex;
  std::chrono::system_clock::time_point begin;
  std::optional<std::chrono::system_clock::time_point> end;
  std::string result = "unfinished";
  Json phases = Json::array();
  Json decisions = Json::array();
  Json detect = nullptr;
  Json group = nullptr;  // as in group.toml
  Json plan = nullptr;   // as in plan.toml
  Json buildpacks = Json::array();
  Json layers = Json::array();
  Json images = Json::array();
  Json warnings = Json::array();
  Json failure = nullptr;

  void note(const event::PhaseStarted& started) {
    phases.push_back({{"name", phase_name(started.phase)}, {"seconds", nullptr}, {"summary", ""}});
  }
  void note(const event::PhaseEnded& ended) {
    // The one that was begun last and has not ended.
    const auto open = std::find_if(phases.rbegin(), phases.rend(), [&](const Json& phase) {
      return phase["name"] == phase_name(ended.phase) && phase["seconds"].is_null();
    });
    Json phase{{"name", phase_name(ended.phase)}, {"seconds", ended.seconds}, {"summary", ended.summary}};
    if (open != phases.rend())
      *open = std::move(phase);
    else
      phases.push_back(std::move(phase));
  }
  void note(const event::Decision& decision) {
    decisions.push_back({{"subject", decision.subject}, {"value", decision.value}, {"source", decision.source}});
  }
  void note(const event::BytesMoved&) {}
  void note(const event::Detected& detected) {
    Json verdicts = Json::array();
    for (const event::DetectVerdict& verdict : detected.verdicts)
      verdicts.push_back({{"id", verdict.id},
                          {"version", verdict.version},
                          {"verdict", word_of(verdict.kind)},
                          {"exit_code", verdict.exit_code},
                          {"reason", verdict.reason},
                          {"output", verdict.output}});
    detect = {{"passed", detected.passed}, {"verdicts", std::move(verdicts)}};
    // They come as JSON already; none is given when no group passed.
    const auto value = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json::parse(text); };
    group = value(detected.group_json);
    plan = value(detected.plan_json);
  }
  void note(const event::BuildpackStarted& started) {
    buildpacks.push_back(
        {{"id", started.id}, {"version", started.version}, {"exit_code", nullptr}, {"seconds", nullptr}});
  }
  void note(const event::Output&) {}
  void note(const event::BuildpackEnded& ended) {
    const auto open = std::find_if(buildpacks.rbegin(), buildpacks.rend(), [&](const Json& buildpack) {
      return buildpack["id"] == ended.id && buildpack["version"] == ended.version && buildpack["seconds"].is_null();
    });
    Json buildpack{
        {"id", ended.id}, {"version", ended.version}, {"exit_code", ended.exit_code}, {"seconds", ended.seconds}};
    if (open != buildpacks.rend())
      *open = std::move(buildpack);
    else
      buildpacks.push_back(std::move(buildpack));
  }
  void note(const event::LayerDone& layer) {
    layers.push_back({{"name", layer.name},
                      {"where", word_of(layer.where)},
                      {"how", word_of(layer.how)},
                      {"size", layer.size == 0 ? Json(nullptr) : Json(layer.size)},
                      {"diff_id", layer.diff_id},
                      {"reason", layer.reason}});
  }
  void note(const event::ImageWritten& image) {
    images.push_back(
        {{"name", image.name}, {"digest", image.digest}, {"size", image.size}, {"written", image.written}});
  }
  void note(const event::Warning& warning) { warnings.push_back({{"text", warning.text}, {"next", warning.next}}); }
  void note(const event::Detail&) {}
  void note(const event::Failed& failed) {
    const Error& error = failed.error;
    result = error.category() == Category::cancelled ? "cancelled" : "failed";
    end = now();
    failure = {{"message", error.message()},
               {"why", error.why()},
               {"next", error.next()},
               {"exit_code", static_cast<int>(error.code())},
               {"category", category_name(error.category())},
               {"output", error.output()}};
  }
};

JsonReport::JsonReport(Clock now) : m_state(std::make_unique<State>()) {
  m_state->now = std::move(now);
  m_state->begin = m_state->now();
}

JsonReport::~JsonReport() = default;

void JsonReport::on(const Event& event) {
  const std::lock_guard lock(m_state->mutex);
  std::visit([this](const auto& typed) { m_state->note(typed); }, event);
}

void JsonReport::done() {
  const std::lock_guard lock(m_state->mutex);
  m_state->result = "built";
  m_state->end = m_state->now();
}

std::string JsonReport::to_json() const {
  const State& state = *m_state;
  const std::lock_guard lock(state.mutex);
  const std::chrono::duration<double> taken = state.end.value_or(state.now()) - state.begin;
  const Json document{{"schema", schema},
                      {"program", {{"name", program_name}, {"version", program_version}}},
                      {"result", state.result},
                      {"started", utc(state.begin)},
                      {"seconds", taken.count()},
                      {"phases", state.phases},
                      {"decisions", state.decisions},
                      {"detect", state.detect},
                      {"group", state.group},
                      {"plan", state.plan},
                      {"buildpacks", state.buildpacks},
                      {"layers", state.layers},
                      {"images", state.images},
                      {"warnings", state.warnings},
                      {"failure", state.failure}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cib::report
