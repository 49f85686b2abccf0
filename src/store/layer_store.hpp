// Unpacked layers, each once per diffID, shared by all builds of the machine.
//
//   layers/<hex>/tree/     the layer's files, with overlayfs's marks where they can be made
//   layers/<hex>/complete  LayerRecord
//   layers/<hex>/owners    owners and modes as the archive states them
//   layers/<hex>.lock      shared: somebody uses it; exclusive: somebody unpacks or removes it
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

#include "base/file.hpp"
#include "oci/image.hpp"
#include "store/layer_record.hpp"
#include "store/store.hpp"

namespace cib::store {

// Nobody removes the layer as long as this (or a copy) lives. The tree must not be written.
struct UnpackedLayer {
  fs::path path;  // the tree
  oci::Digest diff_id;
  std::shared_ptr<const LayerRecord> record;
  std::shared_ptr<const FileLock> lock;

  // The file of owners and modes; see read_owners().
  fs::path owners() const { return path.parent_path() / "owners"; }
};

class LayerStore {
 public:
  // Bytes of the blob that were read, of the total that its descriptor states. Called on a thread that reads ahead.
  using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

  // The store must outlive this.
  explicit LayerStore(const Store& store) : m_store(store) {}

  // The layer, unpacked and verified (blob digest and diffID) if it was not yet. Waits while another process or thread
  // unpacks the same one. `image` is for messages: "oci:DIR". May be called from several threads. Throws
  // Error(configuration) for a layer that is refused, Error(disk), Error(interrupted), and whatever the layer's source does.
  UnpackedLayer get(const oci::Layer& layer, std::string_view image, const Progress& progress = {},
                    std::stop_token stop = {}) const;

  // The layer if it is there already.
  std::optional<UnpackedLayer> find(const oci::Digest& diff_id) const;

 private:
  std::optional<UnpackedLayer> open(const oci::Digest& diff_id, FileLock lock) const;
  void unpack(const oci::Layer& layer, std::string_view image, const Progress& progress, std::stop_token stop) const;

  const Store& m_store;
};

}  // namespace cib::store
