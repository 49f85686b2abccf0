// What happens during a build, as typed values. The pipeline emits them; the plain log, the live view
// and the report are made from them and from nothing else. Nothing waits for a listener.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"

namespace cib {

enum class Phase { fetch, analyze, detect, restore, build, export_image, publish, cache };

constexpr const char* phase_name(Phase phase) {
  switch (phase) {
    case Phase::fetch: return "fetch";
    case Phase::analyze: return "analyze";
    case Phase::detect: return "detect";
    case Phase::restore: return "restore";
    case Phase::build: return "build";
    case Phase::export_image: return "export";
    case Phase::publish: return "publish";
    case Phase::cache: return "cache";
  }
  return "";
}

namespace event {

struct PhaseStarted {
  Phase phase;
};

struct PhaseEnded {
  Phase phase;
  double seconds = 0;
  std::string summary;  // "2 of 3 layers restored"; may be empty
};

// Something that was decided, with where it comes from: builder = embedded, "no builder was named".
struct Decision {
  std::string subject;  // "builder", "isolation", "previous"
  std::string value;
  std::string source;  // may be empty
};

// Progress of something measurable. Emitted a few times a second at most; done == total ends it.
struct BytesMoved {
  Phase phase;
  std::string what;  // "builder layer 3 of 7"
  std::uint64_t done = 0;
  std::uint64_t total = 0;  // 0 when unknown
};

// A verdict of detection for one buildpack of one group.
struct DetectVerdict {
  std::string id;
  std::string version;
  enum class Kind { pass, fail, error, skipped } kind = Kind::pass;  // skipped: optional, not needed
  int exit_code = 0;                                                 // of bin/detect
  std::string output;                                                // what it printed
  std::string reason;  // why not: "requires x, which nothing before it provides"
};

struct Detected {
  bool passed = false;
  std::vector<DetectVerdict> verdicts;  // of the last tried group, or of every one when none passed
  std::string group_json;               // what takes part, in the form of group.toml; empty when none passed
  std::string plan_json;                // in the form of plan.toml
};

struct BuildpackStarted {
  std::string id;
  std::string version;
};

// Raw bytes of a buildpack's or process's output as they come (may end inside a line).
struct Output {
  std::string unit;  // "id@version"
  std::string text;
};

struct BuildpackEnded {
  std::string id;
  std::string version;
  int exit_code = 0;
  double seconds = 0;
};

// What became of a layer.
struct LayerDone {
  enum class Where { image, cache, restored } where = Where::image;
  enum class How {
    fresh,   // read, packed, written
    same,    // read and hashed: the bytes are those of before, nothing was written
    reused,  // not even read
    dropped  // not taken over: `reason` says why
  } how = How::fresh;
  std::string name;        // "paketo-buildpacks/cpython:cpython", "application", "launcher"
  std::uint64_t size = 0;  // bytes of the tar; 0 when unknown
  std::string diff_id;
  std::string reason;
};

struct ImageWritten {
  std::string name;           // reference it stands under
  std::string digest;         // of the manifest; of the configuration for an archive
  std::uint64_t size = 0;     // sum of the compressed layers
  std::uint64_t written = 0;  // bytes that were new to the target
};

struct Warning {
  std::string text;
  std::string next;  // may be empty
};

// A remark that fits nowhere else; shown with -v.
struct Detail {
  std::string text;
};

struct Failed {
  Error error;
};

}  // namespace event

using Event = std::variant<event::PhaseStarted, event::PhaseEnded, event::Decision, event::BytesMoved,
                           event::Detected, event::BuildpackStarted, event::Output, event::BuildpackEnded,
                           event::LayerDone, event::ImageWritten, event::Warning, event::Detail, event::Failed>;

// Listeners may be called from any thread, several at once.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on(const Event& event) = 0;
};

}  // namespace cib
