#include "cnb/order.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cnb/buildpack.hpp"
#include "cnb/fields.hpp"
#include "cnb/toml.hpp"

namespace cib::cnb {
namespace {

using nlohmann::json;

json to_json(const Order& order) {
  json groups = json::array();
  for (const Group& group : order) {
    json elements = json::array();
    for (const GroupElement& element : group) {
      json object = {{"id", element.id}};
      if (!element.version.empty()) object["version"] = element.version;
      if (element.optional) object["optional"] = true;
      elements.push_back(std::move(object));
    }
    groups.push_back({{"group", std::move(elements)}});
  }
  return groups;
}

}  // namespace

Order order_of(const Fields& fields, const std::string& key) {
  Order order;
  for (const Fields& entry : fields.tables(key)) {
    Group group;
    for (const Fields& element : entry.tables("group")) {
      GroupElement parsed{element.required_text("id"), element.text("version"), element.flag("optional")};
      if (const std::string fault = id_fault(parsed.id); !fault.empty()) element.fail("id", fault);
      if (!parsed.version.empty())
        if (const std::string fault = version_fault(parsed.version); !fault.empty()) element.fail("version", fault);
      group.push_back(std::move(parsed));
    }
    order.push_back(std::move(group));
  }
  return order;
}

Order parse_order_toml(std::string_view text, std::string_view file_name) {
  const json document = parse_toml(text, file_name);
  const Fields fields(document, file_name);
  if (!order_of(fields, "order-extensions").empty())
    throw Error(ExitCode::configuration, fmt::format("{}: the order contains image extensions", file_name))
        .why("image extensions (Dockerfiles) are not supported")
        .next("use a builder whose order has no extensions");
  return order_of(fields, "order");
}

Order parse_order_json(std::string_view text, std::string_view what) {
  const json document = {{"order", parse_json(text, what)}};
  return order_of(Fields(document, what), "order");
}

std::string order_to_json(const Order& order) { return to_json(order).dump(); }

std::string order_to_toml(const Order& order) { return json_to_toml(json{{"order", to_json(order)}}.dump()); }

}  // namespace cib::cnb
