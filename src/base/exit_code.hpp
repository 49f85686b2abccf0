// The exit codes of every command: a contract with pipelines, documented in docs/exit-codes.md.
// Phase codes are those of the Cloud Native Buildpacks lifecycle; the others follow sysexits(3).
#pragma once

namespace cib {

enum class ExitCode : int {
  ok = 0,
  bug = 1,                    // a fault of ours
  usage = 2,                  // the command line is wrong
  lifecycle_arguments = 3,    // arguments that the lifecycle rejects
  platform_api = 11,          // incompatible Platform API
  buildpack_api = 12,         // incompatible Buildpack API
  not_detected = 20,          // no group passed, every buildpack opted out
  detect_errored = 21,        // no group passed and at least one buildpack broke
  detect = 22,                // detection could not be carried out
  analyze = 32,
  restore = 42,
  buildpack_failed = 51,      // a bin/build exited with something else than 0
  build = 52,                 // what a buildpack left behind is malformed
  export_image = 62,
  rebase = 72,
  launch = 82,
  disk = 74,                  // no space, or the disk cannot be written
  unavailable = 75,           // registry or network: the same command may succeed later
  permission = 77,            // authentication or permission
  configuration = 78,         // a file or reference of the user is wrong
  interrupted = 130,          // SIGINT
  terminated = 143,           // SIGTERM
};

}  // namespace cib
