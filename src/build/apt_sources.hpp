// The machine's own apt sources (sources.list(5), one-line and deb822), reduced to what a Debian release needs.
#pragma once

#include <string>
#include <string_view>

#include "base/file.hpp"

namespace cib::build {

// deb822 text with the enabled sources in `folder` (/etc/apt) that offer `main` of the release, its updates or its
// security updates. Debian's public mirror when the machine has none for the release itself.
std::string apt_sources_for(std::string_view release, const fs::path& folder);

// Debian's public mirror: what stands in the images, where the machine's own hosts have no place.
std::string public_apt_sources(std::string_view release);

}  // namespace cib::build
