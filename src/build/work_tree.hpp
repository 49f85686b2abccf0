// The folders of one build on this machine, as buildpacks see them: /layers, /workspace, /platform, /tmp.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "cnb/environment.hpp"

namespace cib::build {

inline constexpr std::string_view layers_path = "/layers";
inline constexpr std::string_view app_path = "/workspace";
inline constexpr std::string_view platform_path = "/platform";

// Whom files of the build belong to in the image: the CNB user. On this machine they belong to `owner_uid` and
// `owner_gid`, which is the same when we are root and ourselves otherwise.
struct Ids {
  uid_t uid = 0;
  gid_t gid = 0;
};

class WorkTree {
 public:
  // Makes the folders in `root`: layers and workspace 0755 and the CNB user's, platform root's, tmp 1777. As an
  // ordinary user everything is ours.
  WorkTree(const fs::path& root, Ids ids);

  const fs::path& root() const { return m_root; }
  fs::path layers() const { return m_root / "layers"; }
  fs::path app() const { return m_root / "workspace"; }
  fs::path platform() const { return m_root / "platform"; }
  fs::path temporary() const { return m_root / "tmp"; }
  const Ids& ids() const { return m_ids; }

  // Makes a folder of the CNB user, mode 0755, below the work tree; parents must exist. A folder that exists is
  // left alone; anything else with that name is Error(build): a buildpack put it there.
  void make_folder(const fs::path& path) const;
  // Writes a file of the CNB user.
  void write(const fs::path& path, std::string_view text, mode_t mode = 0644) const;
  // Gives a file or folder to the CNB user, without following links.
  void give(const fs::path& path) const;

  // Copies the application: folders, files with their modes and times, links as they are (hard links among files
  // kept), sockets left out. The root folder gets 0755. The source is only read. Returns the number of files.
  // `leave_out`: absolute paths that this build (or an earlier one) makes; they and their half made beginnings are no
  // part of the application, even where they lie in its folder. Throws Error(configuration) when it cannot be read,
  // Error(disk), Error(interrupted).
  std::size_t stage(const fs::path& source, const std::vector<fs::path>& leave_out, std::stop_token stop) const;

  // An ordinary user cannot read what buildpacks left without a mode for it: makes layers and application readable.
  // original_mode() keeps what it was, for the tars. No process of a buildpack may be left.
  void open_up() const;
  mode_t original_mode(const struct stat& info) const;

  // Writes <platform>/env.
  void write_platform_env(const cnb::EnvFiles& env) const;

 private:
  fs::path m_root;
  Ids m_ids;
  std::shared_ptr<std::map<std::pair<dev_t, ino_t>, mode_t>> m_modes =
      std::make_shared<std::map<std::pair<dev_t, ino_t>, mode_t>>();
};

}  // namespace cib::build
