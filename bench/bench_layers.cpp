// Layers in and out: packing a tree (tar, diffID, gzip, digest), inflating, unpacking. Every figure stands beside a
// floor that the same run measured, so that ratios mean something on any machine.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <isa-l/igzip_lib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <random>

#include "base/tasks.hpp"
#include "build/tree_tar.hpp"
#include "oci/compression.hpp"
#include "oci/digest.hpp"
#include "store/extract.hpp"

using namespace cib;

namespace {

constexpr std::size_t files = 8000;

// Text of a small vocabulary: compresses about as well as source code and libraries do (to 0.36).
std::string text_of(std::mt19937& random, std::size_t size) {
  static const std::vector<std::string> words = [] {
    std::mt19937 letters(7);
    std::vector<std::string> made(4096);
    for (std::string& word : made)
      for (std::size_t i = 0, n = 3 + letters() % 9; i < n; ++i) word += static_cast<char>('!' + letters() % 90);
    return made;
  }();
  std::string text;
  text.reserve(size + 16);
  while (text.size() < size) text += words[random() % words.size()] + ' ';
  text.resize(size);
  return text;
}

struct Fixture {
  TempFolder temp{fs::exists("/var/tmp") ? fs::path("/var/tmp") : fs::temp_directory_path(), "cib-bench-"};
  build::WorkTree tree{temp.path() / "tree", build::Ids{::geteuid(), ::getegid()}};
  build::TarRecipe recipe = build::folder_tar(tree, "layers/bench/layer");
  std::vector<fs::path> paths;
  std::string tar, blob;

  Fixture() {
    std::mt19937 random(1);
    const fs::path root = tree.layers() / "bench/layer";
    for (std::size_t i = 0; i < files; ++i) {
      const fs::path folder = root / std::to_string(i % 97) / std::to_string(i % 7);
      make_folders(folder);
      paths.push_back(folder / fmt::format("file-{}.txt", i));
      // Most files are small, a few hold most of the bytes.
      write_file(paths.back(), text_of(random, i % 100 ? random() % 16000 : 1'000'000));
    }
    StringSink all;
    recipe(all, {});
    tar = std::move(all.text);
    StringSink compressed;
    oci::GzipSink gzip(compressed, nullptr);
    gzip.write(as_bytes(tar));
    gzip.finish();
    blob = std::move(compressed.text);
  }
};

Fixture& fixture() {
  static Fixture made;
  return made;
}

void done(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * static_cast<std::int64_t>(state.iterations()));
}

void floor_read(benchmark::State& state) {
  std::vector<char> buffer(1 << 20);
  for (auto _ : state)
    for (const fs::path& path : fixture().paths) {
      const int fd = ::open(path.c_str(), O_RDONLY);
      while (::read(fd, buffer.data(), buffer.size()) > 0) {
      }
      ::close(fd);
    }
  done(state, fixture().tar.size());
}

void floor_sha256(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(oci::sha256_of(fixture().tar));
  done(state, fixture().tar.size());
}

// ISA-L alone, on what one member holds, without rows, queues and hashes.
void floor_gzip(benchmark::State& state) {
  const std::string& tar = fixture().tar;
  std::vector<std::uint8_t> level(ISAL_DEF_LVL1_DEFAULT), out(2 * oci::gzip_member_size);
  for (auto _ : state)
    for (std::size_t at = 0; at < tar.size(); at += oci::gzip_member_size) {
      isal_zstream stream;
      isal_deflate_init(&stream);
      stream.level = oci::gzip_level;
      stream.level_buf = level.data();
      stream.level_buf_size = static_cast<std::uint32_t>(level.size());
      stream.gzip_flag = IGZIP_GZIP;
      stream.end_of_stream = 1;
      stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(tar.data() + at));
      stream.avail_in = static_cast<std::uint32_t>(std::min(oci::gzip_member_size, tar.size() - at));
      stream.next_out = out.data();
      stream.avail_out = static_cast<std::uint32_t>(out.size());
      isal_deflate(&stream);
    }
  done(state, tar.size());
}

void floor_inflate(benchmark::State& state) {
  const std::string& blob = fixture().blob;
  std::vector<std::uint8_t> out(256 * 1024);
  for (auto _ : state) {
    inflate_state inflater;
    const std::uint8_t* at = reinterpret_cast<const std::uint8_t*>(blob.data());
    std::size_t left = blob.size();
    while (left) {
      isal_inflate_init(&inflater);
      inflater.crc_flag = ISAL_GZIP;
      inflater.next_in = const_cast<std::uint8_t*>(at);
      inflater.avail_in = static_cast<std::uint32_t>(left);
      do {
        inflater.next_out = out.data();
        inflater.avail_out = static_cast<std::uint32_t>(out.size());
        isal_inflate(&inflater);
      } while (inflater.block_state != ISAL_BLOCK_FINISH);
      at = inflater.next_in;
      left = inflater.avail_in;
    }
  }
  done(state, fixture().tar.size());
}

