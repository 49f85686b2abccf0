// The ids of a user namespace: the CNB user inside is the user who runs this program outside, so that what buildpacks
// write belongs to that user. The other ids exist only where the machine grants subordinate ids.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cib::sandbox {

struct IdRange {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool operator==(const IdRange&) const = default;
};

// One line of a uid_map or gid_map.
struct IdMapping {
  std::uint32_t inside = 0;
  std::uint32_t outside = 0;
  std::uint32_t count = 0;
  bool operator==(const IdMapping&) const = default;
};

// The largest range that the text of /etc/subuid or /etc/subgid grants to a user, named by name or by id.
std::optional<IdRange> subordinate_range(std::string_view text, std::string_view user_name, uid_t user_id);

// `inside` becomes `outside`; with a range, its ids are the ids 0, 1, 2, … around it.
std::vector<IdMapping> id_map(std::uint32_t inside, std::uint32_t outside, std::optional<IdRange> around);

// Puts the calling process (single-threaded) into a new user namespace in which it has every capability and is
// `uid`:`gid`. With `subordinate_ids` the maps are written by newuidmap and newgidmap, else the one id is mapped and
// setgroups is denied. Throws Error, whose message names the step that failed.
void enter_user_namespace(uid_t uid, gid_t gid, bool subordinate_ids);

}  // namespace cib::sandbox
