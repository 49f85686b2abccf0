// What buildpacks bring and leave behind, as TOML.
#include "cnb/buildpack.hpp"
#include "cnb/launch.hpp"
#include "cnb/layer_metadata.hpp"
#include "cnb/order.hpp"
#include "cnb/plan.hpp"
#include "cnb/store_toml.hpp"
#include "guard.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace cib::cnb;
  const auto text = cib::fuzz::text_of(data, size);
  cib::fuzz::guarded([&] { parse_buildpack_toml(text, "x"); });
  cib::fuzz::guarded([&] { parse_build_plan(text, "x"); });
  cib::fuzz::guarded([&] { parse_order_toml(text, "x"); });
  cib::fuzz::guarded([&] { restored_layer_toml(parse_layer_toml(text, "x").data_json); });
  cib::fuzz::guarded([&] { parse_launch_toml(text, "x", BuildpackApi(0, 8)); });
  cib::fuzz::guarded([&] { parse_launch_toml(text, "x", BuildpackApi(0, 12)); });
  cib::fuzz::guarded([&] { parse_build_toml(text, "x", {"a"}); });
  cib::fuzz::guarded([&] { write_store_toml(parse_store_toml(text, "x")); });
  return 0;
}
