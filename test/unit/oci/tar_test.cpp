#include <gtest/gtest.h>

#include "base/error.hpp"
#include "oci/digest.hpp"
#include "oci/tar_reader.hpp"
#include "oci/tar_writer.hpp"

using namespace cib;
using namespace cib::oci;

namespace {

TarHeader named(std::string name, TarHeader::Type type = TarHeader::Type::file) {
  TarHeader header;
  header.name = std::move(name);
  header.type = type;
  return header;
}

std::string archive_of(const std::vector<std::pair<TarHeader, std::string>>& entries) {
  StringSink sink;
  TarWriter writer(sink);
  for (auto [header, text] : entries) {
    header.size = text.size();
    writer.header(header);
    if (!text.empty()) writer.contents(as_bytes(text));
  }
  writer.finish();
  return sink.text;
}

TarEntry first_entry(const std::string& archive) {
  MemorySource source(archive);
  TarReader reader(source);
  TarEntry entry;
  if (!reader.next(entry)) throw std::runtime_error("empty archive");
  return entry;
}

bool is_pax(const std::string& bytes) { return bytes[156] == 'x'; }

}  // namespace

TEST(TarWriter, an_archive_without_entries_is_1024_zero_bytes) {
  StringSink sink;
  TarWriter(sink).finish();
  EXPECT_EQ(sha256_of(sink.text).str(), "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
}

TEST(TarWriter, numbers_are_zero_padded_octal_and_a_nul) {
  TarHeader header = named("/a");
  header.mode = 04755;
  header.uid = 1001;
  const std::string bytes = encode_header(header);
  EXPECT_EQ(bytes.substr(100, 8), std::string("0004755\0", 8));
  EXPECT_EQ(bytes.substr(108, 8), std::string("0001751\0", 8));
  EXPECT_EQ(bytes.substr(136, 12), std::string("02263523001\0", 12)) << "1980-01-01T00:00:01Z";
  EXPECT_EQ(bytes.substr(257, 8), std::string("ustar\0" "00", 8));
  EXPECT_EQ(bytes.substr(329, 16), std::string("0000000\0" "0000000\0", 16));
}

TEST(TarWriter, a_name_of_100_bytes_stands_whole) {
  const std::string name = "/" + std::string(99, 'n');
  const std::string bytes = encode_header(named(name));
  EXPECT_EQ(bytes.size(), 512u);
  EXPECT_EQ(bytes.substr(0, 100), name);
}

TEST(TarWriter, a_longer_name_is_split_at_its_last_possible_slash) {
  const std::string folder = "/" + std::string(99, 'd'), base(90, 'b');
  const std::string bytes = encode_header(named(folder + "/" + base));
  EXPECT_EQ(bytes.size(), 512u);
  EXPECT_EQ(bytes.substr(0, 90), base);
  EXPECT_EQ(bytes.substr(345, 100), folder);
}

TEST(TarWriter, a_name_that_cannot_be_split_gets_a_pax_record) {
  const std::string name = "/" + std::string(130, 'z');
  const std::string bytes = encode_header(named(name));
  ASSERT_TRUE(is_pax(bytes));
  EXPECT_EQ(bytes.substr(0, 23), "/PaxHeaders.0/zzzzzzzzz");
  EXPECT_EQ(bytes.substr(512, 141), "141 path=" + name + "\n");
}

TEST(TarWriter, pax_for_another_reason_records_a_long_path_too_although_it_could_be_split) {
  TarHeader header = named("/" + std::string(99, 'd') + "/" + std::string(49, 'b'), TarHeader::Type::symlink);
  header.link = std::string(120, 't');
  const std::string bytes = encode_header(header);
  ASSERT_TRUE(is_pax(bytes));
  EXPECT_NE(bytes.find("linkpath=" + header.link), std::string::npos);
  EXPECT_NE(bytes.find("path=" + header.name), std::string::npos);
}

TEST(TarWriter, a_cut_name_never_ends_in_a_slash) {
  const std::string name = "/" + std::string(98, 'k') + "/" + std::string(160, 'q');
  const std::string bytes = encode_header(named(name));
  ASSERT_TRUE(is_pax(bytes));
  const std::string real = bytes.substr(1024, 512);
  EXPECT_EQ(real[98], 'k');
  EXPECT_EQ(real[99], '\0');
}

TEST(TarWriter, a_size_of_8_GiB_goes_into_a_record) {
  TarHeader header = named("/big");
  header.size = 8ull << 30;
  const std::string bytes = encode_header(header);
  ASSERT_TRUE(is_pax(bytes));
  EXPECT_NE(bytes.find("19 size=8589934592\n"), std::string::npos);
}

TEST(TarWriter, refuses_contents_that_are_longer_or_shorter_than_announced) {
  NullSink sink;
  TarWriter writer(sink);
  TarHeader header = named("/a");
  header.size = 2;
  writer.header(header);
  EXPECT_THROW(writer.contents(as_bytes("abc")), Error);
  EXPECT_THROW(writer.finish(), Error);
}

TEST(TarReader, reads_back_what_the_writer_wrote) {
  TarHeader link = named("/l/" + std::string(200, 'x') + "/grüße", TarHeader::Type::symlink);
  link.link = "ziel/ä";
  const std::string archive = archive_of({{named("/a"), "contents"}, {link, ""}, {named("/b"), std::string(513, 'b')}});
  MemorySource source(archive);
  TarReader reader(source);
  TarEntry entry;
  ASSERT_TRUE(reader.next(entry));
  EXPECT_EQ(entry.name, "/a");
  std::array<std::byte, 100> buffer;
  EXPECT_EQ(reader.read(buffer), 8u);
  ASSERT_TRUE(reader.next(entry));
  EXPECT_EQ(entry.name, link.name);
  EXPECT_EQ(entry.link, link.link);
  ASSERT_TRUE(reader.next(entry));
  EXPECT_EQ(entry.size, 513u);
  EXPECT_FALSE(reader.next(entry));
}

TEST(TarReader, a_wrong_checksum_is_refused) {
  std::string archive = archive_of({{named("/a"), ""}});
  archive[0] = 'x';
  EXPECT_THROW(first_entry(archive), Error);
}

TEST(TarReader, an_archive_cut_inside_an_entry_is_refused) {
  const std::string archive = archive_of({{named("/a"), std::string(600, 'a')}});
  MemorySource source(std::string_view(archive).substr(0, 700));
  TarReader reader(source);
  TarEntry entry;
  ASSERT_TRUE(reader.next(entry));
  EXPECT_THROW(reader.next(entry), Error);
}

TEST(TarReader, lying_pax_lengths_are_refused) {
  for (const std::string record : {"999 path=a\n", "3 x\n", "0 path=a\n", "-1 a=b\n", "path=a\n", "11 path=abcd"}) {
    TarHeader header = named("/PaxHeaders.0/a", static_cast<TarHeader::Type>('x'));
    EXPECT_THROW(first_entry(archive_of({{header, record}, {named("/a"), ""}})), Error) << record;
  }
}

TEST(TarReader, sparse_and_unknown_types_are_refused) {
  for (const char type : {'S', 'D', 'M', 'V', 'Z'})
    EXPECT_THROW(first_entry(archive_of({{named("/a", static_cast<TarHeader::Type>(type)), ""}})), Error) << type;
}

TEST(TarReader, a_nul_in_a_name_is_refused) {
  TarHeader header = named("/PaxHeaders.0/a", static_cast<TarHeader::Type>('x'));
  EXPECT_THROW(first_entry(archive_of({{header, std::string("10 path=a\0", 10) + "\n"}, {named("/a"), ""}})), Error);
}
