// SPDX-License-Identifier: Apache-2.0
#include "certs/authority.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/common/crypto/folder.hpp"

namespace entente::certs {

using crypto::testing::Folder;

namespace {

const TimePoint noon =
    std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + std::chrono::hours(12);

struct Fixture {
  Folder folder;
  Founded founded = found_federation("hospitals.example", folder / "ca", noon).value();

  Result<Issued> issue(int days, TimePoint now, const std::string& out = "kit") const {
    MemberOrder order;
    order.authority = folder / "ca";
    order.role = Role::participant;
    order.name = "charite";
    order.days = days;
    order.folder = folder / out;
    return issue_member(order, now);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(authority, Fixture)

BOOST_AUTO_TEST_CASE(certificates_last_as_long_as_is_documented) {
  BOOST_TEST((founded.root.not_before() == noon - clock_tolerance));
  BOOST_TEST((founded.root.not_after() == noon + std::chrono::days(3650)));
  BOOST_TEST((founded.issuing.not_after() == noon + std::chrono::days(730)));
  const auto issued = issue(90, noon).value();
  BOOST_TEST((issued.certificate.not_before() == noon - clock_tolerance));
  BOOST_TEST((issued.certificate.not_after() == noon + std::chrono::days(90)));
}

BOOST_AUTO_TEST_CASE(a_member_never_outlives_the_authority) {
  BOOST_TEST(issue(90, noon + std::chrono::days(640), "a").has_value());
  const auto late = issue(90, noon + std::chrono::days(641), "b");
  BOOST_REQUIRE(!late.has_value());
  BOOST_TEST((late.error().code == Errc::invalid_argument));
  BOOST_TEST(late.error().detail.find("fewer days") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_expired_authority_issues_nothing) {
  const auto late = issue(1, noon + std::chrono::days(731));
  BOOST_REQUIRE(!late.has_value());
  BOOST_TEST((late.error().code == Errc::unauthenticated));
  BOOST_TEST(late.error().detail.find("expired") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_same_order_twice_makes_two_keys) {
  const auto first = issue(90, noon, "a").value();
  const auto second = issue(90, noon, "b").value();
  BOOST_TEST((first.certificate.public_key().der() != second.certificate.public_key().der()));
  BOOST_TEST(first.certificate.serial_hex() != second.certificate.serial_hex());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::certs
