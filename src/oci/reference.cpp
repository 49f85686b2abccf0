#include "oci/reference.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace cib::oci {

namespace {

// "PATH" or "PATH:TAG": the tag begins at the first colon, as skopeo has it.
Reference with_path(Reference::Kind kind, std::string_view prefix, std::string_view text) {
  Reference reference{.kind = kind, .path = {}, .tag = {}, .text = std::string(text)};
  const std::string_view rest = text.substr(prefix.size());
  const std::size_t colon = rest.find(':');
  reference.path = fs::path(rest.substr(0, colon));
  if (colon != std::string_view::npos) reference.tag = rest.substr(colon + 1);
  if (reference.path.empty())
    throw Error(ExitCode::usage, fmt::format("{} names no path", text)).next(fmt::format("write {}PATH", prefix));
  return reference;
}

}  // namespace

Reference parse_reference(std::string_view text) {
  for (const std::string_view prefix : {"oci:", "docker-archive:"})
    if (text.starts_with(prefix))
      return with_path(prefix == "oci:" ? Reference::Kind::layout : Reference::Kind::archive, prefix, text);
  if (text.empty()) throw Error(ExitCode::usage, "an image reference is empty");
  return {.kind = Reference::Kind::registry, .path = {}, .tag = {}, .text = std::string(text)};
}

}  // namespace cib::oci
