// Tars, layers and listings for the store's tests.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
#include "oci/compression.hpp"
#include "oci/image.hpp"
#include "oci/tar_writer.hpp"
#include "store/extract.hpp"

namespace cib::store::test {

// A tar archive, entry by entry. Names stand as given.
class Tar {
 public:
  using Type = oci::TarHeader::Type;
  Tar& folder(const std::string& name, std::uint32_t mode = 0755, std::uint64_t uid = 0, std::uint64_t gid = 0);
  Tar& file(const std::string& name, std::string_view text, std::uint32_t mode = 0644, std::uint64_t uid = 0,
            std::uint64_t gid = 0);
  Tar& symlink(const std::string& name, const std::string& target);
  Tar& link(const std::string& name, const std::string& target);
  Tar& whiteout(const std::string& folder, const std::string& name);
  Tar& opaque(const std::string& folder);
  Tar& device(const std::string& name, Type type, std::uint32_t major, std::uint32_t minor);
  Tar& fifo(const std::string& name, std::uint32_t mode = 0644);
  std::string bytes() const;  // with the end of the archive

  static constexpr std::int64_t time = 1'000'000'000;  // of all entries

 private:
  Tar& add(oci::TarHeader header, std::string_view text = {});
  StringSink m_sink;
};

class MemoryLayer : public oci::Layer {
 public:
  enum class Form { plain, gzip };
  explicit MemoryLayer(const Tar& tar, Form form = Form::gzip) : MemoryLayer(tar.bytes(), form) {}
  explicit MemoryLayer(const std::string& tar, Form form = Form::gzip);
  const oci::Descriptor& descriptor() const override { return m_descriptor; }
  const oci::Digest& diff_id() const override { return m_diff_id; }
  std::unique_ptr<Source> open() const override;

  // For layers that lie about themselves.
  oci::Descriptor m_descriptor;
  oci::Digest m_diff_id;
  std::string m_blob;
};

// The tree below a folder, one line an entry: path, type, mode, uid, gid, and contents or target. Modes and owners can
// be left out. Sorted.
std::string listing(const fs::path& folder);

// What the Error thrown by the body says; fails the test if none is thrown.
Error error_of(const std::function<void()>& body);

// Extracts with the options (name, mode and owners as a test wants them most often).
Extracted extract_to(const fs::path& folder, const std::string& tar, ExtractOptions::Mode mode);

bool is_root();

// Runs the body in a forked child and gives what it returned; a body that throws fails the test.
std::string in_child(const std::function<std::string()>& body);

}  // namespace cib::store::test
