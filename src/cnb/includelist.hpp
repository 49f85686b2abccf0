// Which variables of the build image reach buildpacks (spec: buildpack.md "Provided by the Platform";
// the list is the reference lifecycle's).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cnb/environment.hpp"

namespace cib::cnb {

// Whether a variable of that name of the lifecycle's own environment is passed on.
bool is_included(std::string_view name);

// The listed ones of "NAME=value" texts, such as Env of the build image's configuration; of several with
// one name the last. Texts without "=" are left out.
Environment included(std::span<const std::string> variables);

}  // namespace cib::cnb
