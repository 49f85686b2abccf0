// Which ways of running buildpacks work on this machine, found out by trying them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace cib::sandbox {

class Helper;

// A way of making a sandbox that was found to work.
struct Rung {
  enum class Kind { in_place, namespaces_root, namespaces_rootless, takeover, chroot };
  Kind kind = Kind::namespaces_root;
  bool overlay = false;          // overlays can be mounted; else the root must be a flat folder
  bool user_xattr = false;       // overlays work only with user.* attributes: the store must use them for its marks
  bool subordinate_ids = false;  // rootless only: more than one id exists inside
};

// "in place", "namespaces", "rootless", "takeover", "chroot": the words of doctor and, with a dash, of --isolation.
std::string_view rung_name(Rung::Kind kind);

// The kind that a value of --isolation names. Throws Error(usage) that lists the values.
Rung::Kind parse_isolation(std::string_view value);

// One line of doctor.
struct Attempt {
  Rung::Kind kind;
  bool works = false;
  std::string reason;  // "works; overlay", "unshare(user namespace): Operation not permitted (seccomp)"
};

struct ProbeResult {
  std::optional<Rung> rung;       // the first that works
  std::vector<Attempt> attempts;  // in the order of the ladder
};

// Tries the ladder from the top (only `forced`, when given) with small sandboxes in a temporary folder below
// `folder`, which should lie where the store is: whether overlays work depends on that file system.
ProbeResult try_rungs(Helper& helper, std::optional<Rung::Kind> forced, const fs::path& folder);

// The rung to use, or Error(configuration) that says for each why not, and what to do.
struct Probe {
  Rung rung;
  std::string reason;
  std::vector<Attempt> attempts;
};
Probe probe(Helper& helper, std::optional<Rung::Kind> forced, const fs::path& folder);

}  // namespace cib::sandbox
