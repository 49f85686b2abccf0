#include "build/layer_pipeline.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "oci/compression.hpp"
#include "oci/stored_image.hpp"

namespace cib::build {

namespace {

using How = event::LayerDone::How;

// Hands everything on to a writer, hashing and counting it.
class HashedBlob : public Sink {
 public:
  HashedBlob(oci::ImageTarget& target, const std::stop_token& stop) : m_stop(stop), m_writer(target.begin_blob()) {}
  void write(Bytes bytes) override {
    throw_if_stopped(m_stop);
    m_hash.write(bytes);
    m_writer->write(bytes);
  }
  std::uint64_t size() const { return m_hash.size(); }
  oci::Digest finish() { return m_hash.finish(); }
  void commit(const oci::Digest& digest) { m_writer->commit(digest); }

 private:
  std::stop_token m_stop;
  oci::Sha256 m_hash;
  std::unique_ptr<oci::BlobWriter> m_writer;
};

// Everything to several sinks.
class Fan : public Sink {
 public:
  std::vector<Sink*> sinks;
  void write(Bytes bytes) override {
    for (Sink* sink : sinks) sink->write(bytes);
  }
};

// Copies what is read into a sink.
class TeeSource : public Source {
 public:
  TeeSource(std::unique_ptr<Source> source, Sink& sink) : m_source(std::move(source)), m_sink(sink) {}
  std::size_t read(std::span<std::byte> buffer) override {
    const std::size_t count = m_source->read(buffer);
    m_sink.write(Bytes(buffer).first(count));
    return count;
  }

