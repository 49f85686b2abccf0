#include "oci/compression.hpp"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "base/error.hpp"

namespace cib::oci {

namespace {

// One complete gzip member: header without name or time, so equal input gives equal bytes.
std::vector<std::byte> compress_member(Bytes input) {
  static thread_local std::vector<std::uint8_t> level_buffer(ISAL_DEF_LVL1_DEFAULT);
  std::vector<std::byte> output(input.size() + input.size() / 8 + 1024);
  isal_zstream stream;
  isal_deflate_init(&stream);
  stream.level = gzip_level;
  stream.level_buf = level_buffer.data();
  stream.level_buf_size = static_cast<std::uint32_t>(level_buffer.size());
  stream.gzip_flag = IGZIP_GZIP;
  stream.end_of_stream = 1;
  stream.flush = NO_FLUSH;
  stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(input.data()));
  stream.avail_in = static_cast<std::uint32_t>(input.size());
  stream.next_out = reinterpret_cast<std::uint8_t*>(output.data());
  stream.avail_out = static_cast<std::uint32_t>(output.size());
  if (isal_deflate(&stream) != COMP_OK || stream.internal_state.state != ZSTATE_END)
    throw Error(ExitCode::bug, "gzip: a member could not be compressed");
  output.resize(stream.total_out);
  return output;
}

}  // namespace

struct GzipSink::Impl {
  struct Member {
    std::vector<std::byte> input;
    std::expected<std::vector<std::byte>, Error> output;
    bool done = false;
  };

  Impl(Sink& sink, TaskPool* pool, unsigned ahead) : sink(sink), pool(pool), ahead(std::max(ahead, 1u)) {
    fill.reserve(gzip_member_size);
  }

  void submit() {
    if (!pool) {
      sink.write(compress_member(fill));
    } else {
      // In flight are at most `ahead` members: the memory of one stream is bounded.
      while (flying.size() >= ahead) take_first();
      auto member = std::make_shared<Member>();
      member->input = std::move(fill);
      flying.push_back(member);
      pool->post([this, member] {
        auto output = capture([&] { return compress_member(member->input); });
        std::lock_guard lock(mutex);
        member->output = std::move(output);
        member->done = true;
        // Under the lock: once `done` is seen the sink may be gone.
        finished.notify_all();
      });
      fill = {};
      fill.reserve(gzip_member_size);
    }
    fill.clear();
    ++members;
  }

  void take_first() {
    const auto member = flying.front();
    {
      std::unique_lock lock(mutex);
      finished.wait(lock, [&] { return member->done; });
    }
    flying.pop_front();
    if (!member->output) throw Error(member->output.error());
    sink.write(*member->output);
  }

  // Tasks refer to this object: they have to be over before it goes, also when a failure unwinds it.
  void wait() {
    for (const auto& member : flying) {
      std::unique_lock lock(mutex);
      finished.wait(lock, [&] { return member->done; });
    }
    flying.clear();
  }

  Sink& sink;
  TaskPool* pool;
  unsigned ahead;
  std::vector<std::byte> fill;
  std::deque<std::shared_ptr<Member>> flying;
  std::uint64_t members = 0;
  std::mutex mutex;
  std::condition_variable finished;
};

GzipSink::GzipSink(Sink& sink, TaskPool* pool, unsigned ahead) : m_impl(std::make_unique<Impl>(sink, pool, ahead)) {}

GzipSink::~GzipSink() { m_impl->wait(); }

void GzipSink::write(Bytes bytes) {
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), gzip_member_size - m_impl->fill.size());
    m_impl->fill.insert(m_impl->fill.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    if (m_impl->fill.size() == gzip_member_size) m_impl->submit();
  }
}

void GzipSink::finish() {
  if (!m_impl->fill.empty() || m_impl->members == 0) m_impl->submit();
  while (!m_impl->flying.empty()) m_impl->take_first();
}

namespace {

constexpr std::size_t input_size = 128 * 1024;

// What was read to recognise the format, then the rest.
class Peeked {
 public:
  explicit Peeked(std::unique_ptr<Source> source) : m_source(std::move(source)), m_buffer(input_size) {}

  Bytes peek(std::size_t count) {
    while (m_end - m_begin < count) {
      if (m_begin) {
        std::memmove(m_buffer.data(), m_buffer.data() + m_begin, m_end - m_begin);
        m_end -= m_begin;
        m_begin = 0;
      }
      const std::size_t got = m_source->read(std::span(m_buffer).subspan(m_end));
      if (got == 0) break;
      m_end += got;
    }
    return Bytes(m_buffer).subspan(m_begin, m_end - m_begin);
  }
  // At least one byte, or none at the end.
  Bytes available() { return peek(1); }
  void consume(std::size_t count) { m_begin += count; }

