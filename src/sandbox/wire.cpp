#include "sandbox/wire.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace cib::sandbox {

namespace {

constexpr std::size_t inline_limit = 32 << 10;  // larger payloads travel in a memory file
constexpr std::size_t most_fds = 8;

Fd memory_file(std::string_view text) {
  Fd file(memfd_create("packet", MFD_CLOEXEC));
  if (!file) throw system_error(errno, "memfd_create");
  FdSink(file.get(), "packet").write(as_bytes(text));
  return file;
}

std::string read_memory_file(int fd) {
  struct stat info{};
  if (fstat(fd, &info) != 0) throw system_error(errno, "packet");
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t got = pread(fd, text.data() + done, text.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw system_error(got < 0 ? errno : EIO, "packet");
    done += static_cast<std::size_t>(got);
  }
  return text;
}

}  // namespace

Writer& Writer::number(std::uint64_t value) {
  std::array<char, sizeof value> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);
  m_payload.append(bytes.data(), bytes.size());
  return *this;
}

Writer& Writer::text(std::string_view value) {
  number(value.size());
  m_payload.append(value);
  return *this;
}

Writer& Writer::texts(const std::vector<std::string>& values) {
  number(values.size());
  for (const std::string& value : values) text(value);
  return *this;
}

std::uint64_t Reader::number() {
  std::uint64_t value = 0;
  if (m_rest.size() < sizeof value) throw Error(ExitCode::bug, "a packet of the sandbox helper is too short");
  std::memcpy(&value, m_rest.data(), sizeof value);
  m_rest.remove_prefix(sizeof value);
  return value;
}

std::string Reader::text() {
  const std::uint64_t size = number();
  if (m_rest.size() < size) throw Error(ExitCode::bug, "a packet of the sandbox helper is too short");
  std::string value(m_rest.substr(0, size));
  m_rest.remove_prefix(size);
  return value;
}

std::vector<std::string> Reader::texts() {
  std::vector<std::string> values;
  for (std::uint64_t count = number(); count > 0; --count) values.push_back(text());
  return values;
}

std::pair<Fd, Fd> socket_pair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw system_error(errno, "socketpair");
  return {Fd(ends[0]), Fd(ends[1])};
}

void send_packet(int socket, Kind kind, std::string_view payload, const std::vector<int>& fds) {
  std::array<char, 2> head{static_cast<char>(kind), 0};
  std::vector<int> passed;
  Fd file;
  if (payload.size() > inline_limit) {
    file = memory_file(payload);
    head[1] = 1;
    passed.push_back(file.get());
    payload = {};
  }
  passed.insert(passed.end(), fds.begin(), fds.end());
  if (passed.size() > most_fds) throw Error(ExitCode::bug, "too many descriptors in a packet");

  std::array<iovec, 2> parts{{{head.data(), head.size()}, {const_cast<char*>(payload.data()), payload.size()}}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(most_fds * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  if (!passed.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(passed.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(passed.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), passed.data(), passed.size() * sizeof(int));
  }
  while (sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) throw system_error(errno, "sandbox helper");
  }
}

std::optional<Packet> receive_packet(int socket, bool wait) {
  std::array<char, 2> head{};
  std::string payload(inline_limit, '\0');
  std::array<iovec, 2> parts{{{head.data(), head.size()}, {payload.data(), payload.size()}}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(most_fds * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  while ((got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT))) < 0) {
    if (errno == EINTR) continue;
    if (errno == ECONNRESET || (!wait && errno == EAGAIN)) return std::nullopt;
    throw system_error(errno, "sandbox helper");
  }
  if (got == 0) return std::nullopt;

  Packet packet{static_cast<Kind>(head[0]), {}, {}};
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      packet.fds.emplace_back(fd);
    }
  }
  if (static_cast<std::size_t>(got) < head.size() || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
    throw Error(ExitCode::bug, "a packet of the sandbox helper is cut off");
  payload.resize(static_cast<std::size_t>(got) - head.size());
  if (head[1] == 1) {
    if (packet.fds.empty()) throw Error(ExitCode::bug, "a packet of the sandbox helper lacks its payload");
    payload = read_memory_file(packet.fds.front().get());
    packet.fds.erase(packet.fds.begin());
  }
  packet.payload = std::move(payload);
  return packet;
}

std::string encode_error(const Error& error) {
  return Writer()
      .number(static_cast<std::uint64_t>(error.code()))
      .text(error.message())
      .text(error.why())
      .text(error.next())
      .payload();
}

Error decode_error(std::string_view payload) {
  Reader reader(payload);
  const auto code = static_cast<ExitCode>(reader.number());
  Error error(code, reader.text());
  error.why(reader.text());
  error.next(reader.text());
  return error;
}

}  // namespace cib::sandbox
