// SPDX-License-Identifier: Apache-2.0
#include "tests/end_to_end/federation.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <set>

using namespace entente;
using namespace entente::test;

namespace {

std::size_t count(const std::vector<ledger::Entry>& entries, const std::string& kind) {
  return static_cast<std::size_t>(std::ranges::count(entries, kind, &ledger::Entry::kind));
}

// The digest that a run without disturbances ends with; made once.
const std::string& undisturbed_model() {
  static const std::string model = [] {
    Federation federation;
    federation.start_coordinator();
    for (const std::string& name : Federation::names()) federation.start_participant(name);
    federation.submit();
    return federation.finished_model();
  }();
  return model;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(federation_of_processes)

BOOST_AUTO_TEST_CASE(
    the_same_plan_gives_the_same_model_whoever_starts_first_and_on_any_number_of_threads) {
  Federation federation;
  federation.start_coordinator();
  federation.submit();
  for (const char* name : {"carol", "alice", "bob"}) federation.start_participant(name, 2);
  BOOST_TEST(federation.finished_model() == undisturbed_model());

  Federation again;
  again.start_coordinator();
  again.start_participant("bob", 2);
  again.submit();
  again.start_participant("carol", 1);
  again.start_participant("alice", 2);
  BOOST_TEST(again.finished_model() == undisturbed_model());
}

BOOST_AUTO_TEST_CASE(a_round_commits_on_its_quorum_without_a_killed_participant_who_then_rejoins) {
  FederationOptions options;
  options.rounds = 8;
  options.quorum = 2;
  Federation federation(options);
  Process& coordinator = federation.start_coordinator();
  for (const std::string& name : Federation::names()) federation.start_participant(name);
  federation.submit();

  const std::size_t opened = coordinator.wait_for({"\"round.opened\"", "\"round\":2"});
  BOOST_REQUIRE(opened != Process::npos);
  federation.participant("bob").send(SIGKILL);
  federation.participant("bob").wait();
  BOOST_REQUIRE(coordinator.wait_for({"\"round.committed\"", "\"round\":3"}, opened) !=
                Process::npos);
  federation.start_participant("bob");
  federation.finished_model();

  std::set<std::uint64_t> rounds_of_bob;
  std::size_t committed = 0;
  for (const ledger::Entry& entry : federation.verified_entries()) {
    if (entry.kind == "round.committed") ++committed;
    if (entry.kind == "update.accepted" && entry.actor.ends_with("/bob"))
      rounds_of_bob.insert(*entry.round);
  }
  BOOST_TEST(committed == 8u);
  BOOST_TEST(rounds_of_bob.contains(1u));
  BOOST_TEST(!rounds_of_bob.contains(3u));
  BOOST_TEST(*rounds_of_bob.rbegin() > 3u);
}

BOOST_AUTO_TEST_CASE(a_coordinator_killed_in_any_phase_finishes_the_run_with_the_same_model) {
  for (const char* moment :
       {"plan.submitted", "plan.consented", "plan.started", "round.opened", "update.accepted",
        "round.closed", "round.aggregated", "round.committed"}) {
    BOOST_TEST_CONTEXT("killed after " << moment) {
      Federation federation;
      Process& coordinator = federation.start_coordinator();
      for (const std::string& name : Federation::names()) federation.start_participant(name);
      federation.submit();
      BOOST_REQUIRE(coordinator.wait_for({"\"" + std::string(moment) + "\""}) != Process::npos);
      federation.restart_coordinator_by_kill();
      BOOST_TEST(federation.finished_model() == undisturbed_model());
      const auto entries = federation.verified_entries();
      BOOST_TEST(count(entries, "round.committed") == 3u);
      BOOST_TEST(count(entries, "coordinator.started") == 2u);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_operator_cancels_suspends_resumes_and_stops) {
  FederationOptions options;
  options.rounds = 1000;
  options.quorum = 2;
  Federation federation(options);
  Process& coordinator = federation.start_coordinator();
  for (const std::string& name : Federation::names()) federation.start_participant(name);
  const std::string plan = federation.submit();
  BOOST_REQUIRE(coordinator.wait_for({"\"round.committed\""}) != Process::npos);

  BOOST_TEST(federation.operate("suspend", {"bob", "--reason", "under review"}).exit_code == 0);
  const std::size_t suspended = coordinator.wait_for({"\"participant.suspended\""});
  BOOST_REQUIRE(coordinator.wait_for({"\"round.committed\""}, suspended) != Process::npos);
  BOOST_TEST(federation.operate("status", {"--json"}).out.find("\"suspended\":true") !=
             std::string::npos);
  BOOST_TEST(federation.operate("resume", {"bob"}).exit_code == 0);
  BOOST_TEST(federation.operate("cancel", {plan, "--reason", "enough"}).exit_code == 0);
  BOOST_TEST(federation.operate("cancel", {std::string(64, '0'), "--reason", "x"}).exit_code == 1);
  BOOST_TEST(federation.operate("stop").exit_code == 0);
  BOOST_TEST(coordinator.wait() == 0);
  const auto entries = federation.verified_entries();
  BOOST_TEST(count(entries, "plan.cancelled") == 1u);
}

BOOST_AUTO_TEST_CASE(strangers_and_the_wrong_role_are_turned_away_and_recorded) {
  Federation federation;
  Process& coordinator = federation.start_coordinator();
  // Another federation's operator: its certificate is from an authority that nobody here trusts.
  Federation other;
  const std::filesystem::path file = other.folder() / "olga" / "operator.toml";
  write_whole(file, "[federation]\nname = \"test.example\"\ncoordinator = \"" +
                        federation.address() + "\"\n");
  const CommandResult stranger = run_command(
      {Federation::program("entente-coordinator"), "status", "--config", file.string()});
  BOOST_TEST(stranger.exit_code == 1);
  BOOST_TEST(std::ranges::count(stranger.error, '\n') == 1);

  // A participant's certificate asking for what only the operator may.
  const std::filesystem::path wrong = federation.folder() / "alice" / "operator.toml";
  write_whole(wrong, "[federation]\nname = \"test.example\"\ncoordinator = \"" +
                         federation.address() + "\"\n");
  const CommandResult member =
      run_command({Federation::program("entente-coordinator"), "stop", "--config", wrong.string()});
  BOOST_TEST(member.exit_code == 1);
  BOOST_TEST(member.error.find("not allowed") != std::string::npos, member.error);

  BOOST_TEST(federation.operate("status").exit_code == 0);
  BOOST_TEST(federation.operate("stop").exit_code == 0);
  BOOST_TEST(coordinator.wait() == 0);
  std::size_t strangers = 0;
  std::size_t members = 0;
  for (const ledger::Entry& entry : federation.verified_entries()) {
    if (entry.kind != "connection.refused") continue;
    (entry.actor.find("/participant/alice") != std::string::npos ? members : strangers) += 1;
  }
  BOOST_TEST(strangers == 1u);
  BOOST_TEST(members == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
