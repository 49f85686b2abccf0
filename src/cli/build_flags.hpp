// The flags of `build` as they are written: what they are called, what help says about them.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace cib::cli {

// The values as text, before parse_build_options judges them; empty: not given.
struct BuildFlags {
  // input
  std::string path = ".";
  std::vector<std::string> env;
  std::vector<std::string> env_files;
  std::vector<std::string> volumes;
  std::string default_process;
  // builder
  std::string builder;
  std::vector<std::string> buildpacks;
  std::string run_image;
  // output
  std::vector<std::string> outputs;
  std::vector<std::string> tags;
  std::string previous_image;
  std::string creation_time;
  std::string report;
  std::string report_folder;
  // cache
  std::string cache_dir;
  bool clear_cache = false;
  std::string store;
  // sandbox
  std::string network = "host";
  std::string isolation = "auto";
  std::string rootfs = "auto";
  std::string jobs;
  std::string ca_file;
  bool no_host_ca = false;
  // log
  bool verbose = false;
  bool quiet = false;
  bool no_color = false;
};

// A parser that fills `flags`, which must outlive it.
std::shared_ptr<CLI::App> build_parser(BuildFlags& flags);

}  // namespace cib::cli
