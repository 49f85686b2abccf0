#include "build/layer_writer.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/error.hpp"
#include "oci/compression.hpp"

namespace cib::build {

namespace {

// Lets a stop request end whatever writes through it.
class StoppableSink : public Sink {
 public:
  StoppableSink(Sink& sink, const std::stop_token& stop) : m_sink(sink), m_stop(stop) {}
  void write(Bytes bytes) override {
    throw_if_stopped(m_stop);
    m_sink.write(bytes);
  }

 private:
  Sink& m_sink;
  const std::stop_token& m_stop;
};

// The OCI name of a layer's format: targets get OCI manifests whatever the origin had.
std::string oci_type(const std::string& type) {
  if (type == oci::media_type::docker_layer_gzip) return std::string(oci::media_type::oci_layer_gzip);
  if (type == oci::media_type::docker_layer) return std::string(oci::media_type::oci_layer);
  return type;
}

bool is_plain(const std::string& type) { return oci_type(type) == oci::media_type::oci_layer; }

}  // namespace

LayerWriter::LayerWriter(oci::ImageTarget& target, std::vector<std::shared_ptr<const oci::Image>> known, TaskPool& pool,
                         std::stop_token stop)
    : m_target(target), m_known(std::move(known)), m_pool(pool), m_stop(std::move(stop)) {}

PlacedLayer LayerWriter::make(const std::function<void(Sink&)>& produce) {
  if (!m_known.empty()) {
    oci::Sha256 hash;
    StoppableSink sink(hash, m_stop);
    produce(sink);
    const oci::Digest diff_id = hash.finish();
    for (const auto& image : m_known)
      if (const int at = oci::find_layer(*image, diff_id); at >= 0)
        return copy(*image->layers()[static_cast<std::size_t>(at)]);
  }
  return write(produce);
}

PlacedLayer LayerWriter::write(const std::function<void(Sink&)>& produce) {
  const auto blob = m_target.begin_blob();
  oci::Sha256 plain, stored;
  TeeSink to_blob(stored, *blob);
  PlacedLayer placed;
  if (m_target.wants_compression()) {
    oci::GzipSink gzip(to_blob, &m_pool);
    TeeSink tee(plain, gzip);
    StoppableSink sink(tee, m_stop);
    produce(sink);
    gzip.finish();
    placed.descriptor.media_type = oci::media_type::oci_layer_gzip;
  } else {
    TeeSink tee(plain, to_blob);
    StoppableSink sink(tee, m_stop);
    produce(sink);
    placed.descriptor.media_type = oci::media_type::oci_layer;
  }
  placed.descriptor.size = placed.written = stored.size();
  placed.descriptor.digest = stored.finish();
  placed.diff_id = plain.finish();
  blob->commit(placed.descriptor.digest);
  return placed;
}

PlacedLayer LayerWriter::copy(const oci::Layer& layer) {
  PlacedLayer placed;
  placed.descriptor.media_type = oci_type(layer.descriptor().media_type);
  placed.descriptor.digest = layer.descriptor().digest;
  placed.descriptor.size = layer.descriptor().size;
  placed.diff_id = layer.diff_id();
  // The stored form is wanted as it is, compressed or not.
  if (m_target.wants_compression() != is_plain(placed.descriptor.media_type)) {
    if (m_target.has(placed.descriptor.digest)) return placed;
    const auto blob = m_target.begin_blob();
    oci::Sha256 stored;
    TeeSink tee(stored, *blob);
    StoppableSink sink(tee, m_stop);
    const auto source = layer.open();
    cib::copy(*source, sink);
    const oci::Digest digest = stored.finish();
    if (digest != placed.descriptor.digest)
      throw Error(ExitCode::configuration, fmt::format("layer {} is damaged", placed.descriptor.digest.brief()))
          .why(fmt::format("its bytes have the digest {}", digest.brief()));
    blob->commit(digest);
    placed.written = placed.descriptor.size;
    return placed;
  }
  return write([&](Sink& sink) {
    const auto tar = oci::open_tar(layer);
    cib::copy(*tar, sink);
  });
}

}  // namespace cib::build
