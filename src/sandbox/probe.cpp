#include "sandbox/probe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/capability.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "base/error.hpp"
#include "sandbox/helper.hpp"
#include "sandbox/namespaces.hpp"

namespace cib::sandbox {

namespace {

constexpr std::array ladder{Rung::Kind::in_place, Rung::Kind::namespaces_root, Rung::Kind::namespaces_rootless,
                            Rung::Kind::takeover, Rung::Kind::chroot};

std::string first_line(const fs::path& path) {
  try {
    const std::string text = read_file_if_exists(path).value_or("");
    return text.substr(0, text.find('\n'));
  } catch (const Error&) {
    return {};  // a setting that cannot be read explains nothing
  }
}

// The value of a line of /proc/self/status.
std::string status_field(std::string_view name) {
  const std::string text = read_file_if_exists("/proc/self/status").value_or("");
  const std::size_t at = text.find(fmt::format("\n{}:\t", name));
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 3;
  return text.substr(begin, text.find('\n', begin) - begin);
}

bool has_capability(unsigned capability) {
  const std::string text = status_field("CapEff");
  std::uint64_t bits = 0;
  std::from_chars(text.data(), text.data() + text.size(), bits, 16);
  return (bits >> capability & 1) != 0;
}

// What on this machine may have refused it; empty when unknown.
std::string suspect(Rung::Kind kind) {
  if (kind == Rung::Kind::namespaces_root) {
    if (!has_capability(CAP_SYS_ADMIN)) return "CAP_SYS_ADMIN missing";
  } else {
    if (first_line("/proc/sys/kernel/unprivileged_userns_clone") == "0")
      return "kernel.unprivileged_userns_clone is 0";
    if (first_line("/proc/sys/user/max_user_namespaces") == "0") return "user.max_user_namespaces is 0";
    if (first_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1")
      return "kernel.apparmor_restrict_unprivileged_userns is 1";
  }
  if (status_field("Seccomp") == "2") return "the container's seccomp profile";
  return {};
}

std::string failure(Rung::Kind kind, const Error& error) {
  std::string text = error.message();
  if (text.starts_with("sandbox: ")) text.erase(0, std::string_view("sandbox: ").size());
  const std::string because = !error.why().empty() ? error.why() : suspect(kind);
  return because.empty() ? text : fmt::format("{} ({})", text, because);
}

// Whether this process's root is the machine's root: only that one may write trusted.* attributes.
bool in_initial_user_namespace() {
  const std::string map = first_line("/proc/self/uid_map");
  std::string digits;
  for (const char c : map)
    if (c != ' ' || (!digits.empty() && digits.back() != ' ')) digits += c;
  return map.empty() || digits == "0 0 4294967295";
}

// A whole sandbox with an empty root, up to the point where a program would be executed.
void try_sandbox(Helper& helper, const Rung& rung, const fs::path& folder) {
  const TempFolder scratch(folder, "probe-");
  Setup setup;
  setup.uid = 1000;
  setup.gid = 1000;
  const auto make = [&](const char* name) {
    make_folders(scratch.path() / name);
    return scratch.path() / name;
  };
  if (rung.overlay) {
    setup.root.lowers = {make("lower")};
    setup.root.upper = make("upper");
    setup.root.work = make("work");
    setup.root.mount_point = make("root");
    setup.root.user_xattr = rung.user_xattr;
  } else {
    setup.root.flat = make("root");
  }
  make_sandbox(helper, rung, setup)->run({}, [](std::string_view) {}, {});
}

// The best form of one of the two rungs of namespaces, with the reasons.
struct Trial {
  std::optional<Rung> rung;
  std::string reason;
};
Trial try_namespaces(Helper& helper, Rung::Kind kind, const fs::path& folder) {
  if (kind == Rung::Kind::namespaces_root && geteuid() != 0) return {std::nullopt, "needs root"};
  const bool rootless = kind == Rung::Kind::namespaces_rootless;
  Rung rung{kind, false, rootless || !in_initial_user_namespace(), rootless};
  std::string one_id;
  if (rung.subordinate_ids) {
    try {
      try_sandbox(helper, rung, folder);
    } catch (const Error& error) {
      one_id = fmt::format("; one id inside: {}", failure(kind, error));
      rung.subordinate_ids = false;
    }
  }
  if (!rung.subordinate_ids) {
    try {
      try_sandbox(helper, rung, folder);
    } catch (const Error& error) {
      return {std::nullopt, failure(kind, error)};
    }
  }
  rung.overlay = true;
  try {
    try_sandbox(helper, rung, folder);
    return {rung, fmt::format("works, with overlays{}", one_id)};
  } catch (const Error& error) {
    rung.overlay = false;
    return {rung, fmt::format("works, without overlays: {}{}", failure(kind, error), one_id)};
  }
}

}  // namespace

std::string_view rung_name(Rung::Kind kind) {
  switch (kind) {
    case Rung::Kind::in_place: return "in place";
    case Rung::Kind::namespaces_root: return "namespaces";
    case Rung::Kind::namespaces_rootless: return "rootless";
    case Rung::Kind::takeover: return "takeover";
    case Rung::Kind::chroot: return "chroot";
  }
  return "";
}

Rung::Kind parse_isolation(std::string_view value) {
  if (value == "in-place") return Rung::Kind::in_place;
  for (const Rung::Kind kind : ladder)
    if (kind != Rung::Kind::in_place && rung_name(kind) == value) return kind;
  throw Error(ExitCode::usage, fmt::format("--isolation {}: no such way of isolating", value))
      .next("use namespaces or rootless, or leave --isolation away");
}

ProbeResult try_rungs(Helper& helper, std::optional<Rung::Kind> forced, const fs::path& folder) {
  ProbeResult result;
  for (const Rung::Kind kind : ladder) {
    if (forced && *forced != kind) continue;
    if (kind != Rung::Kind::namespaces_root && kind != Rung::Kind::namespaces_rootless) {
      result.attempts.push_back({kind, false, "not built into this program"});
      continue;
    }
    Trial trial = try_namespaces(helper, kind, folder);
    result.attempts.push_back({kind, trial.rung.has_value(), std::move(trial.reason)});
    if (!result.rung) result.rung = trial.rung;
  }
  return result;
}

Probe probe(Helper& helper, std::optional<Rung::Kind> forced, const fs::path& folder) {
  ProbeResult result;
  if (forced) {
    result = try_rungs(helper, forced, folder);
  } else {
    // As the ladder, but what lies below the first rung that works need not be tried for a build.
    for (const Rung::Kind kind : ladder) {
      if (result.rung) break;
      ProbeResult one = try_rungs(helper, kind, folder);
      result.attempts.push_back(std::move(one.attempts.front()));
      result.rung = one.rung;
    }
  }
  if (result.rung) return {*result.rung, result.attempts.back().reason, std::move(result.attempts)};

  if (forced) {
    throw Error(ExitCode::configuration,
                fmt::format("--isolation {} does not work on this machine", rung_name(*forced)))
        .why(result.attempts.front().reason)
        .next("leave --isolation away, and the first way that works is taken");
  }
  std::vector<std::string> lines;
  for (const Attempt& attempt : result.attempts)
    lines.push_back(fmt::format("{}: {}", rung_name(attempt.kind), attempt.reason));
  throw Error(ExitCode::configuration, "buildpacks cannot be isolated on this machine")
      .why(fmt::format("{}", fmt::join(lines, "; ")))
      .next("run the job as root with CAP_SYS_ADMIN, or allow unprivileged user namespaces");
}

}  // namespace cib::sandbox
