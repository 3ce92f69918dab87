// SPDX-License-Identifier: Apache-2.0
#include "common/base/result.hpp"

#include <boost/test/unit_test.hpp>
#include <stdexcept>

BOOST_AUTO_TEST_SUITE(result)

using namespace entente;

BOOST_AUTO_TEST_CASE(a_failure_carries_its_code_and_text) {
  const Result<int> failed = Error{Errc::rejected, "not now"};
  BOOST_TEST(!failed.has_value());
  BOOST_TEST(to_string(failed.error().code) == "rejected");
  BOOST_TEST(failed.error().detail == "not now");
}

BOOST_AUTO_TEST_CASE(context_comes_in_front_and_keeps_the_code) {
  const Error error = in_context("round 7", in_context("reading", {Errc::io, "disk gone"}));
  BOOST_TEST(error.detail == "round 7: reading: disk gone");
  BOOST_TEST((error.code == Errc::io));
}

BOOST_AUTO_TEST_CASE(asking_a_failure_for_its_value_throws_its_text) {
  const Result<int> failed = Error{Errc::io, "disk gone"};
  BOOST_CHECK_EXCEPTION((void)failed.value(), std::runtime_error, [](const auto& thrown) {
    return std::string_view(thrown.what()) == "disk gone";
  });
  BOOST_TEST(ok().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
