// SPDX-License-Identifier: Apache-2.0
#include "common/base/bytes.hpp"

#include <array>
#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(bytes)

using namespace entente;

BOOST_AUTO_TEST_CASE(hexadecimal_is_lower_case_and_reads_back) {
  const Bytes all = {std::byte{0x00}, std::byte{0x1f}, std::byte{0xa0}, std::byte{0xff}};
  BOOST_TEST(to_hex(all) == "001fa0ff");
  BOOST_TEST((from_hex("001fa0ff").value() == all));
  BOOST_TEST(from_hex("").value().empty());
}

BOOST_AUTO_TEST_CASE(hexadecimal_of_another_form_is_malformed) {
  for (const std::string_view text : {"0", "0g", "AB", "0x", " 0", "00 "}) {
    const auto read = from_hex(text);
    BOOST_TEST_REQUIRE(!read.has_value(), text);
    BOOST_TEST((read.error().code == Errc::malformed));
  }
  BOOST_TEST(from_hex("00AB").error().detail ==
             "expected lower-case hexadecimal digits, saw 'A' at character 2");
}

// RFC 4648, section 10.
BOOST_AUTO_TEST_CASE(base64_gives_the_standards_own_vectors) {
  constexpr std::array<std::array<std::string_view, 2>, 7> vectors = {{{"", ""},
                                                                       {"f", "Zg=="},
                                                                       {"fo", "Zm8="},
                                                                       {"foo", "Zm9v"},
                                                                       {"foob", "Zm9vYg=="},
                                                                       {"fooba", "Zm9vYmE="},
                                                                       {"foobar", "Zm9vYmFy"}}};
  for (const auto& [plain, encoded] : vectors) {
    BOOST_TEST(to_base64(as_bytes(plain)) == encoded);
    BOOST_TEST(as_text(from_base64(encoded).value()) == plain);
  }
}

BOOST_AUTO_TEST_CASE(every_byte_survives_base64) {
  Bytes all;
  for (unsigned i = 0; i < 256; ++i) all.push_back(static_cast<std::byte>(i));
  BOOST_TEST((from_base64(to_base64(all)).value() == all));
}

BOOST_AUTO_TEST_CASE(base64_of_another_form_is_malformed) {
  for (const std::string_view text : {"Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zh==", "Zm9=",
                                      "Zg==Zg==", "Zm8\n", "Zm-v", "Z=g=", "=Zm8", "Zm9v===="}) {
    const auto read = from_base64(text);
    BOOST_TEST_REQUIRE(!read.has_value(), text);
    BOOST_TEST((read.error().code == Errc::malformed));
  }
}

BOOST_AUTO_TEST_CASE(integers_lie_low_byte_first) {
  std::array<std::byte, 8> memory{};
  store_little_endian<std::uint64_t>(0x8877665544332211, memory.data());
  BOOST_TEST(to_hex(memory) == "1122334455667788");
  BOOST_TEST(load_little_endian<std::uint64_t>(memory.data()) == 0x8877665544332211);
  BOOST_TEST(load_little_endian<std::uint32_t>(memory.data()) == 0x44332211U);
  BOOST_TEST(load_little_endian<std::uint16_t>(memory.data() + 6) == 0x8877U);
  BOOST_TEST(load_little_endian<std::uint8_t>(memory.data() + 7) == 0x88U);
}

BOOST_AUTO_TEST_SUITE_END()
