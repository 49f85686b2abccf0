#include "launcher/shell.hpp"

#include <string_view>

#include "launcher/file.hpp"

namespace cib::launcher {

namespace {

void add_folder(std::vector<std::string>& profiles, const std::string& folder) {
  for (const std::string& file : list_folder(folder, Listed::files)) profiles.push_back(folder + '/' + file);
}

// A file's name is taken as it is, whatever the shell would make of it.
std::string literal(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '$' || c == '`') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string joined(const std::vector<std::string>& words) {
  std::string result;
  for (const std::string& word : words) {
    if (!result.empty()) result += ' ';
    result += word;
  }
  return result;
}

// Runs the command and its arguments, each expanded by a shell of its own, so that variables that the profile
// scripts set can be used in them, while no expansion is split into words.
std::string expanding(std::size_t args) {
  std::string script = R"~(exec bash -c '"$(eval echo \"$0\")")~";
  for (std::size_t number = 1; number <= args; ++number) {
    script += R"~( "$(eval echo \"${)~" + std::to_string(number) + R"~(}\")")~";
  }
  return script + R"~(' "${@:1}")~";
}

}  // namespace

std::vector<std::string> list_profiles(const std::vector<BuildpackLayers>& buildpacks, const std::string& type,
                                       const std::string& app_dir) {
  std::vector<std::string> profiles;
  for (const BuildpackLayers& layers : buildpacks) {
    for (const std::string& layer : layers) {
      add_folder(profiles, layer + "/profile.d");
      if (!type.empty()) add_folder(profiles, layer + "/profile.d/" + type);
    }
  }
  if (const std::string profile = app_dir + "/.profile"; is_file(profile)) profiles.push_back(profile);
  return profiles;
}

std::vector<std::string> bash_arguments(const Process& process, const std::vector<std::string>& profiles,
                                        const std::string& app_dir, const std::string& self) {
  std::string script;
  for (const std::string& profile : profiles) script += "source " + literal(profile) + '\n';
  // Not literal(): as in the reference, variables in a working directory are expanded in a shell process.
  script += "cd \"" + (process.working_dir.empty() ? app_dir : process.working_dir) + "\"\n";
  // Without arguments the command is a script.
  script += process.args.empty() ? R"~(exec bash -c "$@")~" : expanding(process.args.size());

  std::vector<std::string> arguments = {"bash", "-c", std::move(script), self, joined(process.command)};
  arguments.insert(arguments.end(), process.args.begin(), process.args.end());
  return arguments;
}

}  // namespace cib::launcher
