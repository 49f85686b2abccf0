#include "oci/stored_image.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace cib::oci {

StoredImage::StoredImage(std::string name, std::string manifest_json, std::string config_json,
                         std::function<std::unique_ptr<Source>(const Descriptor&)> open)
    : m_name(std::move(name)),
      m_manifest_json(std::move(manifest_json)),
      m_config_json(std::move(config_json)),
      m_manifest(parse_manifest(m_manifest_json)),
      m_config(parse_config(m_config_json)),
      m_digest(sha256_of(m_manifest_json)) {
  if (m_manifest.layers.size() != m_config.diff_ids.size())
    throw Error(ExitCode::configuration, fmt::format("{}: the manifest has {} layers, the configuration {} diffIDs",
                                                     m_name, m_manifest.layers.size(), m_config.diff_ids.size()));
  for (std::size_t i = 0; i < m_manifest.layers.size(); ++i) {
    const Descriptor& descriptor = m_manifest.layers[i];
    m_layers.push_back(std::make_shared<StoredLayer>(descriptor, m_config.diff_ids[i],
                                                     [open, descriptor] { return open(descriptor); }));
  }
}

}  // namespace cib::oci