 private:
  std::unique_ptr<Source> m_source;
  std::vector<std::byte> m_buffer;
  std::size_t m_begin = 0, m_end = 0;
};

[[noreturn]] void broken(std::string_view what) {
  throw Error(ExitCode::configuration, std::string(what)).why("the compressed data was cut off or damaged");
}

bool is_gzip(Bytes head) { return head.size() >= 2 && head[0] == std::byte{0x1f} && head[1] == std::byte{0x8b}; }
bool is_zstd(Bytes head) {
  return head.size() >= 4 && head[0] == std::byte{0x28} && head[1] == std::byte{0xb5} && head[2] == std::byte{0x2f} &&
         head[3] == std::byte{0xfd};
}

class PlainSource : public Source {
 public:
  explicit PlainSource(Peeked input) : m_input(std::move(input)) {}
  std::size_t read(std::span<std::byte> buffer) override {
    const Bytes bytes = m_input.available();
    const std::size_t count = std::min(bytes.size(), buffer.size());
    if (count) std::memcpy(buffer.data(), bytes.data(), count);
    m_input.consume(count);
    return count;
  }

 private:
  Peeked m_input;
};

class GzipSource : public Source {
 public:
  explicit GzipSource(Peeked input) : m_input(std::move(input)) { begin_member(); }

  std::size_t read(std::span<std::byte> buffer) override {
    if (buffer.empty()) return 0;
    for (;;) {
      if (m_member_done) {
        const Bytes head = m_input.peek(2);
        if (head.empty()) return 0;
        // Zero padding behind the last member is what some writers leave; anything else is damage.
        if (!is_gzip(head)) {
          skip_padding();
          return 0;
        }
        begin_member();
      }
      const Bytes input = m_input.available();
      if (input.empty()) broken("a gzip stream ends too early");
      m_state.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(input.data()));
      m_state.avail_in = static_cast<std::uint32_t>(input.size());
      m_state.next_out = reinterpret_cast<std::uint8_t*>(buffer.data());
      m_state.avail_out = static_cast<std::uint32_t>(std::min<std::size_t>(buffer.size(), 1u << 30));
      const std::uint32_t room = m_state.avail_out;
      const int result = isal_inflate(&m_state);
      m_input.consume(input.size() - m_state.avail_in);
      if (result != ISAL_DECOMP_OK && result != ISAL_END_INPUT && result != ISAL_OUT_OVERFLOW)
        broken("a gzip stream is damaged");
      m_member_done = m_state.block_state == ISAL_BLOCK_FINISH;
      if (const std::uint32_t count = room - m_state.avail_out) return count;
    }
  }

 private:
  void begin_member() {
    isal_inflate_init(&m_state);
    m_state.crc_flag = ISAL_GZIP;
    m_member_done = false;
  }
  void skip_padding() {
    for (Bytes rest = m_input.available(); !rest.empty(); rest = m_input.available()) {
      if (std::any_of(rest.begin(), rest.end(), [](std::byte b) { return b != std::byte{0}; }))
        broken("something else follows a gzip stream");
      m_input.consume(rest.size());
    }
  }

  Peeked m_input;
  inflate_state m_state;
  bool m_member_done = false;
};

class ZstdSource : public Source {
 public:
  explicit ZstdSource(Peeked input) : m_input(std::move(input)), m_stream(ZSTD_createDStream()) {
    ZSTD_initDStream(m_stream);
    ZSTD_DCtx_setParameter(m_stream, ZSTD_d_windowLogMax, 27);
  }
  ~ZstdSource() override { ZSTD_freeDStream(m_stream); }
  ZstdSource(const ZstdSource&) = delete;
  ZstdSource& operator=(const ZstdSource&) = delete;

  std::size_t read(std::span<std::byte> buffer) override {
    if (buffer.empty()) return 0;
    for (;;) {
      const Bytes bytes = m_input.available();
      ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
      ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
      if (bytes.empty() && m_frame_done) return 0;
      const std::size_t result = ZSTD_decompressStream(m_stream, &output, &input);
      if (ZSTD_isError(result)) broken("a zstd stream is damaged");
      m_input.consume(input.pos);
      m_frame_done = result == 0;
      if (output.pos) return output.pos;
      if (bytes.empty()) broken("a zstd stream ends too early");
    }
  }

 private:
  Peeked m_input;
  ZSTD_DStream* m_stream;
  bool m_frame_done = false;
};

}  // namespace

std::unique_ptr<Source> inflate(std::unique_ptr<Source> source) {
  Peeked input(std::move(source));
  const Bytes head = input.peek(4);
  if (is_gzip(head)) return std::make_unique<GzipSource>(std::move(input));
  if (is_zstd(head)) return std::make_unique<ZstdSource>(std::move(input));
  return std::make_unique<PlainSource>(std::move(input));
}

}  // namespace cib::oci
