// SPDX-License-Identifier: Apache-2.0
#include "common/plan/duration.hpp"

#include <boost/test/unit_test.hpp>

namespace entente::plan {
namespace {

BOOST_AUTO_TEST_SUITE(duration)

BOOST_AUTO_TEST_CASE(a_number_and_a_unit_are_a_duration) {
  const auto seconds = [](std::string_view text) { return parse_duration(text).value().count(); };
  BOOST_TEST(seconds("0s") == 0);
  BOOST_TEST(seconds("90s") == 90);
  BOOST_TEST(seconds("10m") == 600);
  BOOST_TEST(seconds("2h") == 7'200);
  BOOST_TEST(seconds("1d") == 86'400);
  BOOST_TEST(seconds("36600d") == 36'600LL * 86'400);
}

BOOST_AUTO_TEST_CASE(any_other_text_is_refused) {
  for (const std::string_view text :
       {"", "90", "s", "1.5h", "-1s", "+1s", " 1s", "1 s", "1s ", "1m30s", "1S", "1ms", "1w",
        "36601d", "99999999999999999999s", "9223372036854775807d"}) {
    const auto duration = parse_duration(text);
    BOOST_TEST(duration.has_error(), "accepted " << text);
    BOOST_TEST((duration.error().code == Errc::malformed));
  }
}

BOOST_AUTO_TEST_CASE(a_member_has_a_range_and_a_default) {
  using std::chrono::seconds;
  const json::value value{{"wait", "2m"}};
  const auto read = [&](std::string_view key, seconds least, seconds most) -> Result<seconds> {
    JsonReader reader(value, "plan");
    const seconds duration = duration_or(reader, key, seconds(5), least, most);
    if (key != "wait") reader.find("wait");
    if (auto done = reader.finish(); !done) return done.error();
    return duration;
  };
  BOOST_TEST(read("wait", seconds(120), seconds(120)).value().count() == 120);
  BOOST_TEST(read("other", seconds(0), seconds(9)).value().count() == 5);
  BOOST_TEST(read("wait", seconds(121), seconds(999)).error().detail ==
             "plan.wait: expected 121s to 999s, saw '2m'");
  BOOST_TEST(read("wait", seconds(0), seconds(119)).has_error());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::plan
