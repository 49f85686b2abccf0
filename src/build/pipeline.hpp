// One build from beginning to end: fetch → analyze → detect → restore → build → export → publish → cache.
#pragma once

#include <stop_token>
#include <vector>

#include "base/event.hpp"
#include "build/export.hpp"
#include "build/request.hpp"

namespace cib::build {

// Emits events all along; the caller reports the Error that ends it. Nothing is left behind but what the store and the
// cache keep; on a failure no output stands under its final name.
std::vector<ExportedImage> run_build(BuildRequest request, EventSink& events, std::stop_token stop);

}  // namespace cib::build
