// Strict, typed reads of parsed TOML and JSON with errors that name the file and the path of the member:
// "buildpack.toml: buildpack.clear-env must be true or false, not text". Unknown members are ignored, as
// the lifecycle does; null counts as absent.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace cib::cnb {

// Parses hostile JSON within the limits of toml.hpp. `what` names it in errors. Throws Error(configuration).
nlohmann::json parse_json(std::string_view text, std::string_view what);

// A TOML document (toml.hpp) as a parsed object.
nlohmann::json parse_toml(std::string_view text, std::string_view file_name);

// "text", "a number", "true or false", "a list", "a table", "nothing".
std::string_view kind_of(const nlohmann::json& value);

// One table of a document and where it is. Holds references: the document and the texts must outlive it.
// All readers throw Error(configuration) when the member has another type.
class Fields {
 public:
  // `file` and `path` ("buildpack", "order[1].group"; empty at the top) are for messages.
  // Throws when `table` is no table.
  Fields(const nlohmann::json& table, std::string_view file, std::string path = "");

  const nlohmann::json& value() const { return m_table; }
  bool has(const std::string& key) const;
  // Empty or false when the member is absent.
  std::string text(const std::string& key) const;
  bool flag(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;
  // Throws when the member is absent or empty.
  std::string required_text(const std::string& key) const;
  // A table; an absent one reads as empty.
  Fields table(const std::string& key) const;
  // A list of tables; none when absent.
  std::vector<Fields> tables(const std::string& key) const;
  // A table as canonical JSON text; "null" when absent.
  std::string data(const std::string& key) const;
  // Throws "<file>: <path>.<key> <message>".
  [[noreturn]] void fail(const std::string& key, std::string_view message) const;

 private:
  const nlohmann::json* find(const std::string& key) const;
  std::string path_of(const std::string& key) const;

  const nlohmann::json& m_table;
  std::string_view m_file;
  std::string m_path;
};

}  // namespace cib::cnb
