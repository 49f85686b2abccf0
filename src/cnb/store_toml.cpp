#include "cnb/store_toml.hpp"

#include <nlohmann/json.hpp>

#include "cnb/fields.hpp"
#include "cnb/step_error.hpp"
#include "cnb/toml.hpp"

namespace cib::cnb {

std::string parse_store_toml(std::string_view text, std::string_view file, ExitCode code) {
  return with_exit_code(code, [&] {
    const nlohmann::json document = parse_toml(text, file);
    return R"({"metadata":)" + Fields(document, file).data("metadata") + "}";
  });
}

std::string write_store_toml(const std::string& store_json) {
  const nlohmann::json store = parse_json(store_json.empty() ? "null" : store_json, "store.toml");
  if (!store.is_object() || !store.contains("metadata")) return "";
  return json_to_toml(nlohmann::json{{"metadata", store["metadata"]}}.dump());
}

}  // namespace cib::cnb
