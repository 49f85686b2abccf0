#include "cli/commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "base/error.hpp"
#include "base/version.hpp"
#include "base/suggest.hpp"
#include "report/error_text.hpp"

namespace cib::cli {

namespace {

using Arguments = std::vector<std::string>;

bool asks_for_help(std::string_view argument) { return argument == "--help" || argument == "-h"; }

// --help counts wherever it stands before a "--", also behind a mistake: it is wanted most then.
bool holds_help(std::span<const std::string> arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::any_of(arguments.begin(), end, asks_for_help);
}

std::string_view first_word(std::string_view name) { return name.substr(0, name.find(' ')); }
bool has_two_words(std::string_view name) { return name.find(' ') != std::string_view::npos; }

struct Found {
  const Command* command;
  std::size_t words;
};

Found find(std::span<const Command> table, std::span<const std::string> words) {
  for (const std::size_t count : {2u, 1u}) {
    if (words.size() < count) continue;
    const std::string name = count == 2 ? fmt::format("{} {}", words[0], words[1]) : words[0];
    for (const Command& command : table)
      if (command.name == name) return {&command, count};
  }
  return {nullptr, 0};
}

bool is_group(std::span<const Command> table, std::string_view word) {
  return std::any_of(table.begin(), table.end(), [&](const Command& command) {
    return has_two_words(command.name) && first_word(command.name) == word;
  });
}

std::string rows(std::span<const Command> table, std::string_view group = {}) {
  std::string out;
  for (const Command& command : table)
    if (group.empty() || first_word(command.name) == group)
      out += fmt::format("  {:<16} {}\n", command.name, command.summary);
  return out;
}

std::string group_help(std::span<const Command> table, std::string_view group) {
  return fmt::format("Usage: {} {} COMMAND [options]\n\nCommands\n{}\n\"{} {} COMMAND --help\" explains a command.\n",
                     program_name, group, rows(table, group), program_name, group);
}

std::string overview_hint() { return fmt::format("\"{} --help\" lists the commands", program_name); }

// The first words are no command. Never returns.
[[noreturn]] void refuse(std::span<const Command> table, std::span<const std::string> words) {
  const std::string& word = words.front();
  if (word.starts_with('-')) {
    const std::string_view known[] = {"--help", "--version"};
    throw Error(ExitCode::usage, fmt::format("unknown flag {} before a command{}", word, did_you_mean(word, known)))
        .next("name the command first, then its flags");
  }
  const bool group = is_group(table, word);
  if (group && words.size() == 1)
    throw Error(ExitCode::usage, fmt::format("{}: which command?", word))
        .next(fmt::format("\"{} {} --help\" lists them", program_name, word));
  std::vector<std::string_view> names;
  for (const Command& command : table) {
    names.push_back(command.name);
    if (has_two_words(command.name)) names.push_back(first_word(command.name));
  }
  names.insert(names.end(), {"help", "version"});
  const std::string two = words.size() > 1 ? fmt::format("{} {}", word, words[1]) : word;
  std::string shown = word;
  std::string meant;
  if (group) {
    // "builder craete": the group is right, so only what is in it can be meant.
    std::erase_if(names, [&](std::string_view name) { return !has_two_words(name) || first_word(name) != word; });
    shown = two;
    meant = did_you_mean(two, names);
  } else {
    meant = did_you_mean(word, names);
    if (meant.empty()) meant = did_you_mean(two, names);
  }
  throw Error(ExitCode::usage, fmt::format("no such command: {}{}", shown, meant)).next(overview_hint());
}

int say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0) throw Error(ExitCode::disk, "standard output cannot be written");
  return static_cast<int>(ExitCode::ok);
}

// Help on what the words name: nothing, a group or a command.
int help_on(std::span<const Command> table, std::span<const std::string> words) {
  if (words.empty()) return say(overview(table));
  if (const Found found = find(table, words); found.command != nullptr) return say(found.command->help());
  if (words.size() == 1 && (words[0] == "help" || words[0] == "version")) return say(overview(table));
  if (words.size() == 1 && is_group(table, words[0])) return say(group_help(table, words[0]));
  refuse(table, words);
}

}  // namespace

std::string overview(std::span<const Command> table) {
  std::string out = fmt::format(
      "{} {}: container images from source code, with Cloud Native Buildpacks and without a Docker daemon\n\n"
      "Usage: {} COMMAND [options]\n\nCommands\n{}",
      program_name, program_version, program_name, rows(table));
  out += fmt::format("  {:<16} {}\n", "help [COMMAND]", "this text, or how a command is used");
  out += fmt::format("  {:<16} {}\n", "version", "the version of this program");
  out += fmt::format("\n\"{} COMMAND --help\" explains a command, docs/exit-codes.md the exit codes.\n", program_name);
  return out;
}

int dispatch(std::span<const Command> table, const Arguments& arguments) {
  const std::span<const std::string> words(arguments);
  if (words.empty()) throw Error(ExitCode::usage, "no command given").next(overview_hint());
  if (words[0] == "version" || words[0] == "--version") {
    if (holds_help(words)) return say(overview(table));
    return say(fmt::format("{} {}\n", program_name, program_version));
  }
  if (words[0] == "help" || asks_for_help(words[0])) {
    std::vector<std::string> names;
    std::copy_if(words.begin() + 1, words.end(), std::back_inserter(names),
                 [](const std::string& word) { return !asks_for_help(word); });
    return help_on(table, names);
  }
  const Found found = find(table, words);
  if (found.command == nullptr) {
    if (words.size() > 1 && is_group(table, words[0]) && asks_for_help(words[1])) return say(group_help(table, words[0]));
    refuse(table, words);
  }
  const std::span<const std::string> rest = words.subspan(found.words);
  if (holds_help(rest)) return say(found.command->help());
  return found.command->run(Arguments(rest.begin(), rest.end()));
}

int main_of(std::span<const Command> table, const Arguments& arguments) {
  const bool no_color = std::find(arguments.begin(), arguments.end(), "--no-color") != arguments.end();
  const auto fail = [&](const Error& error) {
    report::print_error(error, no_color);
    return static_cast<int>(error.code());
  };
  try {
    return dispatch(table, arguments);
  } catch (const Error& error) {
    return fail(error);
  } catch (const std::bad_alloc&) {
    return fail(Error(ExitCode::unavailable, "out of memory").next("give the job more memory, or use fewer --jobs"));
  } catch (const std::exception& error) {
    return fail(error_of(error));
  }
}

}  // namespace cib::cli