void floor_write(benchmark::State& state) {
  std::vector<std::string> texts;
  for (const fs::path& path : fixture().paths) texts.push_back(read_file(path));
  for (auto _ : state) {
    state.PauseTiming();
    TempFolder out(fixture().temp.path());
    const int folder = ::open(out.path().c_str(), O_RDONLY | O_DIRECTORY);
    state.ResumeTiming();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const int fd = ::openat(folder, std::to_string(i).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
      if (::write(fd, texts[i].data(), texts[i].size()) < 0) state.SkipWithError("write");
      ::close(fd);
    }
    state.PauseTiming();
    ::close(folder);
    remove_tree(out.release());
    state.ResumeTiming();
  }
  done(state, fixture().tar.size());
}

void pack(benchmark::State& state) {
  const unsigned jobs = static_cast<unsigned>(state.range(0));
  TaskPool pool(jobs);
  for (auto _ : state) {
    oci::Sha256 diff_id, digest;
    oci::GzipSink gzip(digest, &pool, jobs + 1);
    TeeSink both(diff_id, gzip);
    fixture().recipe(both, {});
    gzip.finish();
    benchmark::DoNotOptimize(digest.finish());
    benchmark::DoNotOptimize(diff_id.finish());
  }
  done(state, fixture().tar.size());
}

void inflate(benchmark::State& state) {
  for (auto _ : state) {
    NullSink sink;
    copy(*oci::inflate(std::make_unique<MemorySource>(std::string_view(fixture().blob))), sink);
  }
  done(state, fixture().tar.size());
}

void unpack(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    TempFolder out(fixture().temp.path());
    state.ResumeTiming();
    const auto tar = oci::inflate(std::make_unique<MemorySource>(std::string_view(fixture().blob)));
    store::ExtractOptions options;
    options.name = "bench";
    store::extract(*tar, out.path(), options);
    state.PauseTiming();
    remove_tree(out.release());
    state.ResumeTiming();
  }
  done(state, fixture().tar.size());
}

BENCHMARK(floor_read)->UseRealTime();
BENCHMARK(floor_sha256)->UseRealTime();
BENCHMARK(floor_gzip)->UseRealTime();
BENCHMARK(floor_inflate)->UseRealTime();
BENCHMARK(floor_write)->UseRealTime()->Iterations(5);
BENCHMARK(pack)->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(inflate)->UseRealTime();
BENCHMARK(unpack)->UseRealTime()->Iterations(5);

// Remembers the seconds of each benchmark besides printing it.
class Seconds : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs)
      if (run.iterations) m_seconds[run.benchmark_name()] = run.real_accumulated_time / static_cast<double>(run.iterations);
    ConsoleReporter::ReportRuns(runs);
  }
  double of(const std::string& name) const {
    for (const auto& [key, seconds] : m_seconds)
      if (key.starts_with(name)) return seconds;
    return 0;
  }

 private:
  std::map<std::string, double> m_seconds;
};

void ratio(const char* what, double ours, double floor, const char* floor_is) {
  if (ours > 0 && floor > 0) fmt::print("{:<18} {:5.2f} × the floor   ({})\n", what, ours / floor, floor_is);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Seconds seconds;
  benchmark::RunSpecifiedBenchmarks(&seconds);
  const double blob_share = static_cast<double>(fixture().blob.size()) / static_cast<double>(fixture().tar.size());
  const double work = seconds.of("floor_read") + seconds.of("floor_sha256") * (1 + blob_share) + seconds.of("floor_gzip");
  fmt::print("\ntree: {} files, {:.0f} MB as tar, compressed to {:.3f}\n", files, static_cast<double>(fixture().tar.size()) / 1e6,
             blob_share);
  ratio("pack, 1 job", seconds.of("pack/1"), work, "read + diffID + gzip + digest, one after the other");
  ratio("pack, 2 jobs", seconds.of("pack/2"), work / 2, "the same, shared by two cores");
  ratio("inflate", seconds.of("inflate"), seconds.of("floor_inflate"), "ISA-L alone");
  ratio("unpack", seconds.of("unpack"), seconds.of("floor_inflate") + seconds.of("floor_write"),
        "ISA-L alone, then writing the same files into one folder");
  return 0;
}
