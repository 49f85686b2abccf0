#include "cnb/report_toml.hpp"

#include <fmt/format.h>

#include "cnb/go_toml.hpp"

namespace cib::cnb {

std::string write_report_toml(const ReportImage& image) {
  std::string out = "[image]\n";
  if (!image.tags.empty()) out += fmt::format("  tags = {}\n", go_toml_array(image.tags));
  if (!image.image_id.empty()) out += fmt::format("  image-id = {}\n", go_toml_string(image.image_id));
  if (!image.digest.empty()) out += fmt::format("  digest = {}\n", go_toml_string(image.digest));
  if (image.manifest_size != 0) out += fmt::format("  manifest-size = {}\n", image.manifest_size);
  return out;
}

}  // namespace cib::cnb
