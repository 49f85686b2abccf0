// How the program and its sandbox helper talk: packets over a SOCK_SEQPACKET socket, each with a kind, a payload of
// any size and a few file descriptors. Both ends are this program, of the same build.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"

namespace cib::sandbox {

// Puts values one after another into a payload.
class Writer {
 public:
  Writer& number(std::uint64_t value);
  Writer& text(std::string_view value);
  Writer& texts(const std::vector<std::string>& values);
  const std::string& payload() const { return m_payload; }

 private:
  std::string m_payload;
};

// Takes them out in the same order. Throws Error(bug) when the payload ends too early.
class Reader {
 public:
  explicit Reader(std::string_view payload) : m_rest(payload) {}
  std::uint64_t number();
  std::string text();
  std::vector<std::string> texts();

 private:
  std::string_view m_rest;
};

enum class Kind : char {
  setup = 'S',      // program → helper: a new sandbox; carries the sandbox's end of its socket
  ready = 'R',      // sandbox → program: the sandbox stands
  run = 'P',        // program → sandbox: a process; carries the end of its control socket and its output pipe
  exited = 'X',     // → program: how the process ended, and its namespace is gone
  failed = 'E',     // → program: an Error
  terminate = 'T',  // program → sandbox, on the control socket: SIGTERM to the process group
  kill = 'K',       // the same, SIGKILL to everything
};

struct Packet {
  Kind kind;
  std::string payload;
  std::vector<Fd> fds;
};

// A connected pair of sockets, close-on-exec.
std::pair<Fd, Fd> socket_pair();

// Sends one packet, whole. Throws system_error; a peer that is gone is EPIPE.
void send_packet(int socket, Kind kind, std::string_view payload = {}, const std::vector<int>& fds = {});

// The next packet, or nothing when the peer closed its end. Waits, unless `wait` is false: then nothing also
// when no packet is there.
std::optional<Packet> receive_packet(int socket, bool wait = true);

std::string encode_error(const Error& error);
Error decode_error(std::string_view payload);

}  // namespace cib::sandbox
