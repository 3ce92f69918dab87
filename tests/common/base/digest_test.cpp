// SPDX-License-Identifier: Apache-2.0
#include "common/base/digest.hpp"

#include <boost/test/unit_test.hpp>
#include <unordered_set>

BOOST_AUTO_TEST_SUITE(digest)

using namespace entente;

const std::string empty_text_hex =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

BOOST_AUTO_TEST_CASE(a_digest_reads_back_from_its_hexadecimal_form) {
  const Digest digest = parse_digest(empty_text_hex).value();
  BOOST_TEST(digest.hex() == empty_text_hex);
  BOOST_TEST(digest.short_hex() == "e3b0c44298fc");
  BOOST_TEST((digest_from(digest.bytes).value() == digest));
  BOOST_TEST((digest > Digest{}));
  BOOST_TEST(std::unordered_set<Digest>({digest, Digest{}, digest}).size() == 2U);
}

BOOST_AUTO_TEST_CASE(any_other_length_case_or_character_is_malformed) {
  std::string upper = empty_text_hex;
  upper[0] = 'E';
  for (const std::string& text : {std::string(), empty_text_hex.substr(2), empty_text_hex + "00",
                                  upper, std::string(64, 'g'), " " + empty_text_hex.substr(1)}) {
    const auto read = parse_digest(text);
    BOOST_TEST_REQUIRE(!read.has_value(), text);
    BOOST_TEST((read.error().code == Errc::malformed));
  }
  BOOST_TEST(!digest_from(Bytes(31)).has_value());
  BOOST_TEST(!digest_from(Bytes(33)).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
