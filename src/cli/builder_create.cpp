// `builder create`: a builder, and the run image that belongs to it, from a builder.toml.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/error.hpp"
#include "base/file.hpp"
#include "build/create_builder.hpp"
#include "cli/build_options.hpp"
#include "cli/commands.hpp"
#include "cli/destinations.hpp"
#include "cli/parser.hpp"
#include "cli/signals.hpp"
#include "cnb/builder_toml.hpp"
#include "oci/layout.hpp"
#include "oci/reference.hpp"
#include "report/error_text.hpp"
#include "report/log.hpp"

namespace cib::cli {

namespace {

struct Flags {
  std::string config = "builder.toml";
  std::string positional;
  std::string output;
  std::string run_output;
  std::string tag;
  std::string jobs;
  bool fresh = false;
  bool verbose = false;
  bool quiet = false;
  bool no_color = false;
};

std::shared_ptr<CLI::App> make_parser(Flags& flags) {
  auto app = make_app("builder create", "Makes a builder from a definition, as pack reads it, and buildpacks.",
                      {{"a builder in an OCI layout", "--config builder.toml --output oci:builder"},
                       {"a base of Debian packages, with the run image beside it",
                        "--config builders/embedded/builder.toml --output oci:builder --run-output oci:run"}});
  app->add_option("output-image", flags.positional, "the same as --output")->type_name("OUTPUT")->group("Output");
  app->add_option("-c,--config", flags.config, "the builder's definition (builder.toml)")->type_name("FILE")->group("Input");
  app->add_option("-o,--output", flags.output, "where the builder goes: oci:FOLDER or docker-archive:FILE")
      ->type_name("OUTPUT")->group("Output");
  app->add_option("--run-output", flags.run_output,
                  "where the run image of [run.debian] goes; else the builder's place with -run")
      ->type_name("OUTPUT")->group("Output");
  app->add_option("-t,--tag", flags.tag, "the name under which an archive is loaded")->type_name("NAME:TAG")->group("Output");
  app->add_flag("--fresh", flags.fresh, "install Debian packages again, even when the same ones were installed before")
      ->group("Builder");
  app->add_option("-j,--jobs", flags.jobs, "threads to work with")->type_name("N")->group("Builder");
  app->add_flag("-v,--verbose", flags.verbose, "whole digests and details")->group("Log");
  app->add_flag("-q,--quiet", flags.quiet, "only the builder's name and digest")->group("Log");
  app->add_flag("--no-color", flags.no_color, "no colours on a terminal")->group("Log");
  return app;
}

oci::Reference output_reference(std::string_view flag, const std::string& text) {
  const oci::Reference reference = oci::parse_reference(text);
  if (reference.kind == oci::Reference::Kind::registry)
    throw Error(ExitCode::usage, fmt::format("{}: {} is no place that can be written to", flag, text))
        .next("write oci:FOLDER or docker-archive:FILE");
  return reference;
}

// oci:builder → oci:builder-run; docker-archive:builder.tar → docker-archive:builder-run.tar
oci::Reference beside(oci::Reference reference) {
  fs::path name = reference.path.filename();
  if (name.empty()) name = reference.path.parent_path().filename();
  const bool layout = reference.kind == oci::Reference::Kind::layout;
  fs::path folder = reference.path.parent_path();
  if (reference.path.filename().empty()) folder = folder.parent_path();
  reference.path = folder / (layout ? name.string() + "-run" : name.stem().string() + "-run" + name.extension().string());
  reference.text = (layout ? "oci:" : "docker-archive:") + reference.path.string();
  reference.tag.clear();
  return reference;
}

// How another build finds it, wherever that is started.
std::string absolute_name(const oci::Reference& reference) {
  const std::string path = fs::absolute(reference.path).lexically_normal().string();
  return (reference.kind == oci::Reference::Kind::layout ? "oci:" : "docker-archive:") + path;
}

unsigned jobs_of(const std::string& text) {
  if (text.empty()) return usable_cpus();
  unsigned jobs = 0;
  if (text.find_first_not_of("0123456789") == text.npos && text.size() <= 4) jobs = static_cast<unsigned>(std::stoul(text));
  if (jobs < 1 || jobs > 1024)
    throw Error(ExitCode::usage, fmt::format("--jobs: \"{}\" is not a number from 1 to 1024", text))
        .next("leave it out to use every CPU");
  return jobs;
}

}  // namespace

std::string builder_create_help() {
  Flags flags;
  return help_of(*make_parser(flags));
}

int builder_create(const std::vector<std::string>& arguments) {
  Flags flags;
  const auto parser = make_parser(flags);
  parse(*parser, arguments);
  if (!flags.output.empty() && !flags.positional.empty() && flags.output != flags.positional)
    throw Error(ExitCode::usage, fmt::format("two outputs: {} and {}", flags.positional, flags.output))
        .next("name one of them");
  if (flags.output.empty()) flags.output = flags.positional;
  if (flags.output.empty())
    throw Error(ExitCode::usage, "builder create: nothing says where the builder goes").next("add --output oci:FOLDER");
  const oci::Reference output = output_reference("--output", flags.output);
  std::optional<oci::Reference> run_output;
  if (!flags.run_output.empty()) run_output = output_reference("--run-output", flags.run_output);

  build::CreateBuilder request;
  const std::optional<std::string> text =
      fs::is_directory(flags.config) ? std::nullopt : read_file_if_exists(flags.config);
  if (!text)
    throw Error(ExitCode::configuration, fmt::format("builder create: --config: no such file: {}", flags.config))
        .next("name the builder's definition; docs/builder-create.md shows one");
  request.definition = cnb::parse_builder_toml(*text, flags.config);
  request.folder = fs::absolute(flags.config).parent_path();
  request.jobs = jobs_of(flags.jobs);
  if (!request.definition.run_debian && run_output)
    throw Error(ExitCode::usage, "--run-output: the definition describes no run image")
        .why(fmt::format("{} has no table [run.debian]", flags.config))
        .next("leave --run-output out, or describe a run image");
  if (request.definition.run_debian && !run_output) run_output = beside(output);

  Signals signals;
  report::LogOptions options;
  options.level = flags.quiet ? report::Level::quiet : flags.verbose ? report::Level::verbose : report::Level::normal;
  options.colours = report::stderr_takes_colours(flags.no_color);
  report::PlainLog log(options);
  log.title(fmt::format("builder create {}", flags.config));
  try {
    const TempFolder scratch;
    request.scratch = scratch.path();
    const auto add_known = [&](const oci::Reference& place) {
      if (!flags.fresh && place.kind == oci::Reference::Kind::layout && oci::layout_has(place.path, place.tag))
        request.known.push_back(oci::open_layout(place.path, place.tag));
    };
    add_known(output);
    if (run_output) add_known(*run_output);
    const auto builder = open_target(output, flags.tag.empty() ? "builder:latest" : flags.tag);
    std::unique_ptr<oci::ImageTarget> run;
    if (run_output) {
      run = open_target(*run_output, flags.tag.empty() ? "run:latest" : flags.tag + "-run");
      request.run_image_name = absolute_name(*run_output);
    }
    request.builder = builder.get();
    request.run = run.get();
    const build::CreatedBuilder made = build::create_builder(request, log, signals.token());
    log.done();
    fmt::print("{}@{}\n", made.builder.name, made.builder.digest.str());
    return 0;
  } catch (Error& error) {
    const Error reported = signals.as_reported(std::move(error));
    log.on(event::Failed{reported});
    return static_cast<int>(reported.code());
  }
}

}  // namespace cib::cli
