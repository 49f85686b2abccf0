// Environment: files of the user and what bundles of variables say.
#include "cnb/platform_env.hpp"
#include "cnb/target.hpp"
#include "guard.hpp"
#include "store/layer_record.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace cib::cnb;
  const auto text = cib::fuzz::text_of(data, size);
  const HostEnv none = [](const std::string&) { return std::nullopt; };
  cib::fuzz::guarded([&] { parse_env_file(text, "x", none); });
  cib::fuzz::guarded([&] { distro_of_os_release(text); });
  cib::fuzz::guarded([&] { cib::store::parse_record(text); });
  return 0;
}
