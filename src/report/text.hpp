// Text that others wrote, made fit for a terminal and a log: nothing in it can move the cursor, set the window's title,
// hide what follows or pretend to be a line of ours.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace cib::report {

enum class Colours { keep, strip };

// One line (without its end). Colour sequences (CSI … m) are kept, and ended at the end of the line, or dropped; other
// terminal sequences are dropped; of a line that was redrawn with carriage returns the last state is shown; the other
// control characters, bytes that are not UTF-8 and marks that change the direction of writing become \xNN or \u{NNNN}.
std::string clean_line(std::string_view line, Colours colours);

// The same for a short text of several lines; they stay lines, and blank ones at the end are dropped. A later line that
// begins as commands to CI services do (::) gets a bar before it.
std::string clean_text(std::string_view text);

// Puts bytes that come in pieces together to lines. A line longer than 64 KiB is given out in parts.
class LineJoiner {
 public:
  using Taker = std::function<void(std::string_view line)>;
  void add(std::string_view text, const Taker& take);
  // Gives out the line that has no end yet, if there is one.
  void flush(const Taker& take);

 private:
  std::string m_rest;
};

}  // namespace cib::report
