#include "build/debian_base.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <map>
#include <set>

#include "base/error.hpp"
#include "build/apt_sources.hpp"
#include "build/child_process.hpp"
#include "build/system_layer.hpp"

namespace cib::build {

namespace {

constexpr std::string_view layout_version = "2";  // of the layers: raised when the same request gives other bytes

bool consists_of(std::string_view text, std::string_view more) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.find(c) != std::string_view::npos;
  });
}

// The texts become parts of shell scripts and of apt's command line.
void check(const DebianRequest& request) {
  const auto refuse = [](std::string_view what, std::string_view text) {
    throw Error(ExitCode::configuration, fmt::format("\"{}\" is no {}", text, what));
  };
  if (!consists_of(request.release, "")) refuse("Debian release", request.release);
  for (const auto* list : {&request.packages, &request.build_packages})
    for (const std::string& package : *list)
      if (!consists_of(package, "+-.") || package[0] == '-' || package[0] == '+' || package[0] == '.')
        refuse("Debian package", package);
  for (const DebianUser& user : request.users)
    if (!consists_of(user.name, "_-") || user.name[0] == '-') refuse("user name", user.name);
}

// No documentation and translations, which only people at a terminal read (copyright files stay); no large tools and
// libraries that nothing needs to build a program with a shared Python.
std::vector<std::string> dpkg_options() {
  std::vector<std::string> options = {"--dpkgopt=force-unsafe-io"};
  for (const char* path : {"/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*",
                           "/usr/share/lintian/*", "/usr/share/bug/*",
                           "/usr/bin/*lto-dump*", "/usr/lib/python3*/config-*/libpython*.a"})
    options.push_back(fmt::format("--dpkgopt=path-exclude={}", path));
  options.push_back("--dpkgopt=path-include=/usr/share/doc/*/copyright");
  return options;
}

// What the machine's apt is told about proxies, authorities, credentials and time. mmdebstrap's apt looks for its
// configuration in the new root and would not find it.
struct AptSettings {
  std::vector<std::string> options;
  std::map<std::string, std::string> variables;
};

