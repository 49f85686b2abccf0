#include "cnb/buildpack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cnb/fields.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;

// NAME_MAX of Linux file systems.
constexpr std::size_t longest_name = 255;

std::string name_fault(std::string_view name) {
  if (name.empty()) return "is missing";
  if (name.size() > longest_name) return fmt::format("must not be longer than {} bytes", longest_name);
  if (name == "." || name.find("..") != name.npos) return "must not contain \"..\" or be \".\"";
  if (name.front() == '/') return "must not begin with \"/\"";
  if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    return "must not contain control characters";
  return "";
}

// For messages about files that are not understood yet.
std::string who(const json& document, std::string_view file_name) {
  const auto text = [&](const char* key) -> std::string {
    const auto table = document.find("buildpack");
    if (table == document.end() || !table->is_object()) return "";
    const auto value = table->find(key);
    return value != table->end() && value->is_string() ? value->get<std::string>() : "";
  };
  const std::string id = text("id");
  return id.empty() ? std::string(file_name) : id + "@" + text("version");
}

Target target_of(const Fields& fields) {
  // The reference reads "arch-variant" here, whatever the spec says: "variant" decides nothing.
  Target target{fields.text("os"), fields.text("arch"), fields.text("arch-variant"), {}};
  for (const Fields& distro : fields.tables("distros"))
    target.distros.push_back({distro.text("name"), distro.text("version")});
  return target;
}

}  // namespace

std::string escaped_id(std::string_view id) {
  std::string name(id);
  std::ranges::replace(name, '/', '_');
  return name;
}

std::string id_fault(std::string_view id) {
  std::string lower(id);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (constexpr std::array<std::string_view, 4> reserved = {"app", "config", "generated", "sbom"};
      std::ranges::find(reserved, lower) != reserved.end())
    return "must not be one of the reserved app, config, generated, sbom";
  return name_fault(id);
}

std::string version_fault(std::string_view version) {
  if (version.find('/') != version.npos) return "must not contain \"/\"";
  return name_fault(version);
}

Buildpack parse_buildpack_toml(std::string_view text, std::string_view file_name) {
  const json document = parse_toml(text, file_name);
  const Fields top(document, file_name);
  Buildpack buildpack;
  // First of all: another API may mean another shape.
  buildpack.api = require_supported_api(top.text("api"), who(document, file_name));

  const Fields own = top.table("buildpack");
  buildpack.id = own.required_text("id");
  if (const std::string fault = id_fault(buildpack.id); !fault.empty()) own.fail("id", fault);
  buildpack.version = own.required_text("version");
  if (const std::string fault = version_fault(buildpack.version); !fault.empty()) own.fail("version", fault);
  buildpack.name = own.text("name");
  buildpack.homepage = own.text("homepage");
  buildpack.clear_env = own.flag("clear-env");
  buildpack.sbom_formats = own.texts("sbom-formats");
  if (holds(Since::exec_env, buildpack.api)) buildpack.exec_env = own.texts("exec-env");

  buildpack.order = order_of(top, "order");
  for (const Fields& stack : top.tables("stacks")) buildpack.stacks.push_back(stack.text("id"));
  for (const Fields& target : top.tables("targets")) buildpack.targets.push_back(target_of(target));
  return buildpack;
}

}  // namespace cib::cnb
