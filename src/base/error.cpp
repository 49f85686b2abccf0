#include "base/error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace cib {

std::string_view category_name(Category category) {
  switch (category) {
    case Category::bug: return "bug";
    case Category::usage: return "usage";
    case Category::configuration: return "configuration";
    case Category::detect: return "detect";
    case Category::user_build: return "user build";
    case Category::lifecycle: return "buildpack contract";
    case Category::unavailable: return "registry or network";
    case Category::permission: return "authentication or permission";
    case Category::disk: return "disk";
    case Category::cancelled: return "cancelled";
  }
  return "bug";
}

Category category_of(ExitCode code) {
  switch (code) {
    case ExitCode::ok:
    case ExitCode::bug: return Category::bug;
    case ExitCode::usage:
    case ExitCode::lifecycle_arguments: return Category::usage;
    case ExitCode::not_detected:
    case ExitCode::detect_errored: return Category::detect;
    case ExitCode::buildpack_failed: return Category::user_build;
    case ExitCode::platform_api:
    case ExitCode::buildpack_api:
    case ExitCode::detect:
    case ExitCode::analyze:
    case ExitCode::restore:
    case ExitCode::build:
    case ExitCode::export_image:
    case ExitCode::rebase:
    case ExitCode::launch: return Category::lifecycle;
    case ExitCode::disk: return Category::disk;
    case ExitCode::unavailable: return Category::unavailable;
    case ExitCode::permission: return Category::permission;
    case ExitCode::configuration: return Category::configuration;
    case ExitCode::interrupted:
    case ExitCode::terminated: return Category::cancelled;
  }
  return Category::bug;
}

Error::Error(ExitCode code, std::string message) : m_code(code), m_message(std::move(message)) {}

Error& Error::why(std::string text) & {
  m_why = std::move(text);
  return *this;
}
Error&& Error::why(std::string text) && { return std::move(why(std::move(text))); }

Error& Error::next(std::string text) & {
  m_next = std::move(text);
  return *this;
}
Error&& Error::next(std::string text) && { return std::move(next(std::move(text))); }

Error& Error::within(std::string_view text) & {
  m_message = fmt::format("{}: {}", text, m_message);
  return *this;
}
Error&& Error::within(std::string_view text) && { return std::move(within(text)); }

Error& Error::output(std::string text) & {
  m_output = std::move(text);
  return *this;
}
Error&& Error::output(std::string text) && { return std::move(output(std::move(text))); }

Error system_error(int error_number, std::string_view what, ExitCode otherwise) {
  ExitCode code = otherwise;
  std::string next;
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      code = ExitCode::disk;
      next = "free some space, or name another disk with --store";
      break;
    case EIO:
    case EROFS:
      code = ExitCode::disk;
      next = "check the disk, or name another one with --store";
      break;
    case EACCES:
    case EPERM:
      code = ExitCode::permission;
      next = "check who owns it, and as which user this program runs";
      break;
    default: break;
  }
  Error error(code, fmt::format("{}: {}", what, std::strerror(error_number)));
  if (!next.empty()) error.next(std::move(next));
  return error;
}

Error error_of(const std::exception& exception) {
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&exception))
    return system_error(file->code().value(), file->path1().empty() ? file->what() : file->path1().string());
  return Error(ExitCode::bug, exception.what());
}

}  // namespace cib