// Nothing else of our environment may reach the programs of the packages: what they leave behind (Python's bytecode)
// would depend on it.
std::map<std::string, std::string> clean_environment() {
  std::map<std::string, std::string> variables = {
      {"LC_ALL", "C.UTF-8"}, {"HOME", "/root"}, {"PYTHONHASHSEED", "0"}, {"PYTHONDONTWRITEBYTECODE", "1"}};
  const char* path = std::getenv("PATH");
  variables["PATH"] = fmt::format("{}{}/usr/sbin:/usr/bin:/sbin:/bin", path ? path : "", path ? ":" : "");
  for (const char* name : {"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "APT_CONFIG"})
    if (const char* value = std::getenv(name)) variables[name] = value;
  return variables;
}

AptSettings apt_settings(std::stop_token stop) {
  AptSettings settings;
  const auto program = find_program("apt-config");
  if (!program) return settings;
  const auto take = [&](std::string_view line) {
    if (!line.ends_with("\";")) return;
    const std::size_t quote = line.find(" \"");
    if (quote == std::string_view::npos) return;
    const std::string_view name = line.substr(0, quote);
    const std::string_view value = line.substr(quote + 2, line.size() - quote - 4);
    if (value.empty() || name.find("::Proxy-Auto-Detect") != std::string_view::npos) return;
    // Proxies may carry a password: not on a command line.
    if (name == "Acquire::http::Proxy") settings.variables["http_proxy"] = value;
    else if (name == "Acquire::https::Proxy") settings.variables["https_proxy"] = value;
    else if (name.starts_with("Acquire::Check-") || name == "Acquire::Retries" ||
             (name.starts_with("Acquire::http") && name.find("roxy") == std::string_view::npos))
      settings.options.push_back(fmt::format("--aptopt={} \"{}\"", name, value));
  };
  run_program({program->string(), "dump"}, clean_environment(), take, stop);
  if (::access("/etc/apt/auth.conf", R_OK) == 0)
    settings.options.push_back("--aptopt=Dir::Etc::netrc \"/etc/apt/auth.conf\"");
  if (exists_no_follow("/etc/apt/auth.conf.d"))
    settings.options.push_back("--aptopt=Dir::Etc::netrcparts \"/etc/apt/auth.conf.d\"");
  return settings;
}

// Shell, run by mmdebstrap with the root as $1, once before the base is taken.
std::string user_hook(const DebianRequest& request) {
  std::string script = "set -eu\n";
  std::set<unsigned> groups;
  for (const DebianUser& user : request.users) {
    if (groups.insert(user.gid).second)
      script += fmt::format("echo '{0}:x:{1}:' >>\"$1/etc/group\"\n", user.name, user.gid);
    script += fmt::format(
        "echo '{0}:*:{1}:{2}::/home/{0}:/bin/bash' >>\"$1/etc/passwd\"\n"
        "mkdir -m 0755 \"$1/home/{0}\"\nchown {1}:{2} \"$1/home/{0}\"\n",
        user.name, user.uid, user.gid);
  }
  return script;
}

// The day on which a password was last changed is the day of the installation.
constexpr std::string_view forget_day = "[ ! -f \"$1/etc/shadow\" ] || sed -i 's/^\\([^:]*:[^:]*:\\)[0-9]*:/\\13652:/' \"$1/etc/shadow\"\n";

// The root as it is now, without what mmdebstrap put there to keep services from being started.
constexpr std::string_view base_in_root = "cib-base.tar";
constexpr std::string_view take_base =
    "tar -C \"$1\" --one-file-system --numeric-owner --sort=name --exclude=./cib-base.tar "
    "--exclude=./usr/sbin/policy-rc.d --exclude=./usr/sbin/start-stop-daemon "
    "--transform='s,^./usr/sbin/start-stop-daemon.REAL$,./usr/sbin/start-stop-daemon,' -cf \"$1/cib-base.tar\" .\n";

std::vector<std::string> hooks(const DebianRequest& request, const fs::path& base) {
  std::vector<std::string> list = {user_hook(request) + std::string(forget_day)};
  if (!request.build_packages.empty()) {
    list.emplace_back(take_base);
    list.push_back(fmt::format("download /{} '{}'", base_in_root, base.string()));
    list.push_back(fmt::format("rm \"$1/{}\"", base_in_root));
    list.push_back(fmt::format(
        "set -eu\n"
        "echo 'I: installing the packages of the build image...'\n"
        "APT_CONFIG=\"$MMDEBSTRAP_APT_CONFIG\" apt-get --yes --quiet -oDPkg::Chroot-Directory=\"$1\" "
        "install {}\n{}",
        fmt::join(request.build_packages, " "), forget_day));
  }
  for (std::string& hook : list) hook.insert(0, "--customize-hook=");
  // A name that apt does not know is better found before the essential packages are installed.
  if (!request.packages.empty() || !request.build_packages.empty())
    list.push_back(fmt::format(
        "--extract-hook=APT_CONFIG=\"$MMDEBSTRAP_APT_CONFIG\" apt-get --yes --quiet --simulate install {} {}",
        fmt::join(request.packages, " "), fmt::join(request.build_packages, " ")));
  return list;
}

// What mmdebstrap says, for people; and why it failed.
class Listener {
 public:
  explicit Listener(const std::function<void(std::string_view)>& say) : m_say(say) {}

  void line(std::string_view text) {
    m_last.emplace_back(text);
    if (m_last.size() > 20) m_last.pop_front();
    // Lines about steps end with an ellipsis; others are about mmdebstrap itself.
    if (text.starts_with("I: ") && text.ends_with("...") && text.find("tempdir") == std::string_view::npos &&
        text.find("signed-by") == std::string_view::npos &&
        text.find("received signal") == std::string_view::npos)
      m_say(text.substr(3, text.size() - 6));
    else if (text.starts_with("Need to get "))
      m_say(text);
    if (text.find("Unable to locate package ") != std::string_view::npos ||
        text.find("has no installation candidate") != std::string_view::npos)
      m_unknown = text;
    for (const char* sign : {"Failed to fetch", "Could not resolve", "Temporary failure", "onnection"})
      m_network |= text.find(sign) != std::string_view::npos;
  }

  Error failure() const {
    std::string output;
    for (const std::string& text : m_last) output += text + "\n";
    if (!m_unknown.empty())
      return Error(ExitCode::configuration, "the base cannot be made of these Debian packages").why(m_unknown).output(output);
    if (m_network)
      return Error(ExitCode::unavailable, "the Debian packages of the base could not be fetched")
          .next("check that `apt-get update` works on this machine")
          .output(output);
    return Error(ExitCode::configuration, "mmdebstrap could not make the base").output(output);
  }

 private:
  const std::function<void(std::string_view)>& m_say;
  std::deque<std::string> m_last;
  std::string m_unknown;
  bool m_network = false;
};

// `file` becomes the tar of its layer; the index is given back for the layer above.
SystemIndex rewrite(const fs::path& file, const SystemIndex* below, const SystemRules& rules,
                    std::string* os_release = nullptr) {
  SystemIndex index;
  {
    FileSource tar(file);
    index = index_system(tar, rules, os_release);
  }
  const fs::path layer = file.string() + ".layer";
  {
    FileSource tar(file);
    const Fd output = open_file(layer, O_WRONLY | O_CREAT | O_TRUNC);
    FdSink sink(output.get(), layer);
    write_system_layer(tar, index, below, rules, sink);
  }
  fs::rename(layer, file);
  return index;
}

}  // namespace

std::string fingerprint(const DebianRequest& request) {
  std::string users;
  for (const DebianUser& user : request.users) users += fmt::format("{}:{}:{} ", user.name, user.uid, user.gid);
  return fmt::format("{} {}|{}|{}|{}", layout_version, request.release, fmt::join(request.packages, " "),
                     fmt::join(request.build_packages, " "), users);
}

DebianLayers make_debian_layers(const DebianRequest& request, const fs::path& scratch,
                                const std::function<void(std::string_view)>& say, std::stop_token stop) {
  check(request);
  const auto program = find_program("mmdebstrap");
  if (!program)
    throw Error(ExitCode::configuration, "a base of Debian packages needs the program mmdebstrap")
        .next("apt-get install mmdebstrap");

  const fs::path sources = scratch / "debian.sources";
  write_file(sources, apt_sources_for(request.release, "/etc/apt"), 0600);
  const AptSettings settings = apt_settings(stop);
  // Times are compared in whole seconds: what is made in this very second is not older.
  const SystemRules rules{.installed_at = static_cast<std::int64_t>(std::time(nullptr)) - 1, .extra = {}};

  DebianLayers layers{.base = scratch / "base.tar", .build = {}};
  fs::path whole = layers.base;
  if (!request.build_packages.empty()) whole = layers.build = scratch / "build.tar";

  std::vector<std::string> argv;
  // As root it mounts /proc, /sys and /dev/shm into the new root. In namespaces of its own those mounts, and whatever it
  // started, go with it, however it or we come to an end. (An ordinary user's mmdebstrap does that by itself.)
  const auto setpriv = find_program("setpriv"), unshare = find_program("unshare");
  if (setpriv && unshare && ::geteuid() == 0)
    argv = {setpriv->string(), "--pdeathsig", "KILL", unshare->string(), "--mount", "--pid", "--fork", "--kill-child",
            "--mount-proc"};
  argv.insert(argv.end(), {program->string(), "--variant=essential", "--format=tar"});
  std::vector<std::string> packages = request.packages;
  if (!packages.empty()) argv.push_back(fmt::format("--include={}", fmt::join(packages, ",")));
  for (const auto& more : {dpkg_options(), settings.options, hooks(request, layers.base)})
    argv.insert(argv.end(), more.begin(), more.end());
  argv.insert(argv.end(), {request.release, whole.string(), sources.string()});

  std::map<std::string, std::string> variables = clean_environment();
  for (const auto& [name, value] : settings.variables) variables[name] = value;
  variables["DEBIAN_FRONTEND"] = "noninteractive";
  // An ordinary user's mmdebstrap works as other users, who cannot get into a folder that is ours alone.
  if (::geteuid() == 0) variables["TMPDIR"] = scratch.string();
  Listener listener(say);
  if (run_program(argv, variables, [&](std::string_view text) { listener.line(text); }, stop) != 0)
    throw listener.failure();

  SystemRules with_sources = rules;
  with_sources.extra["etc/apt/sources.list.d/debian.sources"] = public_apt_sources(request.release);
  if (request.build_packages.empty()) {
    rewrite(layers.base, nullptr, with_sources, &layers.os_release);
  } else {
    const SystemIndex base = rewrite(layers.base, nullptr, rules, &layers.os_release);
    rewrite(layers.build, &base, with_sources);
  }
  return layers;
}

}  // namespace cib::build
