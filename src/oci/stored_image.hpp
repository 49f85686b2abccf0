// An image whose parts are at hand: what the layout, the archive and the exporter give out as Image.
#pragma once

#include <functional>

#include "oci/image.hpp"

namespace cib::oci {

class StoredLayer : public Layer {
 public:
  using Open = std::function<std::unique_ptr<Source>()>;
  StoredLayer(Descriptor descriptor, Digest diff_id, Open open)
      : m_descriptor(std::move(descriptor)), m_diff_id(diff_id), m_open(std::move(open)) {}
  const Descriptor& descriptor() const override { return m_descriptor; }
  const Digest& diff_id() const override { return m_diff_id; }
  std::unique_ptr<Source> open() const override { return m_open(); }

 private:
  Descriptor m_descriptor;
  Digest m_diff_id;
  Open m_open;
};

class StoredImage : public Image {
 public:
  // Parses both documents; `open` gives the blob of a layer. Throws Error(configuration) when the number of
  // layers is not the number of diffIDs.
  StoredImage(std::string name, std::string manifest_json, std::string config_json,
              std::function<std::unique_ptr<Source>(const Descriptor&)> open);

  const std::string& name() const override { return m_name; }
  const Manifest& manifest() const override { return m_manifest; }
  const ImageConfig& config() const override { return m_config; }
  const Digest& digest() const override { return m_digest; }
  const std::string& manifest_json() const override { return m_manifest_json; }
  const std::string& config_json() const override { return m_config_json; }
  const std::vector<std::shared_ptr<const Layer>>& layers() const override { return m_layers; }

 private:
  std::string m_name;
  std::string m_manifest_json;
  std::string m_config_json;
  Manifest m_manifest;
  ImageConfig m_config;
  Digest m_digest;
  std::vector<std::shared_ptr<const Layer>> m_layers;
};

}  // namespace cib::oci
