// SPDX-License-Identifier: Apache-2.0
//
// Training and evaluation: what the daemon does with a task.
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

BOOST_FIXTURE_TEST_SUITE(participant_work, HouseFixture)

BOOST_AUTO_TEST_CASE(a_round_is_trained_sent_and_its_receipt_kept) {
  start_with_consent();
  transport.tell(task());
  run_for(20s);
  BOOST_TEST(workbench.trained == 1);
  BOOST_REQUIRE(transport.offered.size() == 1u);
  BOOST_TEST((transport.offered[0].update == update()));
  BOOST_TEST(transport.offered[0].examples == 137u);
  BOOST_TEST((transport.fetched == std::vector<Digest>{model}));
  const Journal written = journal();
  BOOST_REQUIRE(written.update({plan_digest, 1, model}) != nullptr);
  BOOST_TEST(written.has_receipt(update()));
  const auto& file = receipts_disk.content("update-" + update().hex() + ".tlog-proof");
  const auto receipt = ledger::parse_receipt(file);
  BOOST_REQUIRE(receipt.has_value());
  BOOST_TEST(ledger::check_receipt(*receipt, federation.trust().ledger_key).has_value());
  BOOST_TEST(tally.updates_accepted == 1u);
  BOOST_TEST(tally.receipts_checked == 2u);
}

BOOST_AUTO_TEST_CASE(the_journal_names_the_update_before_its_first_byte_is_sent) {
  bool durable = false;
  transport.takes = [&](const protocol::OfferUpdate& offer) -> Result<protocol::Answer> {
    durable = says(journal_disk.files[std::string(journal_file)].durable, offer.update.hex());
    return federation.accept(offer);
  };
  start_with_consent();
  transport.tell(task());
  run_for(20s);
  BOOST_TEST(durable);
}

BOOST_AUTO_TEST_CASE(a_plan_that_weights_uniformly_is_not_told_how_many_rows_there_are) {
  const std::string uniform = test::plan_text(1, "uniform");
  const Digest digest = crypto::sha256(uniform);
  transport.serves[digest] = uniform;
  protocol::Agenda agenda;
  agenda.plans.push_back(federation.offer(uniform));
  transport.tell(std::move(agenda));
  start();
  run_for(1s);
  transport.tell(federation.train(digest, 1, model, test::model_bytes));
  run_for(20s);
  BOOST_REQUIRE(transport.offered.size() == 1u);
  BOOST_TEST(transport.offered[0].examples == 1u);
  BOOST_TEST(!says(journal_disk.content(std::string(journal_file)), "examples"));
}

BOOST_AUTO_TEST_CASE(
    a_forged_opening_is_answered_with_goodbye_and_an_alarm_and_nothing_is_trained) {
  start_with_consent();
  protocol::Train forged = task();
  forged.opening.line[10] ^= 1;
  transport.tell(forged);
  run_for(1s);
  BOOST_TEST(workbench.trained + workbench.stopped == 0);
  BOOST_REQUIRE(!transport.goodbyes.empty());
  BOOST_TEST(says(transport.goodbyes[0], "the opening of round 1"));
  BOOST_TEST(tally.alarms >= 1u);
  // It comes back, ever more slowly, and goes on when the nonsense has ended.
  const std::size_t connects = transport.connects.size();
  run_for(10min);
  BOOST_TEST(transport.connects.size() < connects + 25);
  transport.tell(task());
  run_for(2min);
  BOOST_TEST(workbench.trained == 1);
}

BOOST_AUTO_TEST_CASE(another_model_than_the_ledger_names_is_not_even_fetched) {
  start_with_consent();
  protocol::Train task_of_my_own = task();
  task_of_my_own.model = crypto::sha256("a model of his own");
  transport.serves[task_of_my_own.model] = "special";
  transport.tell(task_of_my_own);
  run_for(1min);
  BOOST_TEST(transport.fetched.empty());
  BOOST_TEST(workbench.trained == 0);
  BOOST_REQUIRE(!transport.goodbyes.empty());
  BOOST_TEST(says(transport.goodbyes[0], "names model"));
}

