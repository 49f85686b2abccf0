// One stream of events for several listeners.
#pragma once

#include <initializer_list>
#include <vector>

#include "base/event.hpp"

namespace cib::report {

// The listeners must outlive it; each gets every event, in the order in which they were given.
class FanOut : public EventSink {
 public:
  FanOut(std::initializer_list<EventSink*> sinks) : m_sinks(sinks) {}
  void on(const Event& event) override {
    for (EventSink* sink : m_sinks) sink->on(event);
  }

 private:
  std::vector<EventSink*> m_sinks;
};

}  // namespace cib::report
