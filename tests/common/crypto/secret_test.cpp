// SPDX-License-Identifier: Apache-2.0
#include "common/crypto/secret.hpp"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <utility>

#include "common/crypto/random.hpp"

namespace entente::crypto {

BOOST_AUTO_TEST_SUITE(secret)

BOOST_AUTO_TEST_CASE(equality_is_of_size_and_of_every_byte) {
  BOOST_TEST(equal_in_constant_time(as_bytes("secret"), as_bytes("secret")));
  BOOST_TEST(equal_in_constant_time({}, {}));
  BOOST_TEST(!equal_in_constant_time(as_bytes("secret"), as_bytes("secreT")));
  BOOST_TEST(!equal_in_constant_time(as_bytes("secret"), as_bytes("Secret")));
  BOOST_TEST(!equal_in_constant_time(as_bytes("secret"), as_bytes("secre")));
}

BOOST_AUTO_TEST_CASE(wiped_bytes_are_zero) {
  Bytes bytes = to_bytes("secret");
  wipe(bytes);
  BOOST_TEST((bytes == Bytes(6)));
  wipe({});
}

BOOST_AUTO_TEST_CASE(a_secret_is_handed_on_and_not_copied) {
  Secret first(as_bytes("one"));
  Secret second = std::move(first);
  BOOST_TEST(first.size() == 0U);
  BOOST_TEST(as_text(second.view()) == "one");
  Secret third(3);
  BOOST_TEST((third.view()[2] == std::byte{0}));
  third = std::move(second);
  BOOST_TEST(as_text(third.view()) == "one");
}

BOOST_AUTO_TEST_CASE(random_bytes_fill_everything_and_differ) {
  std::array<std::byte, 64> a{};
  std::array<std::byte, 64> b{};
  random_bytes(a);
  random_bytes(b);
  BOOST_TEST((a != b));
  // 64 equal bytes would mean that nothing was written.
  BOOST_TEST(!std::all_of(a.begin(), a.end(), [&](std::byte byte) { return byte == a[0]; }));
  random_bytes({});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::crypto
