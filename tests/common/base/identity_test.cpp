// SPDX-License-Identifier: Apache-2.0
#include "common/base/identity.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(identity)

using namespace entente;

BOOST_AUTO_TEST_CASE(an_identity_is_read_from_its_uri_and_written_back) {
  const Identity charite =
      parse_identity("spiffe://hospitals.example/participant/charite-2").value();
  BOOST_TEST(charite.federation == "hospitals.example");
  BOOST_TEST((charite.role == Role::participant));
  BOOST_TEST(charite.name == "charite-2");
  BOOST_TEST(charite.uri() == "spiffe://hospitals.example/participant/charite-2");
}

BOOST_AUTO_TEST_CASE(every_role_reads_back_and_no_other_word_is_one) {
  for (const Role role :
       {Role::coordinator, Role::participant, Role::operator_, Role::auditor, Role::member}) {
    BOOST_TEST((parse_role(to_string(role)).value() == role));
  }
  for (const std::string_view word : {"", "Operator", "operator_", "root", "operator "}) {
    BOOST_TEST(!parse_role(word).has_value(), word);
  }
}

BOOST_AUTO_TEST_CASE(names_are_accepted_up_to_their_limit_and_not_one_past_it) {
  BOOST_TEST(is_name(std::string(63, 'a')));
  BOOST_TEST(!is_name(std::string(64, 'a')));
  BOOST_TEST(!is_name(""));
  BOOST_TEST(is_federation_name(std::string(255, 'a')));
  BOOST_TEST(!is_federation_name(std::string(256, 'a')));
  BOOST_TEST(!is_federation_name(""));
  BOOST_TEST(is_federation_name("a_b.c-d"));
  BOOST_TEST(!is_name("a_b"));
  BOOST_TEST(!is_name("a.b"));
}

BOOST_AUTO_TEST_CASE(a_uri_of_any_other_form_is_malformed) {
  for (const std::string_view uri : {"",
                                     "spiffe://",
                                     "spiffe:///participant/a",
                                     "spiffe://f/participant",
                                     "spiffe://f/participant/",
                                     "spiffe://f/participant/a/",
                                     "spiffe://f/participant/a/b",
                                     "spiffe://f//a",
                                     "spiffe://f/participants/a",
                                     "Spiffe://f/participant/a",
                                     "SPIFFE://f/participant/a",
                                     "spiffe://F/participant/a",
                                     "spiffe://f/participant/A",
                                     "spiffe://f:1/participant/a",
                                     "spiffe://u@f/participant/a",
                                     "spiffe://f/participant/a?q",
                                     "spiffe://f/participant/a#f",
                                     "spiffe://f/participant/%61",
                                     "spiffe://f/participant/..",
                                     " spiffe://f/participant/a",
                                     "spiffe://f/participant/a\n",
                                     "https://f/participant/a",
                                     "spiffe://ü/participant/a"}) {
    const auto read = parse_identity(uri);
    BOOST_TEST_REQUIRE(!read.has_value(), uri);
    BOOST_TEST((read.error().code == Errc::malformed));
    BOOST_TEST(read.error().detail.find('\n') == std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
