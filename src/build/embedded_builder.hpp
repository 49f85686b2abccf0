// The builder that is part of the program, made on this machine when it is first asked for.
#pragma once

#include <stop_token>
#include <string_view>

#include "base/event.hpp"
#include "oci/reference.hpp"
#include "store/store.hpp"

namespace cib::build {

// The name under which it is asked for, instead of a reference.
inline constexpr std::string_view embedded_name = "embedded";

struct EmbeddedBuilder {
  oci::Reference builder;
  oci::Reference run;
  bool made = false;  // now, by this call
};

// From <store>/builders/embedded-<hash>, where the hash covers everything that is embedded. When it is not there it is
// made, which takes a minute and needs Debian's package mirror (another program that wants it waits): see
// create_builder(). Packages that an older one was made of are used again; a builder that nobody asked for any more
// since a newer program made its own stays until the store is pruned.
EmbeddedBuilder embedded_builder(const store::Store& store, unsigned jobs, EventSink& events, std::stop_token stop);

}  // namespace cib::build
