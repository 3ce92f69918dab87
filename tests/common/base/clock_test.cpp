// SPDX-License-Identifier: Apache-2.0
#include "common/base/clock.hpp"

#include <array>
#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(time_and_clock)

using namespace entente;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(time_is_written_with_six_decimals_and_reads_back) {
  const TimePoint time =
      std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 16h + 5min + 9s + 123456us;
  BOOST_TEST(to_rfc3339(time) == "2026-11-23T16:05:09.123456Z");
  BOOST_TEST((parse_rfc3339("2026-11-23T16:05:09.123456Z").value() == time));
  BOOST_TEST(to_rfc3339(TimePoint{}) == "1970-01-01T00:00:00.000000Z");
  BOOST_TEST(to_rfc3339(TimePoint{-1us}) == "1969-12-31T23:59:59.999999Z");
}

BOOST_AUTO_TEST_CASE(the_ends_of_the_calendar_read_back_and_what_lies_outside_stays_inside) {
  for (const std::string_view text :
       {"0000-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", "2024-02-29T00:00:00.000000Z",
        "2000-02-29T12:00:00.000001Z"}) {
    BOOST_TEST(to_rfc3339(parse_rfc3339(text).value()) == text);
  }
  BOOST_TEST(to_rfc3339(TimePoint::max()) == "9999-12-31T23:59:59.999999Z");
  BOOST_TEST(to_rfc3339(TimePoint::min()) == "0000-01-01T00:00:00.000000Z");
}

BOOST_AUTO_TEST_CASE(other_forms_and_days_that_do_not_exist_are_malformed) {
  for (const std::string_view text : {"",
                                      "2026-11-23",
                                      "2026-11-23T16:00:00Z",
                                      "2026-11-23T16:00:00.123Z",
                                      "2026-11-23T16:00:00.1234567Z",
                                      "2026-11-23t16:00:00.123456Z",
                                      "2026-11-23T16:00:00.123456z",
                                      "2026-11-23 16:00:00.123456Z",
                                      "2026-11-23T16:00:00.123456+00:00",
                                      "2026-11-23T16:00:00,123456Z",
                                      "2026-02-29T00:00:00.000000Z",
                                      "1900-02-29T00:00:00.000000Z",
                                      "2026-04-31T00:00:00.000000Z",
                                      "2026-13-01T00:00:00.000000Z",
                                      "2026-00-01T00:00:00.000000Z",
                                      "2026-01-00T00:00:00.000000Z",
                                      "2026-01-01T24:00:00.000000Z",
                                      "2026-01-01T00:60:00.000000Z",
                                      "2026-01-01T23:59:60.000000Z",
                                      "-026-01-01T00:00:00.000000Z",
                                      "2026-01-01T00:00:00.00000 Z",
                                      " 2026-01-01T00:00:00.000000"}) {
    const auto read = parse_rfc3339(text);
    BOOST_TEST_REQUIRE(!read.has_value(), text);
    BOOST_TEST((read.error().code == Errc::malformed));
  }
}

BOOST_AUTO_TEST_CASE(a_clock_never_goes_back_nor_starts_before_what_was_written_down) {
  const Clock clock;
  const TimePoint first = clock.now();
  BOOST_TEST((clock.now() >= first));
  const TimePoint later = first + 240h;
  BOOST_TEST((Clock(later).now() >= later));
}

BOOST_AUTO_TEST_SUITE_END()
