// Labels of images: what previous images, caches and builders say about themselves.
#include "cnb/builder.hpp"
#include "cnb/cache_metadata.hpp"
#include "cnb/layer_metadata.hpp"
#include "cnb/order.hpp"
#include "guard.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace cib::cnb;
  const auto text = cib::fuzz::text_of(data, size);
  cib::fuzz::guarded([&] {
    if (const auto metadata = parse_app_metadata(text)) to_json(*metadata);
  });
  cib::fuzz::guarded([&] { to_json(parse_cache_metadata(text)); });
  cib::fuzz::guarded([&] { order_to_json(parse_order_json(text, "x")); });
  cib::fuzz::guarded([&] { to_json(parse_buildpack_table(text, "x")); });
  return 0;
}