BOOST_AUTO_TEST_CASE(a_round_opened_without_this_participant_is_not_trained) {
  start_with_consent();
  protocol::Train not_mine = task();
  ledger::Entry opening = federation.opening(plan_digest, 1, model);
  opening.details["cohort"] = json::array{"bob"};
  not_mine.opening = federation.record(opening);
  transport.tell(not_mine);
  run_for(1min);
  BOOST_TEST(workbench.trained == 0);
  BOOST_TEST(says(transport.goodbyes.at(0), "cohort"));
}

BOOST_AUTO_TEST_CASE(a_model_of_another_size_than_the_plans_is_nonsense) {
  start_with_consent();
  protocol::Train large = task();
  large.model_size_bytes = std::uint64_t{1} << 40U;
  transport.tell(large);
  run_for(1min);
  BOOST_TEST(transport.fetched.empty());
  BOOST_TEST(says(transport.goodbyes.at(0), "expected 1000"));
}

BOOST_AUTO_TEST_CASE(work_for_a_plan_without_consent_is_declined) {
  start();
  transport.tell(task());
  run_for(1min);
  const auto declined = transport.all_asked<protocol::DeclineWork>();
  BOOST_REQUIRE(declined.size() == 1u);
  BOOST_TEST(says(declined[0].reason, "not consented"));
  BOOST_TEST(workbench.trained == 0);
}

BOOST_AUTO_TEST_CASE(an_operator_who_is_no_longer_accepted_gets_no_more_training) {
  start_with_consent();
  stop();
  policy.operators = {"otto"};
  transport.tell(task());
  start();
  run_for(1min);
  BOOST_REQUIRE(transport.all_asked<protocol::DeclineWork>().size() == 1u);
  BOOST_TEST(workbench.trained == 0);
}

BOOST_AUTO_TEST_CASE(training_is_stopped_when_the_agenda_asks_for_another_round_or_for_nothing) {
  start_with_consent();
  transport.tell(task(1));
  run_for(5s);
  transport.tell(protocol::Agenda{});
  run_for(200ms);
  BOOST_TEST(workbench.stopped == 1);
  transport.tell(task(2));
  run_for(5s);
  transport.tell(task(3));
  run_for(20s);
  BOOST_TEST(workbench.stopped == 2);
  BOOST_TEST(workbench.trained == 1);
  BOOST_REQUIRE(transport.offered.size() == 1u);
  BOOST_TEST(transport.offered[0].round == 3u);
}

BOOST_AUTO_TEST_CASE(training_goes_on_when_the_agenda_comes_again_with_the_same_work) {
  start_with_consent();
  const protocol::Train same = task();
  transport.tell(same);
  run_for(5s);
  transport.tell(same);
  run_for(20s);
  BOOST_TEST(workbench.stopped == 0);
  BOOST_TEST(workbench.trained == 1);
}

BOOST_AUTO_TEST_CASE(training_outlives_a_lost_connection_and_is_sent_in_the_next_session) {
  start_with_consent();
  transport.tell(task());
  run_for(5s);
  transport.drop();
  run_for(30s);
  BOOST_TEST(workbench.trained == 1);
  BOOST_REQUIRE(transport.offered.size() == 1u);
  BOOST_TEST(tally.updates_accepted == 1u);
}

