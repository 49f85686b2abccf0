// report.toml: what became of an export (platform spec "report.toml").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cib::cnb {

struct ReportImage {
  std::vector<std::string> tags;    // names under which the image was saved
  std::string digest;               // of the manifest; empty when nothing has one
  std::string image_id;             // digest of the configuration, where that is what names it (an archive)
  std::uint64_t manifest_size = 0;  // bytes; 0 when unknown
};

// Members that are empty are left out.
std::string write_report_toml(const ReportImage& image);

}  // namespace cib::cnb
