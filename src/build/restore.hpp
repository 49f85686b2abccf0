// The restore phase (spec: platform.md "restorer"): metadata, stores, SBOM files and the contents of cached layers come
// back into the layers folder.
#pragma once

#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <utility>

#include "base/event.hpp"
#include "build/analyze.hpp"
#include "build/cache_store.hpp"
#include "build/work_tree.hpp"
#include "cnb/plan.hpp"
#include "store/tree_state.hpp"

namespace cib::build {

// The contents of a layer as they came back: as long as nothing in it changes, its diffID needs no second look.
struct RestoredTree {
  oci::Digest diff_id;
  store::TreeState state;
};

struct Restored {
  std::map<std::pair<std::string, std::string>, RestoredTree> trees;  // by buildpack id and layer
  std::set<oci::Digest> verified;  // layers of the cache whose contents were read and held
};

// What cannot be restored is a miss: it is said, and its buildpack makes the layer again.
Restored restore(const cnb::DetectedGroup& group, const Previous& previous, CacheStore& cache, const WorkTree& tree,
                 unsigned jobs, EventSink& events, std::stop_token stop);

}  // namespace cib::build
