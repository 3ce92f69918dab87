// SPDX-License-Identifier: Apache-2.0
#include "common/net/address.hpp"

#include <boost/test/unit_test.hpp>

namespace entente::net {

BOOST_AUTO_TEST_SUITE(net_address)

BOOST_AUTO_TEST_CASE(names_and_numeric_addresses_are_read_and_written_back) {
  for (const std::string text : {"coordinator.example:7443", "127.0.0.1:0", "[::1]:65535"}) {
    const auto address = parse_address(text);
    BOOST_REQUIRE(address.has_value());
    BOOST_TEST(address->text() == text);
  }
  BOOST_TEST(parse_address("[::1]:7443")->host == "::1");
}

BOOST_AUTO_TEST_CASE(everything_else_is_malformed) {
  for (const std::string text :
       {"", "host", "host:", ":7443", "host:65536", "host:-1", "host:74x", "::1:7443", "[::1]",
        "[]:1", "a b:1", "http://host:1", "host:+1", "host: 1"}) {
    BOOST_TEST((!parse_address(text) && parse_address(text).error().code == Errc::malformed), text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace entente::net
