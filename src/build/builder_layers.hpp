// The tars of the layers that make a base image a builder (platform spec "Build Image"; order and contents as pack
// writes them). Everything is root's and has the fixed time of layers; equal inputs give equal bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/stream.hpp"
#include "cnb/buildpack.hpp"
#include "cnb/builder.hpp"
#include "cnb/builder_toml.hpp"

namespace cib::build {

// /workspace and /layers, which are the build user's, and the folders that the other layers fill.
void write_folders_layer(Sink& sink, std::uint32_t uid, std::uint32_t gid);

// /cnb/buildpacks/<id>/<version> from a folder: bits for group and others follow the owner's, whatever the checkout's
// umask was. Throws Error(configuration) for a socket, device or pipe in it.
void write_buildpack_layer(Sink& sink, const cnb::Buildpack& buildpack, const fs::path& folder);

// /cnb/lifecycle: the launcher, and which API versions it knows (`toml`). `folder`, when not empty, is a released
// lifecycle's; what it has beside them comes along.
void write_lifecycle_layer(Sink& sink, std::string_view launcher, std::string_view toml, const fs::path& folder);

// One file below /cnb.
void write_file_layer(Sink& sink, const std::string& name, std::string_view text);

// /cnb/build-config/env, with one file a variable and one for its delimiter.
void write_build_config_layer(Sink& sink, const std::vector<cnb::BuilderToml::Variable>& variables);

std::string lifecycle_toml(std::string_view version, const cnb::ApiVersions& buildpack, const cnb::ApiVersions& platform);
std::string run_toml(const std::vector<cnb::RunImage>& images);
std::string stack_toml(const cnb::RunImage& image);
std::string system_toml(const cnb::Group& pre, const cnb::Group& post);

}  // namespace cib::build
