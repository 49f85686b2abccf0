#include "cli/parser.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <iterator>

#include "base/version.hpp"
#include "base/suggest.hpp"

namespace cib::cli {

namespace {

constexpr std::size_t description_column = 34;
constexpr std::size_t line_width = 100;
constexpr std::string_view help_group = "Log";

// The order of the groups in every help; others come before the last of these.
constexpr std::string_view known_groups[] = {"Input", "Builder", "Output", "Cache", "Sandbox", help_group};

bool is_positional(const CLI::Option& option) { return option.get_snames().empty() && option.get_lnames().empty(); }

// "  -p, --path DIR", with room for the short name where there is none; "  DIR" for an argument without a flag.
std::string names_of(const CLI::Option& option) {
  if (is_positional(option)) return fmt::format("  {}", option.get_type_name());
  const auto& shorts = option.get_snames();
  const auto& longs = option.get_lnames();
  std::string out = shorts.empty() ? "      " : fmt::format("  -{}{}", shorts.front(), longs.empty() ? "" : ", ");
  for (std::size_t i = 0; i < longs.size(); ++i) out += fmt::format("{}--{}", i == 0 ? "" : ", --", longs[i]);
  if (option.get_items_expected_max() > 0) out += fmt::format(" {}", option.get_type_name());
  return out;
}

// Words of `text` in lines that fit behind the column.
std::string wrapped(std::string_view text) {
  std::string out;
  std::size_t at = description_column;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (at > description_column && at + 1 + word.size() > line_width) {
      out += "\n" + std::string(description_column, ' ');
      at = description_column;
    } else if (at > description_column) {
      out += ' ';
      ++at;
    }
    out += word;
    at += word.size();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string line_of(const CLI::Option& option) {
  std::string out = names_of(option);
  if (out.size() + 2 > description_column)
    out += "\n" + std::string(description_column, ' ');
  else
    out.append(description_column - out.size(), ' ');
  return out + wrapped(option.get_description()) + "\n";
}

class GroupedHelp : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override {
    std::string usage = fmt::format("{} {} [options]", program_name, app->get_name());
    std::vector<std::string> groups(std::begin(known_groups), std::end(known_groups));
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_positional())
        usage += fmt::format(" [{}]", is_positional(*option) ? option->get_type_name() : option->get_name(true));
      if (std::find(groups.begin(), groups.end(), option->get_group()) == groups.end())
        groups.insert(groups.end() - 1, option->get_group());
    }
    std::string out = fmt::format("Usage: {}\n\n{}\n", usage, app->get_description());
    for (const std::string& group : groups) {
      std::string lines;
      for (const CLI::Option* option : app->get_options())
        if (option != app->get_help_ptr() && option->get_group() == group) lines += line_of(*option);
      if (group == help_group) lines += line_of(*app->get_help_ptr());
      if (!lines.empty()) out += fmt::format("\n{}\n{}", group, lines);
    }
    out += fmt::format("\nExamples\n{}\nExit codes are explained in docs/exit-codes.md.\n", app->get_footer());
    return out;
  }
};

std::string list_hint(const CLI::App& app) {
  return fmt::format("\"{} {} --help\" lists the flags", program_name, app.get_name());
}

[[noreturn]] void unexpected(const CLI::App& app, const std::string& argument) {
  if (argument.size() < 2 || argument.front() != '-')
    throw Error(ExitCode::usage, fmt::format("{}: unexpected argument \"{}\"", app.get_name(), argument))
        .next(list_hint(app));
  const std::string flag = argument.substr(0, argument.find('='));
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    // A short name is near to every other one; it can only stand for a long one.
    if (flag.starts_with("--")) continue;
    for (const std::string& name : option->get_lnames()) names.push_back("-" + name);
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  std::string meant = did_you_mean(flag, views);
  // "-builder" stands for "--builder".
  if (const std::size_t at = meant.find("\"-"); at != std::string::npos && !meant.substr(at).starts_with("\"--"))
    meant.insert(at + 1, "-");
  throw Error(ExitCode::usage, fmt::format("{}: unknown flag {}{}", app.get_name(), flag, meant)).next(list_hint(app));
}

