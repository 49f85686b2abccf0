#include "cnb/api.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <compare>

#include "base/error.hpp"

namespace cib::cnb {

struct BuildpackApiKind {
  static constexpr auto order(const BuildpackApi& a, const BuildpackApi& b) {
    return a.m_major == b.m_major ? a.m_minor <=> b.m_minor : a.m_major <=> b.m_major;
  }
};

struct PlatformApiKind {
  static constexpr auto order(const PlatformApi& a, const PlatformApi& b) {
    return a.m_major == b.m_major ? a.m_minor <=> b.m_minor : a.m_major <=> b.m_major;
  }
};

namespace {

template <class Behaviour, class Version>
struct Row {
  Behaviour behaviour;
  Version since;
};

constexpr std::array buildpack_rows = {
    Row{Since::env_variables_for_paths, BuildpackApi{0, 8}},
    Row{Since::working_dir, BuildpackApi{0, 8}},
    Row{Since::command_array, BuildpackApi{0, 9}},
    Row{Since::direct_forbidden, BuildpackApi{0, 9}},
    Row{Since::args_overridable, BuildpackApi{0, 9}},
    Row{Since::target_variables, BuildpackApi{0, 10}},
    Row{Since::stack_bionic_is_target, BuildpackApi{0, 10}},
    Row{Since::exec_env, BuildpackApi{0, 12}},
};

constexpr std::array platform_rows = {
    Row{PlatformSince::sbom_layers, PlatformApi{0, 8}},
    Row{PlatformSince::legacy_sbom, PlatformApi{0, 9}},
    Row{PlatformSince::epoch_is_created, PlatformApi{0, 9}},
    Row{PlatformSince::metadata_command_array, PlatformApi{0, 10}},
    Row{PlatformSince::build_config, PlatformApi{0, 11}},
    Row{PlatformSince::launcher_sbom, PlatformApi{0, 11}},
    Row{PlatformSince::run_toml, PlatformApi{0, 12}},
    Row{PlatformSince::target_matching, PlatformApi{0, 12}},
    Row{PlatformSince::image_history, PlatformApi{0, 12}},
    Row{PlatformSince::cache_metadata_alone, PlatformApi{0, 14}},
    Row{PlatformSince::system_buildpacks, PlatformApi{0, 15}},
    Row{PlatformSince::exec_env, PlatformApi{0, 15}},
};

constexpr BuildpackApi oldest{0, 7};
constexpr BuildpackApi newest{0, 12};

template <class Rows, class Behaviour>
const auto& since(const Rows& rows, Behaviour behaviour) {
  for (const auto& row : rows)
    if (row.behaviour == behaviour) return row.since;
  throw Error(ExitCode::bug, "a behaviour has no row in the table of APIs");
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

template <class Kind>
std::optional<ApiVersion<Kind>> ApiVersion<Kind>::parse(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  const auto dot = text.find('.');
  const auto major = number(text.substr(0, dot));
  const auto minor = dot == text.npos ? 0 : number(text.substr(dot + 1));
  if (!major || !minor) return std::nullopt;
  return ApiVersion(*major, *minor);
}

template <class Kind>
std::string ApiVersion<Kind>::text() const {
  return fmt::format("{}.{}", m_major, m_minor);
}

template class ApiVersion<BuildpackApiKind>;
template class ApiVersion<PlatformApiKind>;

bool holds(Since behaviour, const BuildpackApi& api) {
  return BuildpackApiKind::order(api, since(buildpack_rows, behaviour)) >= 0;
}

bool holds(PlatformSince behaviour, const PlatformApi& api) {
  return PlatformApiKind::order(api, since(platform_rows, behaviour)) >= 0;
}

bool is_supported(const BuildpackApi& api) {
  return BuildpackApiKind::order(api, oldest) >= 0 && BuildpackApiKind::order(api, newest) <= 0;
}

BuildpackApi require_supported_api(std::string_view text, std::string_view who) {
  const auto next = fmt::format("use a version of the buildpack with Buildpack API {} to {}", oldest.text(), newest.text());
  const auto api = BuildpackApi::parse(text);
  if (!api)
    throw Error(ExitCode::buildpack_api, fmt::format("parse buildpack API '{}' for buildpack '{}'", text, who))
        .why("the key api of buildpack.toml must be a version such as \"0.10\"")
        .next(next);
  if (!is_supported(*api))
    throw Error(ExitCode::buildpack_api,
                fmt::format("buildpack '{}': buildpack API version '{}' is incompatible with the lifecycle", who, text))
        .next(next);
  return *api;
}

}  // namespace cib::cnb
