// SPDX-License-Identifier: Apache-2.0
#include "protocol/frame.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "common/base/bytes.hpp"
#include "protocol/limits.hpp"

namespace entente::protocol {
namespace {

std::array<std::byte, frame_header_bytes> raw(std::uint32_t size, unsigned type, unsigned stream,
                                              unsigned reserved, std::uint64_t offset) {
  std::array<std::byte, frame_header_bytes> bytes{};
  store_little_endian(size, bytes.data());
  bytes[4] = static_cast<std::byte>(type);
  bytes[5] = static_cast<std::byte>(stream);
  store_little_endian(static_cast<std::uint16_t>(reserved), bytes.data() + 6);
  store_little_endian(offset, bytes.data() + 8);
  return bytes;
}

bool accepted(std::uint32_t size, unsigned type, unsigned stream, unsigned reserved,
              std::uint64_t offset) {
  const auto header = decode_frame_header(raw(size, type, stream, reserved, offset));
  if (!header) {
    BOOST_TEST((header.error().code == Errc::malformed));
    return false;
  }
  return true;
}

constexpr auto control_most = static_cast<std::uint32_t>(control_max_bytes);
constexpr auto data_most = static_cast<std::uint32_t>(data_max_bytes);

}  // namespace

BOOST_AUTO_TEST_SUITE(protocol_frame)

BOOST_AUTO_TEST_CASE(a_header_is_sixteen_bytes_little_endian) {
  FrameHeader header;
  header.size_bytes = 0x00012345;
  header.type = FrameType::data;
  header.stream = 7;
  header.offset = 0x0001020304050607;
  const auto bytes = encode_frame_header(header);
  BOOST_TEST(to_hex(bytes) == "45230100020700000706050403020100");
  const auto again = decode_frame_header(bytes);
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(again->size_bytes == header.size_bytes);
  BOOST_TEST((again->type == header.type));
  BOOST_TEST(again->stream == header.stream);
  BOOST_TEST(again->offset == header.offset);
}

BOOST_AUTO_TEST_CASE(a_message_is_accepted_at_its_limits_and_refused_one_past_them) {
  BOOST_TEST(accepted(1, 1, 0, 0, 0));
  BOOST_TEST(accepted(control_most, 1, 0, 0, 0));
  BOOST_TEST(!accepted(0, 1, 0, 0, 0));
  BOOST_TEST(!accepted(control_most + 1, 1, 0, 0, 0));
  BOOST_TEST(!accepted(1, 1, 1, 0, 0));
  BOOST_TEST(!accepted(1, 1, 0, 0, 1));
}

BOOST_AUTO_TEST_CASE(data_is_accepted_at_its_limits_and_refused_one_past_them) {
  BOOST_TEST(accepted(1, 2, 1, 0, 0));
  BOOST_TEST(accepted(data_most, 2, 255, 0, 0));
  BOOST_TEST(!accepted(0, 2, 1, 0, 0));
  BOOST_TEST(!accepted(data_most + 1, 2, 1, 0, 0));
  BOOST_TEST(!accepted(1, 2, 0, 0, 0));
  BOOST_TEST(accepted(1, 2, 1, 0, blob_max_bytes - 1));
  BOOST_TEST(!accepted(1, 2, 1, 0, blob_max_bytes));
  BOOST_TEST(!accepted(1, 2, 1, 0, ~std::uint64_t{0}));
}

BOOST_AUTO_TEST_CASE(an_end_is_a_digest_and_a_length) {
  BOOST_TEST(accepted(32, 3, 1, 0, 0));
  BOOST_TEST(accepted(32, 3, 1, 0, blob_max_bytes));
  BOOST_TEST(!accepted(31, 3, 1, 0, 0));
  BOOST_TEST(!accepted(33, 3, 1, 0, 0));
  BOOST_TEST(!accepted(32, 3, 0, 0, 0));
  BOOST_TEST(!accepted(32, 3, 1, 0, blob_max_bytes + 1));
}

BOOST_AUTO_TEST_CASE(unknown_types_and_reserved_bits_are_refused) {
  for (const unsigned type : {0U, 4U, 5U, 128U, 255U}) BOOST_TEST(!accepted(32, type, 1, 0, 0));
  for (const unsigned reserved : {1U, 256U, 65535U}) BOOST_TEST(!accepted(32, 3, 1, reserved, 0));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::protocol
