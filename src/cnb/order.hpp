// Orders: groups of buildpacks to try one after the other (order.toml, the order label of a builder,
// [[order]] of a composite buildpack; spec: platform.md "order.toml", distribution.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cib::cnb {

class Fields;

struct GroupElement {
  std::string id;
  std::string version;  // empty: the only one there is
  bool optional = false;
  bool operator==(const GroupElement&) const = default;
};
using Group = std::vector<GroupElement>;
using Order = std::vector<Group>;

// order.toml. Throws Error(configuration) for what is malformed, and when it names image extensions
// ([[order-extensions]]), which are not supported.
Order parse_order_toml(std::string_view text, std::string_view file_name);

// The label io.buildpacks.buildpack.order: [{"group":[{"id","version"?,"optional"?}]}]; null is an empty
// order. `what` names it in errors. Throws Error(configuration).
Order parse_order_json(std::string_view text, std::string_view what);

// The list of groups in member `key` of a parsed document; empty when absent. Throws Error(configuration).
Order order_of(const Fields& fields, const std::string& key);

// The same shapes, written: canonical JSON of the label, and order.toml.
std::string order_to_json(const Order& order);
std::string order_to_toml(const Order& order);

}  // namespace cib::cnb