 private:
  std::unique_ptr<Source> m_source;
  Sink& m_sink;
};

}  // namespace

LayerPipeline::LayerPipeline(std::vector<oci::ImageTarget*> targets, std::shared_ptr<const oci::Image> previous,
                             bool docker_types, unsigned jobs, EventSink& events, std::stop_token stop)
    : m_targets(std::move(targets)),
      m_previous(std::move(previous)),
      m_docker_types(docker_types),
      m_jobs(jobs),
      m_events(events),
      m_stop(std::move(stop)),
      m_pool(jobs) {}

std::string_view LayerPipeline::plain_type() const {
  return m_docker_types ? oci::media_type::docker_layer : oci::media_type::oci_layer;
}
std::string_view LayerPipeline::gzip_type() const {
  return m_docker_types ? oci::media_type::docker_layer_gzip : oci::media_type::oci_layer_gzip;
}

std::vector<LayerDone> LayerPipeline::make(const std::vector<LayerJob>& jobs) {
  std::vector<LayerDone> done(jobs.size());
  std::vector<std::optional<std::string>> reasons(jobs.size());
  std::mutex mutex;
  std::size_t told = 0;
  for_each_index(m_jobs, jobs.size(), [&](std::size_t i) {
    std::string reason;
    try {
      done[i] = one(jobs[i], reason);
    } catch (Error& error) {
      throw error.category() == Category::cancelled ? error : error.within(jobs[i].name);
    }
    // They end in any order, and are told in the image's.
    std::lock_guard lock(mutex);
    reasons[i] = std::move(reason);
    for (; told < jobs.size() && reasons[told]; ++told) tell(jobs[told], done[told], *reasons[told]);
  });
  return done;
}

void LayerPipeline::tell(const LayerJob& job, const LayerDone& done, const std::string& reason) {
  m_events.on(event::LayerDone{.where = event::LayerDone::Where::image,
                               .how = done.how,
                               .name = job.name,
                               .size = done.tar_size ? done.tar_size : done.descriptor.size,
                               .diff_id = done.diff_id.str(),
                               .reason = reason});
}

LayerDone LayerPipeline::one(const LayerJob& job, std::string& reason) {
  LayerDone done;
  if (job.untouched && reuse(*job.untouched)) {
    done.diff_id = *job.untouched;
    done.how = How::reused;
    reason = job.why_untouched;
  } else if (!job.tar) {
    throw Error(ExitCode::export_image, "the previous image no longer holds this layer")
        .next("build once without the previous image");
  } else {
    const auto held = [&](const oci::Digest& diff_id) { return m_previous && oci::find_layer(*m_previous, diff_id) >= 0; };
    bool same = false;
    if (std::any_of(job.previous.begin(), job.previous.end(), held)) {
      oci::Sha256 hash;
      job.tar(hash, m_stop);
      done.tar_size = hash.size();
      done.diff_id = hash.finish();
      same = std::find(job.previous.begin(), job.previous.end(), done.diff_id) != job.previous.end() && reuse(done.diff_id);
    }
    if (same) {
      done.how = How::same;
      reason = "its contents are those of the previous image";
    } else {
      done = write(job);
      if (!job.previous.empty()) reason = "its contents changed";
    }
  }
  done.descriptor = descriptor(m_targets.front(), done.diff_id);
  return done;
}

// The single pass. Plain and compressed targets get the same tar.
LayerDone LayerPipeline::write(const LayerJob& job) {
  oci::Sha256 diff_id;
  Fan tar, compressed;
  tar.sinks.push_back(&diff_id);
  std::vector<std::unique_ptr<HashedBlob>> blobs;
  for (oci::ImageTarget* target : m_targets) {
    blobs.push_back(std::make_unique<HashedBlob>(*target, m_stop));
    (target->wants_compression() ? compressed : tar).sinks.push_back(blobs.back().get());
  }
  if (Sink* copy = job.copy_to ? job.copy_to() : nullptr) tar.sinks.push_back(copy);
  std::optional<oci::GzipSink> gzip;
  if (!compressed.sinks.empty()) {
    gzip.emplace(compressed, &m_pool, m_jobs + 1);
    tar.sinks.push_back(&*gzip);
  }
  job.tar(tar, m_stop);
  if (gzip) gzip->finish();

  LayerDone done;
  done.how = How::fresh;
  done.tar_size = diff_id.size();
  done.diff_id = diff_id.finish();
  done.copied = static_cast<bool>(job.copy_to);
  for (std::size_t i = 0; i < m_targets.size(); ++i) {
    const oci::Digest digest = blobs[i]->finish();
    const bool had = m_targets[i]->has(digest);
    if (!had) blobs[i]->commit(digest);
    std::lock_guard lock(m_mutex);
    if (!had) m_written[m_targets[i]] += blobs[i]->size();
    m_descriptors[{m_targets[i], done.diff_id}] = {
        .media_type = std::string(m_targets[i]->wants_compression() ? gzip_type() : plain_type()),
        .digest = digest,
        .size = blobs[i]->size()};
  }
  return done;
}

bool LayerPipeline::reuse(const oci::Digest& diff_id) {
  if (!m_previous) return false;
  const int index = oci::find_layer(*m_previous, diff_id);
  if (index < 0) return false;
  const oci::Layer& layer = *m_previous->layers()[static_cast<std::size_t>(index)];
  try {
    // Another image than the target's own may call a blob that the target has by a diffID that is not the blob's.
    for (const oci::ImageTarget* target : m_targets)
      if (target->wants_compression() && target->name() != m_previous->name() && target->has(layer.descriptor().digest)) {
        NullSink rest;
        copy(*oci::open_tar(layer), rest);
        break;
      }
    copy_layer(layer);
    return true;
  } catch (const Error& error) {
    // A previous image that is damaged is one that cannot be reused; where to write, though, must work.
    if (error.code() != ExitCode::configuration) throw;
    m_events.on(event::Warning{fmt::format("a layer of the previous image cannot be reused: {}", error.message()), ""});
    return false;
  }
}

void LayerPipeline::copy_layers(const oci::Image& image) {
  for_each_index(m_jobs, image.layers().size(), [&](std::size_t i) {
    throw_if_stopped(m_stop);
    try {
      copy_layer(*image.layers()[i]);
    } catch (Error& error) {
      throw error.within(image.name());
    }
  });
}

void LayerPipeline::copy_layer(const oci::Layer& layer) {
  for (oci::ImageTarget* target : m_targets) {
    const bool as_is = target->wants_compression();
    oci::Descriptor descriptor = layer.descriptor();
    if (!as_is) {
      descriptor.digest = layer.diff_id();
      descriptor.media_type = plain_type();
    }
    if (!target->has(descriptor.digest)) {
      HashedBlob blob(*target, m_stop);
      NullSink rest;
      if (as_is) {
        // Reading the layer's tar to its end proves both digests of the bytes that pass.
        const oci::StoredLayer teed(layer.descriptor(), layer.diff_id(),
                                    [&] { return std::make_unique<TeeSource>(layer.open(), blob); });
        copy(*oci::open_tar(teed), rest);
      } else {
        copy(*oci::open_tar(layer), blob);
      }
      blob.commit(descriptor.digest);
      descriptor.size = blob.size();
      std::lock_guard lock(m_mutex);
      m_written[target] += blob.size();
    } else if (!as_is) {
      // An earlier layer of this image with the same contents: its size is in the manifest already.
      std::lock_guard lock(m_mutex);
      if (const auto known = m_descriptors.find({target, layer.diff_id()}); known != m_descriptors.end())
        descriptor.size = known->second.size;
    }
    std::lock_guard lock(m_mutex);
    m_descriptors.insert_or_assign({target, layer.diff_id()}, std::move(descriptor));
  }
}

const oci::Descriptor& LayerPipeline::descriptor(const oci::ImageTarget* target, const oci::Digest& diff_id) const {
  std::lock_guard lock(m_mutex);
  return m_descriptors.at({target, diff_id});
}

std::uint64_t LayerPipeline::written(const oci::ImageTarget* target) const {
  std::lock_guard lock(m_mutex);
  const auto found = m_written.find(target);
  return found == m_written.end() ? 0 : found->second;
}

}  // namespace cib::build
