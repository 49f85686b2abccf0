#include "helpers.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/entry_name.hpp"

namespace cib::store::test {

Tar& Tar::add(oci::TarHeader header, std::string_view text) {
  header.mtime = time;
  header.size = text.size();
  oci::TarWriter writer(m_sink);
  writer.header(header);
  writer.contents(as_bytes(text));
  return *this;
}

Tar& Tar::folder(const std::string& name, std::uint32_t mode, std::uint64_t uid, std::uint64_t gid) {
  return add({.name = name, .type = Type::folder, .mode = mode, .uid = uid, .gid = gid});
}
Tar& Tar::file(const std::string& name, std::string_view text, std::uint32_t mode, std::uint64_t uid, std::uint64_t gid) {
  return add({.name = name, .type = Type::file, .mode = mode, .uid = uid, .gid = gid}, text);
}
Tar& Tar::symlink(const std::string& name, const std::string& target) {
  return add({.name = name, .type = Type::symlink, .mode = 0777, .link = target});
}
Tar& Tar::link(const std::string& name, const std::string& target) {
  return add({.name = name, .type = Type::hard_link, .mode = 0644, .link = target});
}
Tar& Tar::whiteout(const std::string& folder, const std::string& name) {
  return file(folder.empty() ? ".wh." + name : folder + "/.wh." + name, "");
}
Tar& Tar::opaque(const std::string& folder) {
  return file(folder.empty() ? ".wh..wh..opq" : folder + "/.wh..wh..opq", "");
}
Tar& Tar::device(const std::string& name, Type type, std::uint32_t major, std::uint32_t minor) {
  return add({.name = name, .type = type, .mode = 0644, .device_major = major, .device_minor = minor});
}
Tar& Tar::fifo(const std::string& name, std::uint32_t mode) { return add({.name = name, .type = Type::fifo, .mode = mode}); }

std::string Tar::bytes() const { return m_sink.text + std::string(1024, '\0'); }

MemoryLayer::MemoryLayer(const std::string& tar, Form form) : m_diff_id(oci::sha256_of(tar)) {
  if (form == Form::plain) {
    m_blob = tar;
  } else {
    StringSink blob;
    oci::GzipSink gzip(blob, nullptr);
    gzip.write(as_bytes(tar));
    gzip.finish();
    m_blob = blob.text;
  }
  m_descriptor.media_type = std::string(form == Form::plain ? oci::media_type::oci_layer : oci::media_type::oci_layer_gzip);
  m_descriptor.digest = oci::sha256_of(m_blob);
  m_descriptor.size = m_blob.size();
}

std::unique_ptr<Source> MemoryLayer::open() const { return std::make_unique<MemorySource>(m_blob); }

namespace {

void list_below(const fs::path& folder, const std::string& path, std::string& text) {
  for (const auto& entry : list_folder(folder / path)) {
    const std::string below = join_name(path, entry.name);
    struct stat info;
    if (::lstat((folder / below).c_str(), &info) != 0) throw system_error(errno, below);
    text += fmt::format("{} {} {:04o} {}:{}", below, "?pc?d?b?-?l?s?w?"[entry.type], info.st_mode & 07777, info.st_uid,
                        info.st_gid);
    if (S_ISLNK(info.st_mode)) text += " -> " + fs::read_symlink(folder / below).string();
    if (S_ISREG(info.st_mode)) text += fmt::format(" '{}' {}", read_file(folder / below), info.st_mtim.tv_sec);
    text += '\n';
    if (S_ISDIR(info.st_mode)) list_below(folder, below, text);
  }
}

}  // namespace

std::string listing(const fs::path& folder) {
  std::string text;
  list_below(folder, "", text);
  return text;
}

Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no Error was thrown";
  return Error(ExitCode::ok, "");
}

Extracted extract_to(const fs::path& folder, const std::string& tar, ExtractOptions::Mode mode) {
  ExtractOptions options;
  options.mode = mode;
  options.name = "layer under test";
  options.change_owner = is_root();
  MemorySource source(tar);
  return extract(source, folder, options);
}

bool is_root() { return ::geteuid() == 0; }

std::string in_child(const std::function<std::string()>& body) {
  int ends[2];
  if (::pipe(ends) != 0) throw system_error(errno, "pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text;
    try {
      text = "+" + body();
    } catch (const Error& error) {
      text = "-" + error.message();
    } catch (const std::exception& error) {
      text = std::string("-") + error.what();
    }
    FdSink(ends[1], "pipe").write(as_bytes(text));
    ::_exit(0);
  }
  ::close(ends[1]);
  FileSource source(Fd{ends[0]}, "pipe");
  const std::string text = read_all(source, 1 << 26);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(text.starts_with("+")) << text;
  return text.empty() ? "" : text.substr(1);
}

}  // namespace cib::store::test
