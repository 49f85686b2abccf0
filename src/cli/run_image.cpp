// `run`: starts a process of an image in the sandbox, to see that it works; no engine is needed.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "base/error.hpp"
#include "base/suggest.hpp"
#include "base/tasks.hpp"
#include "cli/build_options.hpp"
#include "cli/commands.hpp"
#include "cli/destinations.hpp"
#include "cli/parser.hpp"
#include "cli/signals.hpp"
#include "report/error_text.hpp"
#include "sandbox/namespaces.hpp"
#include "store/layer_store.hpp"

namespace cib::cli {

namespace {

struct RunFlags {
  std::string image;
  std::vector<std::string> arguments;
  std::string process;
  std::string entrypoint;
  std::vector<std::string> env;
  std::string network = "host";
  std::string store;
};

std::shared_ptr<CLI::App> make_parser(RunFlags& flags) {
  auto app = make_app("run", "Starts a process of an image in the sandbox, until it ends or this program is stopped.",
                      {{"the default process", "oci:image --env PORT=8000"},
                       {"another one", "oci:image --process worker"},
                       {"a command instead", "oci:image --entrypoint /cnb/lifecycle/launcher -- python -V"}});
  app->add_option("image", flags.image, "oci:FOLDER or docker-archive:FILE")->type_name("IMAGE")->group("Input");
  app->add_option("arguments", flags.arguments, "for the process, instead of the image's own (put -- in front)")
      ->type_name("ARGUMENTS")->group("Input");
  app->add_option("-p,--process", flags.process, "a type of process that buildpacks declared: web, worker")
      ->type_name("TYPE")->group("Input");
  app->add_option("--entrypoint", flags.entrypoint, "a program of the image instead of its entrypoint")
      ->type_name("PATH")->group("Input");
  app->add_option("-e,--env", flags.env, "a variable of the process")->type_name("NAME=VALUE")->group("Input");
  app->add_option("--network", flags.network, "host: that of this machine; none")->type_name("KIND")->group("Sandbox");
  app->add_option("--store", flags.store, "where unpacked layers are kept")->type_name("FOLDER")->group("Sandbox");
  return app;
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(by);
    parts.push_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A line of /etc/passwd or /etc/group whose field `at` is `text`.
std::optional<std::vector<std::string>> account(const store::Rootfs& root, const std::string& file, std::size_t at,
                                                std::string_view text) {
  const auto place = root.locate(file);
  if (!place || !fs::is_regular_file(fs::symlink_status(*place))) return std::nullopt;
  const std::string all = read_file(*place, 4u << 20);
  for (const std::string_view line : split(all, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() > at && fields.size() >= 3 && fields[at] == text)
      return std::vector<std::string>(fields.begin(), fields.end());
  }
  return std::nullopt;
}

struct User {
  unsigned uid = 0;
  unsigned gid = 0;
  std::string home = "/";
};

// "", "name", "uid", "name:group", "uid:gid" of the image's configuration, with what the image's own files know.
User user_of(const std::string& text, const store::Rootfs& root) {
  const auto parts = split(text, ':');
  const std::string_view name = parts[0].empty() ? "0" : parts[0];
  User user;
  const auto known = account(root, "/etc/passwd", number(name) ? 2 : 0, name);
  if (const auto uid = number(name)) {
    user.uid = *uid;
  } else if (known && number((*known)[2])) {
    user.uid = *number((*known)[2]);
  } else {
    throw Error(ExitCode::configuration, fmt::format("the image's user \"{}\" is not in its /etc/passwd", text));
  }
  if (known && known->size() > 3) user.gid = number((*known)[3]).value_or(0);
  if (known && known->size() > 5 && !(*known)[5].empty()) user.home = (*known)[5];
  if (parts.size() > 1 && !parts[1].empty()) {
    const auto group = account(root, "/etc/group", 0, parts[1]);
    if (const auto gid = number(parts[1])) {
      user.gid = *gid;
    } else if (group && number((*group)[2])) {
      user.gid = *number((*group)[2]);
    } else {
      throw Error(ExitCode::configuration, fmt::format("the image's group \"{}\" is not in its /etc/group", parts[1]));
    }
  }
  return user;
}

// The program as an absolute path inside: looked for in PATH as a shell does, or below the working folder.
std::string program_path(const std::string& name, const oci::ImageConfig& config, const store::Rootfs& root) {
  if (name.starts_with('/')) return name;
  if (name.find('/') != name.npos)
    return (fs::path(config.working_dir.empty() ? "/" : config.working_dir) / name).lexically_normal();
  const std::string path = config.variable("PATH").value_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  for (const std::string_view folder : split(path, ':')) {
    const std::string candidate = fmt::format("{}/{}", folder, name);
    const auto place = root.locate(candidate);
    if (place && fs::is_regular_file(fs::symlink_status(*place))) return candidate;
  }
  throw Error(ExitCode::launch, fmt::format("{} cannot be started", name))
      .why("no folder of the image's PATH has it")
      .next("write its absolute path, or --entrypoint /cnb/lifecycle/launcher -- COMMAND for one of the buildpacks");
}

// The types of processes that the image's buildpacks declared, in order.
std::vector<std::string> process_types(const store::Rootfs& root) {
  std::vector<std::string> types;
  const auto folder = root.locate("/cnb/process");
  if (folder && fs::is_directory(fs::symlink_status(*folder)))
    for (const auto& entry : fs::directory_iterator(*folder)) types.push_back(entry.path().filename().string());
  std::ranges::sort(types);
  return types;
}

// What could be started instead, as the next step of an error.
std::string startable(const std::vector<std::string>& types) {
  if (types.empty()) return "its buildpacks declared no process: write a command after --";
  return fmt::format("name one with --process: {}", fmt::join(types, ", "));
}

sandbox::Process process_of(const RunFlags& flags, const oci::ImageConfig& config, const User& user,
                            const store::Rootfs& root) {
  sandbox::Process process;
  process.argv = config.entrypoint;
  if (!flags.process.empty()) process.argv = {"/cnb/process/" + flags.process};
  if (!flags.entrypoint.empty()) process.argv = {flags.entrypoint};
  const bool own = flags.process.empty() && flags.entrypoint.empty();
  if (!flags.process.empty() && !root.locate(process.argv[0])) {
    const std::vector<std::string> types = process_types(root);
    const std::vector<std::string_view> candidates(types.begin(), types.end());
    throw Error(ExitCode::launch, fmt::format("{} has no process \"{}\"{}", flags.image, flags.process,
                                              did_you_mean(flags.process, candidates)))
        .next(startable(types));
  }
  const auto& arguments = flags.arguments.empty() && own ? config.cmd : flags.arguments;
  process.argv.insert(process.argv.end(), arguments.begin(), arguments.end());
  if (own && process.argv == std::vector<std::string>{"/cnb/lifecycle/launcher"})
    throw Error(ExitCode::launch, fmt::format("{} has no default process", flags.image)).next(startable(process_types(root)));
  if (process.argv.empty())
    throw Error(ExitCode::configuration, fmt::format("{} does not say what to start", flags.image))
        .next("name a process with --process, or a command after --");
  oci::ImageConfig with = config;
  if (!with.variable("HOME")) with.set_variable("HOME", user.home);
  for (const std::string& variable : flags.env) {
    const std::size_t equals = variable.find('=');
    if (equals == variable.npos || equals == 0)
      throw Error(ExitCode::usage, fmt::format("run: --env: \"{}\" is not NAME=VALUE", variable))
          .next("write the name and the value, as in --env PORT=8000");
    with.set_variable(variable.substr(0, equals), variable.substr(equals + 1));
  }
  process.argv[0] = program_path(process.argv[0], with, root);
  process.env = with.env;
  process.cwd = config.working_dir.empty() ? "/" : config.working_dir;
  return process;
}

int run_process(const RunFlags& flags, sandbox::Helper& helper, std::stop_token stop) {
  constexpr std::string_view networks[] = {"host", "none"};
  const bool host_network = choose("--network", flags.network, networks) == 0;
  const store::Store store(flags.store.empty() ? store::default_store_path() : fs::absolute(flags.store));
  const store::LockedFolder scratch(store.temporary(), "images-");
  const auto image = open_image("run", oci::parse_reference(flags.image), scratch.path());

  const sandbox::Probe probe = sandbox::probe(helper, std::nullopt, scratch.path());
  const store::LayerStore layer_store(store);
  std::vector<store::UnpackedLayer> layers(image->layers().size());
  for_each_index(usable_cpus(), layers.size(), [&](std::size_t i) {
    layers[i] = layer_store.get(*image->layers()[i], image->name(), {}, stop);
  });
  const store::BuildFolder folder(store);
  const auto root = store::make_rootfs(decide_rootfs(RootfsChoice::automatic, probe.rung).kind, std::move(layers), folder);

  const User user = user_of(image->config().user, *root);
  const sandbox::Process process = process_of(flags, image->config(), user, *root);
  sandbox::Setup setup;
  setup.root = root->tree();
  setup.uid = user.uid;
  setup.gid = user.gid;
  setup.network = host_network ? sandbox::Network::host : sandbox::Network::none;
  setup.hostname = "app";
  const auto sandbox = sandbox::make_sandbox(helper, probe.rung, setup);
  FdSink output(STDOUT_FILENO, "standard output");
  const sandbox::Exit end = sandbox->run(process, [&](std::string_view text) { output.write(as_bytes(text)); }, stop);
  if (!end.started)
    throw Error(ExitCode::launch, fmt::format("{} cannot be started", process.argv[0]))
        .why(end.error)
        .next("name a program of the image with --entrypoint, or a process with --process");
  return end.signal ? 128 + end.signal : end.code;
}

}  // namespace

std::string run_help() {
  RunFlags flags;
  return help_of(*make_parser(flags));
}

int run(const std::vector<std::string>& arguments) {
  RunFlags flags;
  // What follows -- is the process's, flags and all.
  const auto mark = std::ranges::find(arguments, "--");
  parse(*make_parser(flags), {arguments.begin(), mark});
  if (mark != arguments.end()) flags.arguments.insert(flags.arguments.end(), mark + 1, arguments.end());
  if (flags.image.empty())
    throw Error(ExitCode::usage, "run: nothing says which image").next("ci-image-builder run oci:FOLDER");
  if (!flags.process.empty() && !flags.entrypoint.empty())
    throw Error(ExitCode::usage, "run: --process and --entrypoint contradict each other").next("give one of them");
  const auto helper = sandbox::Helper::start();
  Signals signals;
  auto outcome = capture([&] { return run_process(flags, *helper, signals.token()); });
  if (outcome) return *outcome;
  const Error error = signals.as_reported(std::move(outcome.error()));
  // Being stopped is how a server ends: nothing to explain.
  if (signals.received() == 0) fmt::print(stderr, "{}", report::error_text(error, report::stderr_takes_colours(false)));
  return static_cast<int>(error.code());
}

}  // namespace cib::cli
