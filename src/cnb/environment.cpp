#include "cnb/environment.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <span>

#include "base/beneath.hpp"
#include "base/error.hpp"
#include "base/file.hpp"

namespace cib::cnb {
namespace {

struct RootFolder {
  std::string_view name;
  std::array<const char*, 2> build;
  const char* launch;
};

constexpr std::array<RootFolder, 4> root_folders = {{
    {"bin", {"PATH", nullptr}, "PATH"},
    {"lib", {"LD_LIBRARY_PATH", "LIBRARY_PATH"}, "LD_LIBRARY_PATH"},
    {"include", {"CPATH", nullptr}, nullptr},
    {"pkgconfig", {"PKG_CONFIG_PATH", nullptr}, nullptr},
}};

constexpr std::size_t max_env_file = 1u << 20;

bool is_path_list(std::string_view name) {
  return std::ranges::any_of(root_folders, [&](const RootFolder& folder) {
    return std::ranges::any_of(folder.build, [&](const char* variable) { return variable && name == variable; });
  });
}

void check_variable(std::string_view file, std::string_view name, std::string_view value) {
  if (name.find('=') != name.npos)
    throw Error(ExitCode::build, fmt::format("environment file '{}': a variable's name cannot contain '='", file));
  if (value.find('\0') != value.npos)
    throw Error(ExitCode::build, fmt::format("environment file '{}': a variable cannot contain a NUL byte", file));
}

void prepend_path(Environment& env, const std::string& name, std::string path) {
  if (const std::string& old = env.get(name); !old.empty()) path += ':' + old;
  env.set(name, std::move(path));
}

Fd open_base(const fs::path& base) { return open_file(base, O_RDONLY | O_DIRECTORY); }

// Sorted; nothing when the folder does not exist or is none.
std::vector<std::string> names_in(int base, const std::string& folder) {
  std::vector<std::string> names;
  std::optional<Fd> fd = open_beneath(base, folder, O_RDONLY | O_NONBLOCK, ExitCode::build);
  struct stat status {};
  if (!fd || fstat(fd->get(), &status) != 0 || !S_ISDIR(status.st_mode)) return names;
  const int raw = fd->release();
  DIR* stream = fdopendir(raw);
  if (!stream) {
    const int error = errno;
    close(raw);
    throw system_error(error, fmt::format("read {}", folder), ExitCode::build);
  }
  errno = 0;
  while (const dirent* entry = readdir(stream))
    if (const std::string_view name = entry->d_name; name != "." && name != "..") names.emplace_back(name);
  const int error = errno;
  closedir(stream);
  if (error != 0) throw system_error(error, fmt::format("read {}", folder), ExitCode::build);
  std::ranges::sort(names);
  return names;
}

std::string contents(const Fd& fd, const std::string& path) {
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t got = read(fd.get(), buffer.data(), buffer.size());
    if (got == 0) return text;
    if (got < 0) {
      if (errno == EINTR) continue;
      throw system_error(errno, fmt::format("read {}", path), ExitCode::build);
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > max_env_file)
      throw Error(ExitCode::build, fmt::format("environment file '{}' is longer than {} MiB", path, max_env_file >> 20));
  }
}

EnvFiles read_files(int base, const std::string& folder) {
  EnvFiles files;
  for (const std::string& name : names_in(base, folder)) {
    const std::string path = folder + "/" + name;
    // O_NONBLOCK: a pipe must not stop us.
    const std::optional<Fd> fd = open_beneath(base, path, O_RDONLY | O_NONBLOCK, ExitCode::build);
    struct stat status {};
    if (!fd) throw Error(ExitCode::build, fmt::format("environment file '{}' is a link to nothing", path));
    if (fstat(fd->get(), &status) != 0) throw system_error(errno, fmt::format("stat {}", path), ExitCode::build);
    if (S_ISDIR(status.st_mode)) continue;
    if (!S_ISREG(status.st_mode)) throw Error(ExitCode::build, fmt::format("environment file '{}' is no regular file", path));
    files[name] = contents(*fd, path);
  }
  return files;
}

}  // namespace

const std::string& Environment::get(const std::string& name) const {
  static const std::string nothing;
  const auto found = m_variables.find(name);
  return found == m_variables.end() ? nothing : found->second;
}

std::vector<std::string> Environment::strings() const {
  std::vector<std::string> all;
  for (const auto& [name, value] : m_variables) all.push_back(name + "=" + value);
  return all;
}

void apply_env_files(Environment& env, const EnvFiles& files, EnvAction without_suffix) {
  for (const auto& [file, value] : files) {
    const auto dot = file.find('.');
    const std::string name = file.substr(0, dot);
    if (name.empty()) continue;
    std::string_view action = without_suffix == EnvAction::set_default ? "default" : "override";
    if (dot != file.npos) action = std::string_view(file).substr(dot + 1);
    const auto delimited = [&](const std::string& first, const std::string& second, const std::string& old) {
      const auto delim = files.find(name + ".delim");
      return old.empty() || delim == files.end() ? first + second : first + delim->second + second;
    };
    const std::string old = env.get(name);
    std::string result;
    if (action == "override")
      result = value;
    else if (action == "default" && old.empty())
      result = value;
    else if (action == "append")
      result = delimited(old, value, old);
    else if (action == "prepend")
      result = delimited(value, old, old);
    else
      continue;
    check_variable(file, name, result);
    env.set(name, std::move(result));
  }
}

void add_root_folders(Environment& env, std::string_view layer, const std::vector<std::string>& sub_folders, LayerUse use) {
  for (const RootFolder& folder : root_folders) {
    if (std::ranges::find(sub_folders, folder.name) == sub_folders.end()) continue;
    const std::string path = fmt::format("{}/{}", layer, folder.name);
    if (use == LayerUse::launch) {
      if (folder.launch) prepend_path(env, folder.launch, path);
      continue;
    }
    for (const char* variable : folder.build)
      if (variable) prepend_path(env, variable, path);
  }
}

void apply_build_layer(Environment& env, const fs::path& base, const std::string& layer, std::string_view seen_as) {
  const Fd fd = open_base(base);
  add_root_folders(env, seen_as, names_in(fd.get(), layer), LayerUse::build);
  apply_env_files(env, read_files(fd.get(), layer + "/env"), EnvAction::set_always);
  apply_env_files(env, read_files(fd.get(), layer + "/env.build"), EnvAction::set_always);
}

void apply_env_folder(Environment& env, const fs::path& base, const fs::path& folder, EnvAction without_suffix) {
  apply_env_files(env, read_env_folder(base, folder), without_suffix);
}

EnvFiles read_env_folder(const fs::path& base, const fs::path& folder) {
  return read_files(open_base(base).get(), folder.string());
}

Environment with_overrides(const Environment& env, const EnvFiles& platform_env, const EnvFiles& build_config, bool clear_env) {
  Environment result = env;
  if (!clear_env) {
    for (const auto& [name, value] : platform_env) {
      check_variable(name, name, value);
      if (is_path_list(name))
        prepend_path(result, name, value);
      else
        result.set(name, value);
    }
  }
  apply_env_files(result, build_config, EnvAction::set_default);
  return result;
}

}  // namespace cib::cnb
