// SPDX-License-Identifier: Apache-2.0
#include "common/engine/isa.hpp"

#include <boost/test/unit_test.hpp>

namespace entente::engine {

BOOST_AUTO_TEST_SUITE(instruction_sets)

BOOST_AUTO_TEST_CASE(without_a_wish_the_best_that_the_processor_has_is_chosen) {
  BOOST_TEST((choose_isa("").value() == supported_isas().back()));
}

BOOST_AUTO_TEST_CASE(the_baseline_is_always_there) {
  BOOST_TEST((choose_isa("generic").value() == Isa::generic));
  BOOST_TEST((supported_isas().front() == Isa::generic));
}

BOOST_AUTO_TEST_CASE(each_supported_set_can_be_asked_for_by_name) {
  for (const Isa isa : supported_isas()) BOOST_TEST((choose_isa(to_string(isa)).value() == isa));
}

BOOST_AUTO_TEST_CASE(an_unknown_name_is_refused_with_what_there_is) {
  for (const char* const name : {"v5", "V3", "avx2", " v3"}) {
    const auto chosen = choose_isa(name);
    BOOST_TEST_REQUIRE(!chosen.has_value());
    BOOST_TEST((chosen.error().code == Errc::invalid_argument));
    BOOST_TEST(chosen.error().detail.find("expected v2, v3, v4 or generic") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_set_that_the_processor_lacks_is_refused_with_what_it_has) {
  for (const Isa isa : {Isa::v2, Isa::v3, Isa::v4}) {
    if (supported(isa)) continue;
    BOOST_TEST(choose_isa(to_string(isa)).error().detail.find("it has generic") !=
               std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