Error needs_value(const CLI::App& app, const CLI::Option& option) {
  const std::string name = is_positional(option) ? option.get_type_name() : option.get_name();
  if (is_positional(option))
    return Error(ExitCode::usage, fmt::format("{}: {} is empty", app.get_name(), name)).next("leave it out, or give it a value");
  return Error(ExitCode::usage, fmt::format("{}: {} needs a value", app.get_name(), name))
      .next(fmt::format("write {} {}", name, option.get_type_name()));
}

// CLI11's message begins with the name of the option.
[[noreturn]] void missing_value(const CLI::App& app, const CLI::Error& error) {
  const std::string text = error.what();
  const CLI::Option* option = app.get_option_no_throw(text.substr(0, text.find(':')));
  if (option != nullptr) throw needs_value(app, *option);
  throw Error(ExitCode::usage, fmt::format("{}: {}", app.get_name(), text)).next(list_hint(app));
}

// Runs what CLI11 does, with its failures as ours.
void guarded(const CLI::App& app, const std::function<void()>& body) {
  try {
    body();
  } catch (const CLI::ArgumentMismatch& error) {
    missing_value(app, error);
  } catch (const CLI::ParseError& error) {
    throw Error(ExitCode::usage, fmt::format("{}: {}", app.get_name(), error.what())).next(list_hint(app));
  }
}

// What follows "--" goes to the arguments without a flag just as it is: CLI11 would take "[a,b]" for two.
void take_verbatim(CLI::App& app, std::span<const std::string> values) {
  std::vector<CLI::Option*> touched;
  for (const std::string& value : values) {
    const std::vector<CLI::Option*> options = app.get_options();
    const auto open = std::find_if(options.begin(), options.end(), [](const CLI::Option* option) {
      return option->get_positional() && (option->get_items_expected_max() > 1 || option->results().empty());
    });
    if (open == options.end()) unexpected(app, value);
    (*open)->allow_extra_args(false);
    (*open)->add_result(value);
    if (std::find(touched.begin(), touched.end(), *open) == touched.end()) touched.push_back(*open);
  }
  guarded(app, [&] {
    for (CLI::Option* option : touched) option->run_callback();
  });
}

}  // namespace

std::shared_ptr<CLI::App> make_app(std::string_view name, std::string_view description,
                                   std::span<const Example> examples) {
  auto app = std::make_shared<CLI::App>(std::string(description), std::string(name));
  app->formatter(std::make_shared<GroupedHelp>());
  app->set_help_flag("-h,--help", "this text");
  app->get_help_ptr()->group(std::string(help_group));
  app->allow_extras(true);
  std::string shown;
  for (const Example& example : examples)
    shown += fmt::format("  # {}\n  {} {}{}{}\n", example.what, program_name, name, example.arguments.empty() ? "" : " ",
                         example.arguments);
  app->footer(shown);
  return app;
}

std::shared_ptr<CLI::App> make_app(std::string_view name, std::string_view description,
                                   std::initializer_list<Example> examples) {
  return make_app(name, description, std::span(examples.begin(), examples.size()));
}

void parse(CLI::App& app, const std::vector<std::string>& arguments) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() <= 1)
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    else if (!option->get_positional())
      option->allow_extra_args(false);  // one value for each time the flag is given
  }
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  std::vector<std::string> reversed(std::make_reverse_iterator(dashes), arguments.rend());  // as CLI11 wants it
  guarded(app, [&] { app.parse(reversed); });
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() == 0) continue;
    for (const std::string& value : option->results()) {
      // An empty value is a variable of a script that was not set.
      if (value.empty()) throw needs_value(app, *option);
      // "--builder --quiet": what follows is a flag of ours, not the value.
      if (value.starts_with('-') && app.get_option_no_throw(value) != nullptr) throw needs_value(app, *option);
    }
  }
  for (const std::string& left : app.remaining()) unexpected(app, left);
  if (dashes != arguments.end()) take_verbatim(app, std::span(dashes + 1, arguments.end()));
}

std::string help_of(const CLI::App& app) { return app.help(); }

std::size_t choose(std::string_view flag, std::string_view value, std::span<const std::string_view> allowed) {
  const auto found = std::find(allowed.begin(), allowed.end(), value);
  if (found != allowed.end()) return static_cast<std::size_t>(found - allowed.begin());
  throw Error(ExitCode::usage, fmt::format("{}: no such value \"{}\"{}", flag, value, did_you_mean(value, allowed)))
      .next(fmt::format("write one of: {}", fmt::join(allowed, ", ")));
}

}  // namespace cib::cli
