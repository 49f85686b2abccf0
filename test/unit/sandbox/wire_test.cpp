#include "sandbox/wire.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace cib::sandbox {
namespace {

TEST(Payload, gives_back_what_was_put_in) {
  const std::string zero("a\0b", 3);
  const Writer writer = Writer().number(7).text(zero).texts({"", "x"}).text("");
  Reader reader(writer.payload());
  EXPECT_EQ(reader.number(), 7u);
  EXPECT_EQ(reader.text(), zero);
  EXPECT_EQ(reader.texts(), (std::vector<std::string>{"", "x"}));
  EXPECT_EQ(reader.text(), "");
  EXPECT_THROW(reader.number(), Error);
}

TEST(Payload, that_is_cut_is_an_error) {
  const std::string whole = Writer().text("hello").payload();
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(Reader(std::string_view(whole).substr(0, size)).text(), Error);
}

TEST(Packet, of_any_size_arrives_whole) {
  const auto [one, two] = socket_pair();
  for (const std::size_t size : {0u, 1u, 32u << 10, (32u << 10) + 1, 5u << 20}) {
    send_packet(one.get(), Kind::run, std::string(size, 'x'));
    const auto packet = receive_packet(two.get());
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->kind, Kind::run);
    EXPECT_EQ(packet->payload, std::string(size, 'x'));
    EXPECT_TRUE(packet->fds.empty());
  }
}

TEST(Packet, brings_descriptors_that_are_closed_on_exec) {
  const auto [one, two] = socket_pair();
  const Fd null = open_file("/dev/null", O_RDONLY);
  for (const std::size_t size : {5u, 100u << 10}) {
    send_packet(one.get(), Kind::setup, std::string(size, 'x'), {null.get(), null.get()});
    const auto packet = receive_packet(two.get());
    ASSERT_TRUE(packet);
    ASSERT_EQ(packet->fds.size(), 2u);
    EXPECT_EQ(packet->payload.size(), size);
    for (const Fd& fd : packet->fds) EXPECT_EQ(fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
  }
}

TEST(Packet, none_comes_from_a_closed_end) {
  auto [one, two] = socket_pair();
  EXPECT_FALSE(receive_packet(two.get(), false));
  one.reset();
  EXPECT_FALSE(receive_packet(two.get()));
  EXPECT_THROW(send_packet(two.get(), Kind::kill), Error);
}

TEST(Packet, carries_errors) {
  const Error error = decode_error(encode_error(Error(ExitCode::disk, "full").why("small").next("grow")));
  EXPECT_EQ(error.code(), ExitCode::disk);
  EXPECT_EQ(error.message(), "full");
  EXPECT_EQ(error.why(), "small");
  EXPECT_EQ(error.next(), "grow");
}

}  // namespace
}  // namespace cib::sandbox
