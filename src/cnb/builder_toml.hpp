// builder.toml: what a builder is made of, as `pack builder create` reads it.
//
//   description = "…"
//   [[buildpacks]]                  uri or image; id and version, when given, must be those of the buildpack
//   [[order]] [[order.group]]       id, version, optional
//   [build] image                   [[build.env]] name, value, suffix, delim
//   [[run.images]] image, mirrors
//   [stack] id, build-image, run-image, run-image-mirrors     the older way to say build.image and run.images
//   [lifecycle] version | uri
//   [[system.pre.buildpacks]] [[system.post.buildpacks]]      id, version, optional
//   [[targets]] os, arch, variant, distros
//
// Tables of our own:
//
//   [build.debian] and [run.debian]    instead of build.image, and of run.images: the base is made with mmdebstrap
//   suite = "bookworm"                 the release
//   packages = ["git", "ca-certificates"]    besides what mmdebstrap's minimal variant holds
//
//   [lifecycle] launcher = "path"      the launcher to put at /cnb/lifecycle/launcher, beside or instead of a uri
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cnb/builder.hpp"
#include "cnb/order.hpp"
#include "cnb/target.hpp"

namespace cib::cnb {

struct BuilderToml {
  struct Module {
    std::string id;       // may be empty
    std::string version;  // may be empty
    std::string uri;      // as written: relative paths are relative to the file; or an image reference in `image`
    std::string image;
  };
  struct Variable {
    std::string name;
    std::string value;
    std::string suffix;  // empty, "append", "default", "override", "prepend"
    std::string delim;
  };
  struct Debian {
    std::string suite;
    std::vector<std::string> packages;
  };

  std::string description;
  std::vector<Module> buildpacks;
  Order order;
  Group system_pre;
  Group system_post;
  std::string build_image;              // exactly one of build_image and build_debian is there
  std::optional<Debian> build_debian;
  std::vector<Variable> build_env;
  std::vector<RunImage> run_images;     // not empty, or run_debian is there
  std::optional<Debian> run_debian;
  std::string stack_id;                 // may be empty
  std::string lifecycle_version;        // at most one of version and uri
  std::string lifecycle_uri;
  std::string launcher;
  std::vector<Target> targets;
};

// Strict: what is no TOML, an unknown key, a wrong type, a missing or contradictory value is Error(configuration)
// with file, line and column, and "did you mean" where a known key is near. [[extensions]] and [[order-extensions]]
// are refused: image extensions are not supported.
BuilderToml parse_builder_toml(std::string_view text, std::string_view file);

}  // namespace cib::cnb
