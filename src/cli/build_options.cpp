#include "cli/build_options.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "base/suggest.hpp"
#include "cli/build_flags.hpp"
#include "cli/parser.hpp"
#include "cnb/platform_env.hpp"
#include "store/store.hpp"

namespace cib::cli {

namespace {

Error usage(std::string message) { return Error(ExitCode::usage, "build: " + std::move(message)); }

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// The folder in which a file is going to be written.
fs::path folder_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::optional<std::string> host_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

cnb::EnvFiles read_env_file(const std::string& file) {
  const std::optional<std::string> text = is_folder(file) ? std::nullopt : read_file_if_exists(file, 1u << 20);
  if (!text) throw usage(fmt::format("--env-file: no such file: {}", file)).next("name a file with a NAME=VALUE a line");
  return cnb::parse_env_file(*text, file, host_variable);
}

constexpr std::string_view kinds[] = {"oci", "docker-archive"};

// A reference whose kind is mistyped would be taken for an image in a registry. `names` are words that stand for an
// image without a kind.
void check_kind(std::string_view flag, const std::string& text, std::span<const std::string_view> names = {}) {
  if (text.empty() || oci::parse_reference(text).kind != oci::Reference::Kind::registry) return;
  const std::size_t colon = text.find(':');
  const std::string word = text.substr(0, colon);
  const auto candidates = colon == std::string::npos ? names : std::span(kinds);
  if (std::find(candidates.begin(), candidates.end(), word) != candidates.end()) return;
  const std::optional<std::string_view> meant = suggest(word, candidates);
  if (!meant) return;
  const std::string_view rest = colon == std::string::npos ? std::string_view() : std::string_view(text).substr(colon);
  throw usage(fmt::format("{}: no such kind of image: \"{}\" (did you mean \"{}{}\"?)", flag, text, *meant, rest))
      .next("write oci:DIR or docker-archive:FILE");
}

oci::Reference output_of(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  const auto wrong = [&](const std::string& message) {
    return usage(fmt::format("--output: {}", message)).next("write oci:DIR or docker-archive:FILE");
  };
  if (colon == std::string::npos) throw wrong(fmt::format("\"{}\" does not say what kind of image to make", text));
  if (std::find(std::begin(kinds), std::end(kinds), kind) == std::end(kinds))
    throw usage(fmt::format("--output: no such kind of image: \"{}\"{}", kind, did_you_mean(kind, kinds)))
        .next("write oci:DIR or docker-archive:FILE; skopeo copy brings either into a registry");
  if (colon + 1 == text.size() || text[colon + 1] == ':') throw wrong(fmt::format("\"{}\" names no path", text));
  oci::Reference reference = oci::parse_reference(text);
  if (reference.kind == oci::Reference::Kind::archive && is_folder(reference.path))
    throw wrong(fmt::format("{} is a folder, an archive is a file", reference.path.string()));
  if (reference.kind == oci::Reference::Kind::layout && fs::exists(reference.path) && !is_folder(reference.path))
    throw wrong(fmt::format("{} is a file, an OCI layout is a folder", reference.path.string()));
  return reference;
}

// What `docker load` takes: parts of small letters and digits with . _ - between them, a registry's address in front,
// a tag behind. Not every detail of Docker's grammar, but what people mistype: capitals, blanks, a digest.
void check_tag(const std::string& text) {
  const std::size_t slash = text.rfind('/');
  const std::size_t colon = text.find(':', slash == text.npos ? 0 : slash);
  const std::string_view name = std::string_view(text).substr(0, colon);
  const std::string_view tag = colon == text.npos ? "latest" : std::string_view(text).substr(colon + 1);
  // The first part may be a host, in which capitals and a port are fine.
  const std::size_t first = name.find('/');
  const bool host = first != name.npos && name.substr(0, first).find_first_of(".:") != name.npos;
  constexpr std::string_view small = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const auto is = [](std::string_view part, std::string_view ends, std::string_view inner) {
    const auto in = [&](char c) { return ends.find(c) != ends.npos || inner.find(c) != inner.npos; };
    return !part.empty() && std::all_of(part.begin(), part.end(), in) && ends.find(part.front()) != ends.npos;
  };
  bool good = is(tag, fmt::format("{}{}_", small, capitals), ".-") && tag.size() <= 128;
  std::string_view rest = host ? name.substr(first + 1) : name;
  for (bool more = true; more && good;) {
    const std::size_t end = rest.find('/');
    const std::string_view part = rest.substr(0, end);
    good = is(part, small, "._-") && small.find(part.back()) != small.npos;
    more = end != rest.npos;
    if (more) rest.remove_prefix(end + 1);
  }
  if (!good)
    throw usage(fmt::format("--tag: \"{}\" is no name of an image", text))
        .next("write NAME:TAG as docker does: demo/app:1.2, the name in small letters");
}

std::vector<oci::Reference> outputs_of(const std::vector<std::string>& texts) {
  std::vector<oci::Reference> outputs;
  std::vector<fs::path> places;
  for (const std::string& text : texts) {
    oci::Reference reference = output_of(text);
    fs::path place = fs::absolute(reference.path).lexically_normal();
    if (!place.has_filename()) place = place.parent_path();
    if (std::find(places.begin(), places.end(), place) != places.end())
      throw usage(fmt::format("--output: {} is named twice", reference.path.string()))
          .next("give every output its own path");
    places.push_back(std::move(place));
    outputs.push_back(std::move(reference));
  }
  return outputs;
}

bool is_at_or_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

// A target that would hide what the build itself puts there.
bool is_taken(std::string_view target) {
  for (const std::string_view whole : {"/cnb", "/layers", "/proc", "/sys", "/dev", "/platform/env"})
    if (is_at_or_below(target, whole)) return true;
  return target == "/" || target == "/workspace" || target == "/platform";
}

Volume volume_of(const std::string& text) {
  const auto wrong = [&](const std::string& message) {
    return usage(fmt::format("--volume {}: {}", text, message))
        .next("write HOST:TARGET, HOST:TARGET:ro or HOST:TARGET:rw");
  };
  Volume volume;
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0) throw wrong("it does not say what is seen where");
  const std::string host = text.substr(0, colon);
  std::string target = text.substr(colon + 1);
  if (const std::size_t last = target.find(':'); last != std::string::npos) {
    constexpr std::string_view modes[] = {"ro", "rw"};
    volume.read_only = choose(fmt::format("--volume {}", text), target.substr(last + 1), modes) == 0;
    target.resize(last);
  }
  if (!target.starts_with('/')) throw wrong(fmt::format("the target \"{}\" is not an absolute path", target));
  for (const fs::path& part : fs::path(target))
    if (part == "..") throw wrong(fmt::format("the target \"{}\" goes up with ..", target));
  while (target.starts_with("//")) target.erase(0, 1);
  const fs::path normal = fs::path(target).lexically_normal();
  const std::string place = normal.has_filename() || normal == "/" ? normal.string() : normal.parent_path().string();
  if (is_taken(place)) throw wrong(fmt::format("{} belongs to the build itself", place));
  if (!fs::exists(host)) throw wrong(fmt::format("no such file or folder: {}", host));
  volume.source = fs::absolute(host).lexically_normal();
  volume.target = place;
  return volume;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> creation_time_of(const std::string& text) {
  const char* epoch = std::getenv("SOURCE_DATE_EPOCH");
  const bool given = !text.empty();
  if (!given && (epoch == nullptr || *epoch == '\0')) return std::nullopt;
  if (text == "now")
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::string value = given ? text : epoch;
  // 9999-12-31, the last day that a configuration's date can hold.
  constexpr std::int64_t last = 253'402'300'799;
  const auto seconds = number_of<std::int64_t>(value);
  if (!seconds || *seconds < 0 || *seconds > last)
    throw usage(fmt::format("{}: \"{}\" is no time", given ? "--creation-time" : "SOURCE_DATE_EPOCH", value))
        .next(given ? "write now, or seconds since 1970" : "set it to seconds since 1970, or unset it");
  return seconds;
}

std::vector<std::string> buildpacks_of(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    std::string_view rest = text;
    while (true) {
      const std::size_t comma = rest.find(',');
      const std::string_view name = without_blanks(rest.substr(0, comma));
      if (name.empty())
        throw usage(fmt::format("--buildpack: \"{}\" holds an empty name", text))
            .next("write names with one comma between them");
      out.emplace_back(name);
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return out;
}

bool is_process_type(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

// The CPUs that the cgroup's quota amounts to, when there is one: version 2, then version 1.
std::optional<double> cgroup_quota() {
  std::string quota;
  double period = 0;
  if (std::ifstream max("/sys/fs/cgroup/cpu.max"); max >> quota >> period) {
    const auto amount = number_of<long>(quota);  // "max": no limit
    return amount && period > 0 ? std::optional(static_cast<double>(*amount) / period) : std::nullopt;
  }
  double amount = 0;
  std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (quota_file >> amount && period_file >> period && amount > 0 && period > 0) return amount / period;
  return std::nullopt;
}

}  // namespace

BuildOptions parse_build_options(const std::vector<std::string>& arguments) {
  BuildFlags raw;
  parse(*build_parser(raw), arguments);
  BuildOptions options;

  if (!is_folder(raw.path) && fs::exists(raw.path))
    throw usage(fmt::format("--path: {} is a file, not a folder", raw.path))
        .next("name the folder that holds the source code");
  if (!is_folder(raw.path))
    throw usage(fmt::format("--path: no such folder: {}", raw.path)).next("name the folder that holds the source code");
  options.path = raw.path;
  for (const std::string& file : raw.env_files) options.env = cnb::merged(std::move(options.env), read_env_file(file));
  for (const std::string& text : raw.env) {
    auto [name, value] = cnb::parse_env_flag(text, host_variable);
    options.env[std::move(name)] = std::move(value);
  }
  for (const std::string& text : raw.volumes) options.volumes.push_back(volume_of(text));
  if (!raw.default_process.empty() && !is_process_type(raw.default_process))
    throw usage(fmt::format("--default-process: \"{}\" is no type of process", raw.default_process))
        .next("write letters, digits, dots, _ and - only");
  options.default_process = raw.default_process;

  constexpr std::string_view builder_names[] = {"embedded"};
  check_kind("--builder", raw.builder, builder_names);
  check_kind("--run-image", raw.run_image);
  check_kind("--previous-image", raw.previous_image);
  options.builder = raw.builder;
  options.buildpacks = buildpacks_of(raw.buildpacks);
  options.run_image = raw.run_image;

  options.outputs = outputs_of(raw.outputs);
  for (const std::string& tag : raw.tags) check_tag(tag);
  options.tags = raw.tags;
  const bool archive = std::any_of(options.outputs.begin(), options.outputs.end(), [](const oci::Reference& output) {
    return output.kind == oci::Reference::Kind::archive;
  });
  if (!options.tags.empty() && !archive)
    throw usage("--tag names an archive, but no --output is one")
        .next("add --output docker-archive:FILE, or write oci:DIR:TAG");
  options.previous_image = raw.previous_image;
  options.creation_time = creation_time_of(raw.creation_time);
  options.report_folder = raw.report_folder;
  if (!raw.report_folder.empty() && fs::exists(raw.report_folder) && !is_folder(raw.report_folder))
    throw usage(fmt::format("--report-output-dir: {} is no folder", raw.report_folder));
  options.report_file = raw.report;
  if (!raw.report.empty() && (is_folder(raw.report) || !is_folder(folder_of(raw.report))))
    throw usage(fmt::format("--report: {} cannot be a file", raw.report)).next("name a file in a folder that exists");

  // Found out now, not after the build.
  if (!raw.report.empty() && ::access(folder_of(raw.report).c_str(), W_OK | X_OK) != 0)
    throw system_error(errno, fmt::format("build: --report: {}", folder_of(raw.report).string()));

  if (!raw.cache_dir.empty()) {
    if (fs::exists(raw.cache_dir) && !is_folder(raw.cache_dir))
      throw usage(fmt::format("--cache-dir: {} is no folder", raw.cache_dir));
    options.cache_dir = fs::absolute(raw.cache_dir);
  }
  options.clear_cache = raw.clear_cache;
  if (!raw.store.empty() && fs::exists(raw.store) && !is_folder(raw.store))
    throw usage(fmt::format("--store: {} is no folder", raw.store));
  options.store = raw.store.empty() ? store::default_store_path() : fs::absolute(raw.store);

  constexpr std::string_view networks[] = {"host", "none"};
  constexpr std::array network_values = {sandbox::Network::host, sandbox::Network::none};
  options.network = network_values[choose("--network", raw.network, networks)];
  constexpr std::string_view rootfs[] = {"auto", "overlay", "flat"};
  constexpr std::array rootfs_values = {RootfsChoice::automatic, RootfsChoice::overlay, RootfsChoice::flat};
  options.rootfs = rootfs_values[choose("--rootfs", raw.rootfs, rootfs)];
  constexpr std::string_view isolations[] = {"auto", "namespaces", "rootless"};
  constexpr std::array isolation_values = {IsolationChoice::automatic, IsolationChoice::namespaces,
                                           IsolationChoice::rootless};
  options.isolation = isolation_values[choose("--isolation", raw.isolation, isolations)];
  const auto jobs = raw.jobs.empty() ? std::optional(usable_cpus()) : number_of<unsigned>(raw.jobs);
  if (!jobs || *jobs < 1 || *jobs > 1024)
    throw usage(fmt::format("--jobs: \"{}\" is not a number from 1 to 1024", raw.jobs))
        .next("leave it out to use every CPU");
  options.jobs = *jobs;
  if (!raw.ca_file.empty()) {
    const auto pem = is_folder(raw.ca_file) ? std::nullopt : read_file_if_exists(raw.ca_file, 64u << 20);
    if (!pem)
      throw usage(fmt::format("--ca-file: no such file: {}", raw.ca_file)).next("name a file of certificates in PEM form");
    if (pem->find("-----BEGIN ") == std::string::npos)
      throw usage(fmt::format("--ca-file: {} holds no certificate in PEM form", raw.ca_file))
          .next("name a file with lines -----BEGIN CERTIFICATE-----");
    options.ca_file = fs::absolute(raw.ca_file);
  }
  options.no_host_ca = raw.no_host_ca;

  if (raw.quiet && raw.verbose) throw usage("--quiet and --verbose contradict each other").next("give one of them");
  options.no_color = raw.no_color;
  options.verbose = raw.verbose;
  options.quiet = raw.quiet;
  return options;
}

unsigned usable_cpus() {
  double count = 1;
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0)
    count = CPU_COUNT(&mask);
  else
    count = static_cast<double>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  if (const auto quota = cgroup_quota()) count = std::min(count, std::ceil(*quota));
  return static_cast<unsigned>(std::clamp(count, 1.0, 1024.0));
}

}  // namespace cib::cli
