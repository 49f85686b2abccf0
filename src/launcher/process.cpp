#include "launcher/process.hpp"

#include "launcher/failure.hpp"

namespace cib::launcher {

namespace {

void append(std::vector<std::string>& to, const std::vector<std::string>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

Process process_of_type(const Metadata& metadata, ApiVersion platform, const ProcessEntry& entry,
                        const std::vector<std::string>& user_args) {
  Process process{entry.type, entry.command, entry.args, entry.direct, entry.working_dir};
  if (!knows_overridable_arguments(platform)) {
    append(process.args, user_args);
    return process;
  }
  if (entry.command.size() > 1) {
    process.command.resize(1);
    process.args.assign(entry.command.begin() + 1, entry.command.end());
    append(process.args, user_args.empty() ? entry.args : user_args);
    return process;
  }
  if (user_args.empty()) return process;
  const Buildpack* owner = metadata.find_buildpack(entry.buildpack_id);
  if (owner != nullptr && !arguments_are_defaults(owner->api)) {
    append(process.args, user_args);
  } else {
    process.args = user_args;
  }
  return process;
}

}  // namespace

std::string_view base_name(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path.substr(path.rfind('/') + 1);
}

Process select_process(const Metadata& metadata, ApiVersion platform, std::string_view self,
                       const std::vector<std::string>& user_args) {
  const std::string_view type = base_name(self);
  // The type becomes a folder's name (env.launch/<type>); these would name other folders.
  if (!type.empty() && type != "." && type != "..") {
    if (const ProcessEntry* entry = metadata.find_process(type)) {
      return process_of_type(metadata, platform, *entry, user_args);
    }
  }
  if (user_args.empty()) throw launch_failure("when there is no default process a command is required");
  Process process;
  // "--" alone is a command for the shell, which explains what is wrong with it.
  process.direct = user_args.size() > 1 && user_args[0] == "--";
  const auto command = user_args.begin() + (process.direct ? 1 : 0);
  process.command = {*command};
  process.args.assign(command + 1, user_args.end());
  return process;
}

}  // namespace cib::launcher
