// The build report for programs (docs/report.md): the same facts as the log, as one JSON document.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/event.hpp"

namespace cib::report {

class JsonReport : public EventSink {
 public:
  using Clock = std::function<std::chrono::system_clock::time_point()>;
  explicit JsonReport(Clock now = [] { return std::chrono::system_clock::now(); });
  ~JsonReport() override;

  void on(const Event& event) override;
  // The build came to its end without a failure.
  void done();
  // The document so far, indented by two, with a newline at the end. Field names stay; bytes that are not UTF-8 are
  // replaced by U+FFFD.
  std::string to_json() const;

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

}  // namespace cib::report
