#include "cli/build_flags.hpp"

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/parser.hpp"

namespace cib::cli {

std::shared_ptr<CLI::App> build_parser(BuildFlags& flags) {
  auto app = make_app(
      "build",
      "Makes a container image from the source code in a folder with Cloud Native Buildpacks.\n"
      "Standard output gets the name and digest of the image, everything else goes to standard error.",
      {{"the current folder, with the embedded builder", ""},
       {"another folder into an OCI layout, with another builder", "app --builder oci:builder --output oci:image"},
       {"an archive for \"docker load\", with a name", "-B oci:builder -o docker-archive:app.tar -t demo/app:1.2"},
       {"another folder, with a setting for its buildpacks",
        "-p app -B oci:builder -e BP_CPYTHON_VERSION=3.12 -o oci:image"},
       {"these buildpacks and no others",
        "-b paketo-buildpacks/python,paketo-buildpacks/procfile -B oci:builder"},
       {"in CI: silent unless it fails, with a report for programs",
        "-q -B oci:builder -o oci:image --report build.json"}});
  app->add_option("-p,--path,PATH", flags.path, "the source code; never written to (default: the current folder)")
      ->type_name("DIR")->group("Input");
  app->add_option("-e,--env", flags.env,
                  "a variable for the buildpacks, may be repeated; NAME alone takes it from this environment")
      ->type_name("NAME[=VALUE]")->group("Input");
  app->add_option("--env-file", flags.env_files,
                  "a file with one NAME=VALUE or NAME a line, may be repeated; --env wins over it")
      ->type_name("FILE")->group("Input");
  app->add_option("--volume", flags.volumes,
                  "a file or folder that the buildpacks see at TARGET, read-only unless it ends with :rw; may be "
                  "repeated")
      ->type_name("HOST:TARGET[:ro|rw]")->group("Input");
  app->add_option("-D,--default-process", flags.default_process,
                  "the process that the image starts (default: as the buildpacks say)")
      ->type_name("TYPE")->group("Input");

  app->add_option("-B,--builder", flags.builder,
                  "the builder: an OCI layout oci:DIR, an archive docker-archive:FILE, or \"embedded\" (default)")
      ->type_name("IMAGE")->group("Builder");
  app->add_option("-b,--buildpack", flags.buildpacks,
                  "a buildpack to use instead of the builder's order; several with commas, or repeated: id, id@version, "
                  "a folder or an archive of one")
      ->type_name("NAME[,NAME]")->group("Builder");
  app->add_option("--run-image", flags.run_image, "the image to put the layers on (default: the builder's)")
      ->type_name("IMAGE")->group("Builder");

  app->add_option("-o,--output", flags.outputs,
                  "where the image goes: oci:DIR or docker-archive:FILE; may be repeated (default: a layout in the "
                  "store)")
      ->type_name("KIND:PATH")->group("Output");
  app->add_option("-t,--tag", flags.tags, "a name under which an archive is loaded; may be repeated")
      ->type_name("NAME[:TAG]")->group("Output");
  app->add_option("--previous-image", flags.previous_image,
                  "the image whose layers may be reused (default: what stands at the first output)")
      ->type_name("IMAGE")->group("Output");
  app->add_option("--creation-time", flags.creation_time,
                  "\"now\" or seconds since 1970 (default: SOURCE_DATE_EPOCH, else 1980-01-01, so that the same input "
                  "makes the same image)")
      ->type_name("TIME")->group("Output");
  app->add_option("--report-output-dir", flags.report_folder,
                  "write report.toml there, as the lifecycle does: names and digest of the image")
      ->type_name("DIR")->group("Output");
  app->add_option("--report", flags.report, "write what happened as JSON (docs/report.md)")
      ->type_name("FILE")->group("Output");

  app->add_option("--cache-dir", flags.cache_dir,
                  "where buildpacks' layers are kept between builds (default: in the store)")
      ->type_name("DIR")->group("Cache");
  app->add_flag("--clear-cache", flags.clear_cache, "build as if nothing had been kept")
      ->group("Cache");
  app->add_option("--store", flags.store,
                  "unpacked layers of builders (default: $CI_IMAGE_BUILDER_STORE, else ci-image-builder in "
                  "$XDG_CACHE_HOME, ~/.cache or /var/cache)")
      ->type_name("DIR")->group("Cache");

  app->add_option("--network", flags.network, "host: what this machine reaches (default); none: nothing")
      ->type_name("host|none")->group("Sandbox");
  app->add_option("--isolation", flags.isolation,
                  "how buildpacks are shut in (default: auto, the first that works here)")
      ->type_name("auto|namespaces|rootless")->group("Sandbox");
  app->add_option("--rootfs", flags.rootfs,
                  "how the builder's layers become one file system (default: auto, overlay where it works)")
      ->type_name("auto|overlay|flat")->group("Sandbox");
  app->add_option("-j,--jobs", flags.jobs, "how much is done at once, 1 to 1024 (default: the CPUs of this process)")
      ->type_name("N")->group("Sandbox");
  app->add_option("--ca-file", flags.ca_file, "certificates (PEM) that buildpacks trust as well")
      ->type_name("FILE")->group("Sandbox");
  app->add_flag("--no-host-ca", flags.no_host_ca, "do not give this machine's certificates to the buildpacks")
      ->group("Sandbox");

  app->add_flag("-v,--verbose", flags.verbose, "whole digests and names, details, every verdict of detection")
      ->group("Log");
  app->add_flag("-q,--quiet", flags.quiet, "failures only, never shortened")
      ->group("Log");
  app->add_flag("--no-color", flags.no_color, "no colours, also without NO_COLOR and on a terminal")
      ->group("Log");
  return app;
}

std::string build_help() {
  BuildFlags flags;
  return help_of(*build_parser(flags));
}

}  // namespace cib::cli
