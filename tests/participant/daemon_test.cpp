// SPDX-License-Identifier: Apache-2.0
#include "participant/daemon.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/participant/house.hpp"

namespace entente::participant {
namespace {

using test::HouseFixture;
using namespace std::chrono_literals;

bool says(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(participant_daemon, HouseFixture)

// --- connecting

BOOST_AUTO_TEST_CASE(it_connects_again_for_ever_ever_more_slowly_and_never_in_step) {
  for (int i = 0; i < 12; ++i) transport.connects_fail.push_back({Errc::closed, "refused"});
  start();
  run_for(10min);
  BOOST_REQUIRE(transport.connects.size() == 13u);
  std::set<std::int64_t> distinct;
  for (std::size_t i = 0; i + 1 < transport.connects.size(); ++i) {
    const auto full = std::min<std::chrono::nanoseconds>(500ms * (1 << i), 60s);
    const auto waited = transport.connects[i + 1] - transport.connects[i];
    BOOST_TEST((waited >= full / 2 - 1ms && waited <= full));
    distinct.insert((waited * 1000 / full));
  }
  BOOST_TEST(distinct.size() > 6u);
  BOOST_TEST(tally.connected);
}

BOOST_AUTO_TEST_CASE(a_good_session_makes_the_next_wait_short_again) {
  for (int i = 0; i < 12; ++i) transport.connects_fail.push_back({Errc::closed, "refused"});
  start();
  run_for(10min);
  transport.drop();
  run_for(1ms);
  BOOST_TEST(!tally.connected);
  BOOST_TEST(says(tally.problem, "lost"));
  run_for(500ms);
  BOOST_TEST(tally.connected);
}

BOOST_AUTO_TEST_CASE(a_coordinator_that_falls_silent_is_given_up) {
  transport.falls_silent = true;
  start();
  run_for(40s);
  transport.falls_silent = false;
  run_for(1min);
  BOOST_TEST(tally.connected);
}

BOOST_AUTO_TEST_CASE(another_ledger_key_than_the_start_up_kits_stops_it_with_an_alarm) {
  transport.verifier_key =
      ledger::VerifierKey{
          ledger::ledger_origin(federation.certificates.name),
          crypto::testing::must(crypto::PrivateKey::generate(crypto::KeyKind::ed25519))
              .public_key()}
          .text();
  transport.tell(task());
  start();
  run_for(1h);
  BOOST_REQUIRE(outcome.has_value());
  BOOST_TEST((outcome->error().code == Errc::unauthenticated));
  BOOST_TEST(says(outcome->error().detail, "another key"));
  BOOST_TEST(transport.connects.size() == 1u);
  BOOST_TEST(transport.goodbyes.size() == 1u);
  BOOST_TEST(tally.alarms == 1u);
}

// --- the end

BOOST_AUTO_TEST_CASE(asked_to_stop_it_ends_within_seconds_whatever_it_does) {
  start_with_consent();
  BOOST_TEST((stop() < 3s));
  BOOST_TEST((outcome->error().code == Errc::cancelled));
  BOOST_TEST(transport.goodbyes.size() == 1u);

  transport.tell(task());
  start();
  run_for(5s);
  BOOST_TEST((stop() < 3s));  // in the middle of training
  BOOST_TEST(workbench.stopped == 1);

  transport.falls_silent = true;
  start();
  run_for(5s);
  BOOST_TEST((stop() < 3s));  // in the middle of connecting

  transport.falls_silent = false;
  transport.connects_fail.assign(20, {Errc::closed, "refused"});
  start();
  run_for(5min);
  BOOST_TEST((stop() < 3s));  // in the middle of waiting
}

BOOST_AUTO_TEST_CASE(a_damaged_journal_keeps_it_from_starting) {
  journal_disk.put(std::string(journal_file), "nonsense\nmore nonsense\n");
  start();
  run_for(1s);
  BOOST_REQUIRE(outcome.has_value());
  BOOST_TEST((outcome->error().code == Errc::corrupt));
  BOOST_TEST(transport.connects.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
