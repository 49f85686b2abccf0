// <layers>/config/metadata.toml: the buildpacks of the image, in the order of the build, and its processes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/api.hpp"

namespace cib::launcher {

struct Buildpack {
  std::string id;
  ApiVersion api;  // one that is supported

  // The buildpack's folder name below the layers: its id with every '/' as '_'.
  std::string folder() const;
};

struct ProcessEntry {
  std::string type;
  std::vector<std::string> command;  // never empty; a string in the file is one element
  std::vector<std::string> args;
  bool direct = false;
  std::string working_dir;   // empty: the application's folder
  std::string buildpack_id;  // empty when the file does not say
};

struct Metadata {
  std::vector<Buildpack> buildpacks;
  std::vector<ProcessEntry> processes;

  // The first process of that type.
  const ProcessEntry* find_process(std::string_view type) const;
  const Buildpack* find_buildpack(std::string_view id) const;
};

// Throws Failure with ExitCode::bug (1) when the file is missing or malformed, and with ExitCode::buildpack_api
// (12) when it names a Buildpack API that is not supported.
Metadata read_metadata(const std::string& path);

}  // namespace cib::launcher
