// Manifests, indexes and configurations of images.
#include "guard.hpp"
#include "oci/config.hpp"
#include "oci/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto text = cib::fuzz::text_of(data, size);
  cib::fuzz::guarded([&] { cib::oci::is_index(text); });
  cib::fuzz::guarded([&] { to_json(cib::oci::parse_index(text)); });
  cib::fuzz::guarded([&] {
    const auto manifest = cib::oci::parse_manifest(text);
    if (!(cib::oci::parse_manifest(to_json(manifest)) == manifest)) std::abort();
  });
  cib::fuzz::guarded([&] { cib::oci::parse_config(to_json(cib::oci::parse_config(text))); });
  return 0;
}