BOOST_AUTO_TEST_CASE(a_restart_sends_a_finished_update_again_instead_of_training_it_again) {
  start_with_consent();
  transport.takes = [&](const auto&) -> Result<protocol::Answer> {
    transport.drop();
    return Error{Errc::closed, "lost in the middle"};
  };
  transport.tell(task());
  run_for(10'200ms);
  BOOST_TEST(workbench.trained == 1);
  transport.takes = [&](const protocol::OfferUpdate& offer) { return federation.accept(offer); };
  restart();
  run_for(20s);
  BOOST_TEST(workbench.trained == 1);
  BOOST_TEST(tally.updates_accepted == 1u);
  BOOST_TEST((transport.offered.front().update == transport.offered.back().update));
}

BOOST_AUTO_TEST_CASE(a_round_that_is_opened_again_gets_the_same_update_without_training) {
  start_with_consent();
  transport.takes = [&](const auto&) -> Result<protocol::Answer> {
    protocol::Answer late;
    late.verdict = Verdict::too_late;
    return late;
  };
  transport.tell(task());
  run_for(20s);
  transport.takes = [&](const protocol::OfferUpdate& offer) { return federation.accept(offer); };
  transport.tell(task());  // another entry of the ledger
  run_for(1s);
  BOOST_TEST(workbench.trained == 1);
  BOOST_TEST(tally.updates_accepted == 1u);
}

BOOST_AUTO_TEST_CASE(a_finished_update_whose_file_is_gone_is_trained_again) {
  start_with_consent();
  transport.tell(task());
  run_for(20s);
  files.erase(workbench.update_file(update()));
  transport.tell(task());
  run_for(20s);
  BOOST_TEST(workbench.trained == 2);
  BOOST_TEST(transport.offered.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_refused_update_is_not_sent_again_for_this_round) {
  start_with_consent();
  transport.takes = [&](const auto&) -> Result<protocol::Answer> {
    protocol::Answer refused;
    refused.verdict = Verdict::already_received;
    refused.reason = "another";
    return refused;
  };
  const protocol::Train same = task();
  transport.tell(same);
  run_for(20s);
  transport.tell(same);
  run_for(1h);
  BOOST_TEST(transport.offered.size() == 1u);
  BOOST_TEST(transport.all_asked<protocol::DeclineWork>().empty());
  BOOST_TEST(tally.updates_refused == 1u);
  transport.tell(task(2));
  run_for(20s);
  BOOST_TEST(transport.offered.size() == 2u);
}

// Otherwise the round would wait for this participant until its deadline.
BOOST_AUTO_TEST_CASE(an_update_that_can_never_be_taken_is_followed_by_declining_the_round) {
  start_with_consent();
  transport.takes = [&](const auto&) -> Result<protocol::Answer> {
    protocol::Answer refused;
    refused.verdict = Verdict::norm_over_limit;
    return refused;
  };
  transport.tell(task());
  run_for(20s);
  const auto declined = transport.all_asked<protocol::DeclineWork>();
  BOOST_REQUIRE(declined.size() == 1u);
  BOOST_TEST(says(declined[0].reason, std::string(to_string(Verdict::norm_over_limit))));
}

BOOST_AUTO_TEST_CASE(an_update_refused_to_a_suspended_participant_is_offered_again) {
  start_with_consent();
  int refusals = 1;
  transport.takes = [&](const protocol::OfferUpdate& offer) -> Result<protocol::Answer> {
    if (refusals-- == 0) return federation.accept(offer);
    protocol::Answer suspended;
    suspended.verdict = Verdict::suspended;
    return suspended;
  };
  transport.tell(task());
  run_for(1min);
  BOOST_TEST(workbench.trained == 1);
  BOOST_TEST(tally.updates_accepted == 1u);
}

BOOST_AUTO_TEST_CASE(a_busy_coordinator_is_asked_again_later) {
  start_with_consent();
  int refusals = 3;
  transport.takes = [&](const protocol::OfferUpdate& offer) -> Result<protocol::Answer> {
    if (refusals-- == 0) return federation.accept(offer);
    protocol::Answer busy;
    busy.verdict = Verdict::busy;
    return busy;
  };
  transport.tell(task());
  run_for(1min);
  BOOST_TEST(workbench.trained == 1);
  BOOST_TEST(transport.offered.size() == 4u);
  BOOST_TEST(tally.updates_accepted == 1u);
}

BOOST_AUTO_TEST_CASE(a_receipt_of_another_update_is_an_alarm_and_ends_the_session) {
  start_with_consent();
  transport.takes = [&](protocol::OfferUpdate offer) -> Result<protocol::Answer> {
    offer.update = crypto::sha256("another");
    return federation.accept(offer);
  };
  transport.tell(task());
  run_for(11s);
  BOOST_TEST(tally.alarms >= 1u);
  BOOST_TEST(says(transport.goodbyes.at(0), "the receipt of an update"));
  BOOST_TEST(!journal().has_receipt(update()));
}

BOOST_AUTO_TEST_CASE(a_damaged_model_is_fetched_again) {
  start_with_consent();
  workbench.trainings_fail.push_back({Errc::corrupt, "another digest"});
  transport.tell(task());
  run_for(1min);
  BOOST_TEST(workbench.trained == 1);
  BOOST_TEST(transport.fetched.size() == 2u);
}

BOOST_AUTO_TEST_CASE(training_that_cannot_end_well_or_in_time_is_declined_in_words) {
  start_with_consent();
  workbench.trainings_fail.push_back({Errc::rejected, "training did not stay finite"});
  workbench.trainings_fail.push_back({Errc::timed_out, "an hour"});
  transport.tell(task(1));
  run_for(1s);
  transport.tell(task(2));
  run_for(1min);
  const auto declined = transport.all_asked<protocol::DeclineWork>();
  BOOST_REQUIRE(declined.size() == 2u);
  BOOST_TEST(declined[0].reason == "training did not stay finite");
  BOOST_TEST(says(declined[1].reason, "longer than this institution allows"));
}

BOOST_AUTO_TEST_CASE(with_a_full_disk_nothing_is_sent_and_after_space_is_made_the_work_goes_on) {
  start_with_consent();
  transport.tell(task());
  run_for(9s);
  for (std::uint64_t i = 0; i < 6; ++i) {
    journal_disk.failing_write = journal_disk.writes;  // the next write, again and again
    run_for(5s);
    BOOST_TEST(transport.offered.empty());
  }
  journal_disk.failing_write.reset();
  run_for(10s);
  BOOST_TEST(workbench.trained == 1);
  BOOST_TEST(transport.offered.size() == 1u);
  BOOST_TEST(tally.connected);
}

BOOST_AUTO_TEST_CASE(files_of_the_last_two_rounds_are_kept) {
  start_with_consent();
  for (std::uint64_t round = 1; round <= 4; ++round) {
    transport.tell(task(round));
    run_for(15s);
  }
  BOOST_TEST((workbench.kept_updates == std::set<Digest>{update(3), update(4)}));
  BOOST_TEST((workbench.kept_models == std::set<Digest>{model}));
}

// --- evaluation

BOOST_AUTO_TEST_CASE(a_candidate_is_evaluated_told_and_after_a_restart_told_again_as_it_was) {
  start_with_consent();
  protocol::Agenda agenda;
  agenda.work = federation.evaluate(plan_digest, 1, model, test::model_bytes);
  transport.tell(agenda);
  run_for(1s);
  auto told = transport.all_asked<protocol::ReportEvaluation>();
  BOOST_REQUIRE(told.size() == 1u);
  BOOST_TEST((told[0].model == model));
  BOOST_TEST(told[0].examples == 15u);
  BOOST_TEST(told[0].metrics.at("accuracy") == 0.9);
  BOOST_TEST((journal().evaluation({plan_digest, 1, model})->metrics == told[0].metrics));
  restart();
  run_for(1s);
  told = transport.all_asked<protocol::ReportEvaluation>();
  BOOST_REQUIRE(told.size() == 2u);
  BOOST_TEST((told[0].metrics == told[1].metrics));
  BOOST_TEST(workbench.evaluated == 1);
}

BOOST_AUTO_TEST_CASE(a_candidate_that_the_ledger_does_not_name_is_not_evaluated) {
  start_with_consent();
  protocol::Evaluate forged = federation.evaluate(plan_digest, 1, model, test::model_bytes);
  forged.model = crypto::sha256("another");
  protocol::Agenda agenda;
  agenda.work = forged;
  transport.tell(agenda);
  run_for(1s);
  BOOST_TEST(workbench.evaluated == 0);
  BOOST_TEST(says(transport.goodbyes.at(0), "the candidate of round 1"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant
