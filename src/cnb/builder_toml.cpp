#include "cnb/builder_toml.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>

#include "base/error.hpp"
#include "base/suggest.hpp"
#include "base/toml_parser.hpp"
#include "cnb/buildpack.hpp"
#include "cnb/toml.hpp"

namespace cib::cnb {
namespace {

using Keys = std::initializer_list<std::string_view>;

// A table and where it stands. Every reader says line and column.
class Table {
 public:
  Table(const toml::table& table, std::string_view file, std::string path)
      : m_table(table), m_file(file), m_path(std::move(path)) {}

  // Everything that is not among these keys is an error.
  void allow(Keys keys) const {
    for (const auto& [key, value] : m_table) {
      if (std::ranges::find(keys, key.str()) != keys.end()) continue;
      throw error(key.source(), fmt::format("unknown key \"{}\"{}", key.str(), did_you_mean(key.str(), std::span(keys.begin(), keys.size()))))
          .next(fmt::format("keys allowed {}: {}", m_path.empty() ? "at the top" : "under " + m_path, fmt::join(keys, ", ")));
    }
  }

  bool has(std::string_view key) const { return m_table.contains(key); }

  std::string text(std::string_view key) const {
    const toml::node* node = m_table.get(key);
    if (!node) return "";
    if (!node->is_string()) throw error(node->source(), fmt::format("{} must be text", name_of(key)));
    return node->as_string()->get();
  }

  std::string required_text(std::string_view key) const {
    std::string value = text(key);
    if (value.empty()) throw error_at(key, fmt::format("{} is missing", name_of(key)));
    return value;
  }

  bool flag(std::string_view key) const {
    const toml::node* node = m_table.get(key);
    if (!node) return false;
    if (!node->is_boolean()) throw error(node->source(), fmt::format("{} must be true or false", name_of(key)));
    return node->as_boolean()->get();
  }

  std::vector<std::string> texts(std::string_view key) const {
    std::vector<std::string> list;
    for_each(key, "a list of texts", [&](const toml::node& element, std::size_t) {
      if (!element.is_string()) throw error(element.source(), fmt::format("{} must be a list of texts", name_of(key)));
      list.push_back(element.as_string()->get());
    });
    return list;
  }

  // An absent table is nothing.
  std::optional<Table> table(std::string_view key) const {
    const toml::node* node = m_table.get(key);
    if (!node) return std::nullopt;
    if (!node->is_table()) throw error(node->source(), fmt::format("{} must be a table", name_of(key)));
    return Table(*node->as_table(), m_file, name_of(key));
  }

  std::vector<Table> tables(std::string_view key) const {
    std::vector<Table> list;
    for_each(key, "a list of tables", [&](const toml::node& element, std::size_t) {
      if (!element.is_table()) throw error(element.source(), fmt::format("{} must be a list of tables", name_of(key)));
      list.emplace_back(*element.as_table(), m_file, name_of(key));
    });
    return list;
  }

  // An error where `key` stands or, when it is absent, where the table does.
  Error error_at(std::string_view key, std::string_view message) const {
    const toml::node* node = m_table.get(key);
    return error(node ? node->source() : m_table.source(), message);
  }

 private:
  std::string name_of(std::string_view key) const { return m_path.empty() ? std::string(key) : fmt::format("{}.{}", m_path, key); }

  template <typename Use>
  void for_each(std::string_view key, std::string_view kind, Use&& use) const {
    const toml::node* node = m_table.get(key);
    if (!node) return;
    if (!node->is_array()) throw error(node->source(), fmt::format("{} must be {}", name_of(key), kind));
    for (std::size_t i = 0; i < node->as_array()->size(); ++i) use(*node->as_array()->get(i), i);
  }

  Error error(const toml::source_region& where, std::string_view message) const {
    return Error(ExitCode::configuration, fmt::format("{}: line {}, column {}: {}", m_file, std::max(where.begin.line, 1u),
                                                      std::max(where.begin.column, 1u), message));
  }

  const toml::table& m_table;
  std::string_view m_file;
  std::string m_path;
};

GroupElement read_element(const Table& table) {
  table.allow({"id", "version", "optional"});
  GroupElement element{table.required_text("id"), table.text("version"), table.flag("optional")};
  if (const std::string fault = id_fault(element.id); !fault.empty()) throw table.error_at("id", "id " + fault);
  if (!element.version.empty())
    if (const std::string fault = version_fault(element.version); !fault.empty())
      throw table.error_at("version", "version " + fault);
  return element;
}

Order read_order(const Table& top) {
  Order order;
  for (const Table& entry : top.tables("order")) {
    entry.allow({"group"});
    Group group;
    for (const Table& element : entry.tables("group")) group.push_back(read_element(element));
    if (group.empty()) throw entry.error_at("group", "a group of the order names no buildpack");
    order.push_back(std::move(group));
  }
  return order;
}

std::vector<BuilderToml::Module> read_modules(const Table& top) {
  std::vector<BuilderToml::Module> modules;
  for (const Table& table : top.tables("buildpacks")) {
    table.allow({"id", "version", "uri", "image"});
    BuilderToml::Module module{table.text("id"), table.text("version"), table.text("uri"), table.text("image")};
    if (module.uri.empty() == module.image.empty())
      throw table.error_at("uri", module.uri.empty() ? "a buildpack needs a uri (or an image)"
                                                     : "a buildpack has a uri or an image, not both");
    modules.push_back(std::move(module));
  }
  return modules;
}

std::optional<BuilderToml::Debian> read_debian(const Table& parent) {
  const std::optional<Table> table = parent.table("debian");
  if (!table) return std::nullopt;
  table->allow({"suite", "packages"});
  BuilderToml::Debian debian{table->required_text("suite"), table->texts("packages")};
  // Both become words of a command line and of a sources list.
  const auto is_word = [](std::string_view text) {
    return !text.empty() && text.front() != '-' &&
           text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+-_:") == text.npos;
  };
  if (!is_word(debian.suite)) throw table->error_at("suite", fmt::format("\"{}\" is no name of a release", debian.suite));
  for (const std::string& package : debian.packages)
    if (!is_word(package)) throw table->error_at("packages", fmt::format("\"{}\" is no name of a package", package));
  return debian;
}

void read_build(BuilderToml& builder, const Table& top) {
  const std::optional<Table> build = top.table("build");
  if (!build) return;
  build->allow({"image", "env", "debian"});
  builder.build_image = build->text("image");
  builder.build_debian = read_debian(*build);
  if (!builder.build_image.empty() && builder.build_debian)
    throw build->error_at("image", "build.image and build.debian exclude each other");
  for (const Table& table : build->tables("env")) {
    table.allow({"name", "value", "suffix", "delim"});
    BuilderToml::Variable variable{table.required_text("name"), table.text("value"), table.text("suffix"), table.text("delim")};
    constexpr std::string_view suffixes[] = {"", "append", "default", "override", "prepend"};
    if (std::ranges::find(suffixes, variable.suffix) == std::end(suffixes))
      throw table.error_at("suffix", fmt::format("\"{}\" is no suffix", variable.suffix))
          .next("suffix is one of append, default, override, prepend");
    // The name becomes a file name in /cnb/build-config/env, and what follows a dot is read as a suffix.
    if (variable.name.find_first_of("/.=") != variable.name.npos)
      throw table.error_at("name", fmt::format("\"{}\" is no name of a variable", variable.name));
    builder.build_env.push_back(std::move(variable));
  }
}

void read_run(BuilderToml& builder, const Table& top) {
  const std::optional<Table> run = top.table("run");
  if (!run) return;
  run->allow({"images", "debian"});
  for (const Table& image : run->tables("images")) {
    image.allow({"image", "mirrors"});
    builder.run_images.push_back({image.required_text("image"), image.texts("mirrors")});
  }
  builder.run_debian = read_debian(*run);
  if (!builder.run_images.empty() && builder.run_debian)
    throw run->error_at("images", "run.images and run.debian exclude each other");
}

// What it says counts where the newer tables are silent; where both speak they must agree.
void read_stack(BuilderToml& builder, const Table& top) {
  const std::optional<Table> stack = top.table("stack");
  if (!stack) return;
  stack->allow({"id", "build-image", "run-image", "run-image-mirrors"});
  builder.stack_id = stack->text("id");
  if (const std::string image = stack->text("build-image"); !image.empty()) {
    if (builder.build_debian || (!builder.build_image.empty() && builder.build_image != image))
      throw stack->error_at("build-image", "stack.build-image contradicts the table build");
    builder.build_image = image;
  }
  const std::vector<std::string> mirrors = stack->texts("run-image-mirrors");
  if (const std::string image = stack->text("run-image"); !image.empty()) {
    if (builder.run_debian || (!builder.run_images.empty() && builder.run_images.front().image != image))
      throw stack->error_at("run-image", "stack.run-image contradicts the table run");
    if (builder.run_images.empty()) builder.run_images.push_back({image, mirrors});
  } else if (!mirrors.empty()) {
    throw stack->error_at("run-image-mirrors", "stack.run-image-mirrors needs a stack.run-image");
  }
}

void read_lifecycle(BuilderToml& builder, const Table& top) {
  const std::optional<Table> lifecycle = top.table("lifecycle");
  if (!lifecycle) return;
  lifecycle->allow({"version", "uri", "launcher"});
  builder.lifecycle_version = lifecycle->text("version");
  builder.lifecycle_uri = lifecycle->text("uri");
  builder.launcher = lifecycle->text("launcher");
  if (!builder.lifecycle_version.empty() && !builder.lifecycle_uri.empty())
    throw lifecycle->error_at("uri", "lifecycle.version and lifecycle.uri exclude each other");
}

Group read_system_group(const Table& system, std::string_view when) {
  Group group;
  const std::optional<Table> part = system.table(when);
  if (!part) return group;
  part->allow({"buildpacks"});
  for (const Table& element : part->tables("buildpacks")) group.push_back(read_element(element));
  return group;
}

std::vector<Target> read_targets(const Table& top) {
  std::vector<Target> targets;
  for (const Table& table : top.tables("targets")) {
    table.allow({"os", "arch", "variant", "distros"});
    Target target{table.text("os"), table.text("arch"), table.text("variant"), {}};
    for (const Table& distro : table.tables("distros")) {
      distro.allow({"name", "version"});
      target.distros.push_back({distro.required_text("name"), distro.text("version")});
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

}  // namespace

BuilderToml parse_builder_toml(std::string_view text, std::string_view file) {
  // Bounds nesting and size, and says what is no TOML.
  toml_to_json(text, file);
  const toml::table document = toml::parse(text);
  const Table top(document, file, "");
  for (const char* key : {"extensions", "order-extensions"})
    if (top.has(key))
      throw top.error_at(key, fmt::format("\"{}\": image extensions are not supported", key))
          .next("remove the table: use buildpacks that need no extension");
  top.allow({"description", "buildpacks", "order", "build", "run", "stack", "lifecycle", "system", "targets"});

  BuilderToml builder;
  builder.description = top.text("description");
  builder.buildpacks = read_modules(top);
  builder.order = read_order(top);
  read_build(builder, top);
  read_run(builder, top);
  read_stack(builder, top);
  read_lifecycle(builder, top);
  if (const std::optional<Table> system = top.table("system")) {
    system->allow({"pre", "post"});
    builder.system_pre = read_system_group(*system, "pre");
    builder.system_post = read_system_group(*system, "post");
  }
  builder.targets = read_targets(top);
  if (builder.build_image.empty() && !builder.build_debian)
    throw top.error_at("build", "build.image is missing")
        .next("name the image to build in under [build] image, or describe one under [build.debian]");
  if (builder.run_images.empty() && !builder.run_debian)
    throw top.error_at("run", "run.images is missing")
        .next("name the image to run on under [[run.images]] image, or describe one under [run.debian]");
  return builder;
}

}  // namespace cib::cnb
