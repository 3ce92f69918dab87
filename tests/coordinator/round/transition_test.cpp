// SPDX-License-Identifier: Apache-2.0
#include "coordinator/round/transition.hpp"

#include <limits>

#include "common/base/identity.hpp"
#include "common/ledger/entry.hpp"
#include "tests/coordinator/round/story.hpp"

namespace entente {
static std::ostream& operator<<(std::ostream& out, Verdict verdict) {
  return out << to_string(verdict);
}
}  // namespace entente

using namespace entente;
using namespace entente::coordinator::round;
using namespace entente::coordinator::round::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(round_transition)

BOOST_AUTO_TEST_CASE(a_plan_runs_from_submission_to_its_last_committed_round) {
  Story story;
  story.evaluating();
  for (const char* name : {"alice", "bob", "carol"}) story.evaluated(name, 0.5);
  story.tick();
  BOOST_TEST(story.phase<Collecting>().round == 2u);
  BOOST_TEST(story.record().rounds.size() == 1u);
  BOOST_TEST(story.record().rounds[0].metrics.at("accuracy") == 0.5);
  BOOST_TEST((story.record().model == digest_of("model 1")));

  for (const char* name : {"alice", "bob", "carol"})
    story.arrives(name, std::string("second of ") + name, 2);
  story.tick();
  story.aggregated(digest_of("model 2"));
  story.tick();

  BOOST_TEST((story.record().standing == PlanStanding::finished));
  BOOST_TEST((story.record().model == digest_of("model 2")));
  BOOST_TEST(std::holds_alternative<Idle>(story.state.phase));
}

BOOST_AUTO_TEST_CASE(the_state_is_the_fold_of_the_entries) {
  Story story;
  story.evaluating();
  State folded;
  for (const ledger::Entry& entry : story.entries) folded = apply(folded, entry).value();
  BOOST_TEST((folded == story.state));
}

BOOST_AUTO_TEST_CASE(every_entry_survives_its_canonical_line) {
  Story story;
  story.evaluating().evaluated("alice", 0.25).evaluated("bob", 0.5).evaluated("carol", 1).tick();
  story.happen(PlanCancelled{olga, story.plan, "enough"});
  for (const ledger::Entry& entry : story.entries) {
    auto again = ledger::decode_entry(ledger::encode_entry(entry).value());
    const std::string why = again ? std::string() : again.error().detail;
    BOOST_REQUIRE_MESSAGE(again.has_value(), entry.kind << ": " << why);
    BOOST_TEST(again->kind == entry.kind);
    BOOST_TEST(canonical_json(again->details).value() == canonical_json(entry.details).value());
  }
}

// --- updates

BOOST_AUTO_TEST_CASE(a_second_update_from_the_same_participant_is_answered_but_not_counted) {
  Story story;
  story.collecting();
  BOOST_TEST(story.arrives("alice", "first").verdict == Verdict::accepted);
  BOOST_TEST(story.arrives("alice", "second").verdict == Verdict::already_received);
  BOOST_TEST(story.phase<Collecting>().accepted.size() == 1u);
  BOOST_TEST((story.phase<Collecting>().accepted.at("alice").update == digest_of("first")));
}

BOOST_AUTO_TEST_CASE(the_same_update_again_gets_the_receipt_of_the_first_in_every_later_phase) {
  Story story;
  story.collecting();
  const Answer first = story.arrives("alice", "update of alice");
  const auto again = [&] { return story.arrives("alice", "update of alice"); };
  BOOST_TEST(again().verdict == Verdict::repeated);
  BOOST_TEST((again().receipt == first.receipt));
  story.arrives("bob", "update of bob");
  story.arrives("carol", "update of carol");
  story.tick();
  BOOST_TEST((again().receipt == first.receipt));
  story.aggregated(digest_of("model 1"));
  BOOST_TEST((again().receipt == first.receipt));
  story.wait(301s).tick();
  BOOST_TEST(story.record().rounds.size() == 1u);
  const std::size_t before = story.entries.size();
  BOOST_TEST((again().receipt == first.receipt));
  BOOST_TEST(story.entries.size() == before);
}

BOOST_AUTO_TEST_CASE(updates_that_do_not_fit_are_refused_with_their_reason_and_recorded) {
  Story story;
  story.collecting();
  const auto refused = [&](Verdict expected, const Answer& answer) {
    BOOST_TEST(answer.verdict == expected);
    BOOST_TEST(story.entries.back().kind == kind::update_refused);
    BOOST_TEST(story.entries.back().outcome == "refused");
    BOOST_TEST(!answer.reason.empty());
    BOOST_TEST(story.phase<Collecting>().accepted.empty());
  };
  refused(Verdict::examples_over_limit, story.arrives("alice", "a", 1, 1001));
  refused(Verdict::examples_over_limit, story.arrives("alice", "a", 1, 0));
  refused(Verdict::norm_over_limit, story.arrives("alice", "a", 1, 10, 10.001));
  refused(Verdict::not_finite,
          story.arrives("alice", "a", 1, 10, std::numeric_limits<double>::quiet_NaN()));
  refused(Verdict::not_in_cohort, story.arrives("mallory", "a"));
  refused(Verdict::not_now, story.arrives("alice", "a", 2));
  refused(Verdict::too_late, story.arrives("alice", "a", 0));
  refused(Verdict::digest_mismatch,
          story.happen(UpdateFlawed{"bob", story.plan, 1, digest_of("x"), Verdict::digest_mismatch,
                                    "other bytes"}));
  BOOST_TEST(story.arrives("alice", "a", 1, 1000, 10).verdict == Verdict::accepted);
}

BOOST_AUTO_TEST_CASE(an_update_at_the_deadline_is_too_late_and_one_before_it_is_not) {
  Story story;
  story.collecting().wait(600s - 1s);
  BOOST_TEST(story.arrives("alice", "a").verdict == Verdict::accepted);
  story.wait(1s);
  BOOST_TEST(story.arrives("bob", "b").verdict == Verdict::too_late);
}

BOOST_AUTO_TEST_CASE(refusals_of_one_member_are_recorded_at_most_ten_times_a_minute) {
  Story story;
  story.collecting();
  const std::size_t before = story.entries.size();
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST(story.arrives("mallory", std::to_string(i)).verdict == Verdict::not_in_cohort);
  }
  BOOST_TEST(story.entries.size() == before + refusals_recorded_a_minute_max);
  story.wait(60s);
  story.arrives("mallory", "again");
  BOOST_TEST(story.entries.size() == before + refusals_recorded_a_minute_max + 1);
}

// Should: name whose refusal goes unrecorded, so that it is counted.
BOOST_AUTO_TEST_CASE(refusals_of_one_member_are_recorded_at_most_sixty_times_an_hour) {
  Story story;
  story.collecting();
  const auto refused = [&](const std::string& member, bool remainder = false) {
    const Event event = ConnectionsRefused{member, "nonsense", 1, remainder};
    Decision decision = decide(story.state, event, story.now);
    story.happen(event);
    return decision;
  };
  const std::string mallory = Identity{"hospitals.example", Role::participant, "mallory"}.uri();
  std::uint32_t recorded = 0;
  for (int i = 0; i < 30 * 30; ++i, story.wait(2s)) {
    const Decision decision = refused(mallory);
    recorded += static_cast<std::uint32_t>(decision.entries.size());
    BOOST_TEST(decision.unrecorded == (decision.entries.empty() ? mallory : ""));
  }
  BOOST_TEST(recorded == refusals_recorded_an_hour_max);
  BOOST_TEST(refused(mallory, true).entries.size() == 1u);  // how many more there were
  BOOST_TEST(refused("").entries.size() == 1u);             // strangers are counted elsewhere
  story.wait(1h);
  BOOST_TEST(refused(mallory).entries.size() == 1u);
}

// Should: hear every withdrawal at once.
BOOST_AUTO_TEST_CASE(who_keeps_changing_his_mind_about_a_plan_is_put_off) {
  Story story;
  story.recruiting();
  const std::size_t before = story.entries.size();
  std::uint32_t put_off = 0;
  for (int i = 0; i < 100; ++i) {
    story.happen(PlanAnswered{"alice", story.plan, false, "", "", "no"});
    BOOST_TEST(!story.record().consents.contains("alice"));
    const Answer again =
        story.happen(PlanAnswered{"alice", story.plan, true, "Y2VydA==", "c2ln", ""});
    put_off += again.verdict == Verdict::busy ? 1 : 0;
  }
  BOOST_TEST(put_off == 100 - refusals_recorded_a_minute_max);
  BOOST_TEST(story.entries.size() <= before + 2 * refusals_recorded_a_minute_max + 1);
  story.wait(60s).consented("alice");
  BOOST_TEST(story.record().consents.contains("alice"));
}

BOOST_AUTO_TEST_CASE(an_update_lost_from_the_spool_is_asked_for_again) {
  Story story;
  story.aggregating();
  story.wait(3000s);
  story.happen(UpdateLost{"bob", 1, digest_of("update of bob")});
  BOOST_TEST(!story.phase<Collecting>().accepted.contains("bob"));
  BOOST_TEST((agenda(story.state, "bob", {}).work != decltype(Agenda::work){}));
  BOOST_TEST(story.arrives("bob", "update of bob").verdict == Verdict::accepted);
  story.tick();
  BOOST_TEST(story.phase<Aggregating>().collected.accepted.size() == 3u);
}

// --- rounds

BOOST_AUTO_TEST_CASE(a_round_opens_only_with_consent_and_presence) {
  Story story;
  story.submitted().consented("alice").consented("bob");
  BOOST_TEST((due(story.state) == Work{}));
  story.consented("carol");
  BOOST_TEST((due(story.state) == Work{PrepareModel{story.plan}}));
  story.happen(ModelPrepared{story.plan, digest_of("model 0")});
  story.present = {"alice", "bob"};
  story.wait(1000s).tick();
  BOOST_TEST(std::holds_alternative<Recruiting>(story.state.phase));
  story.present.insert("dave");  // is there, but never consented
  story.tick();
  BOOST_TEST(std::holds_alternative<Recruiting>(story.state.phase));
  story.present.insert("carol");
  story.tick();
  BOOST_TEST((story.phase<Collecting>().cohort == std::set<std::string>{"alice", "bob", "carol"}));
}

BOOST_AUTO_TEST_CASE(a_round_is_opened_when_there_is_room_for_it_and_not_before) {
  Story story;
  story.recruiting();
  Tick full = story.surroundings();
  full.may_open = false;
  story.wait(std::chrono::hours(1));
  BOOST_TEST(decide(story.state, full, story.now).entries.empty());
  story.tick();
  story.phase<Collecting>();
}

BOOST_AUTO_TEST_CASE(a_round_closes_on_its_quorum_once_the_grace_for_stragglers_is_over) {
  plan::Rules rules = three_of_three();
  rules.quorum = 2;
  Story story(rules);
  story.collecting();
  story.arrives("alice", "a");
  story.wait(100s).tick();
  story.arrives("bob", "b");
  story.wait(29s).tick();
  BOOST_TEST(story.phase<Collecting>().accepted.size() == 2u);
  story.wait(1s).tick();
  BOOST_TEST(story.phase<Aggregating>().collected.accepted.size() == 2u);
  BOOST_TEST(story.arrives("carol", "c").verdict == Verdict::too_late);
}

BOOST_AUTO_TEST_CASE(a_round_without_a_quorum_is_abandoned_tried_again_and_then_fails_the_plan) {
  Story story;
  story.collecting();
  story.arrives("alice", "a");
  story.wait(600s).tick();
  BOOST_TEST(story.phase<Collecting>().attempt == 2u);
  BOOST_TEST(story.phase<Collecting>().accepted.empty());
  BOOST_TEST(story.arrives("alice", "a").verdict ==
             Verdict::accepted);  // the same update, sent again
  story.wait(600s).tick();
  BOOST_TEST((story.record().standing == PlanStanding::failed));
  BOOST_TEST(std::holds_alternative<Idle>(story.state.phase));
}

// Each entry is decided from the state that the one before it left.
BOOST_AUTO_TEST_CASE(a_crash_behind_the_last_attempt_of_a_round_does_not_win_it_another) {
  Story story;
  story.collecting().wait(600s).tick().wait(600s);
  BOOST_TEST(decide(story.state, story.surroundings(), story.now).entries.size() == 1u);
  story.happen(story.surroundings());  // durable; what was to follow is not
  story.wait(3600s).tick();
  BOOST_TEST((story.record().standing == PlanStanding::failed));
}

BOOST_AUTO_TEST_CASE(a_round_that_cannot_reach_its_quorum_does_not_wait_for_the_deadline) {
  Story story;
  story.collecting();
  story.happen(WorkDeclined{"carol", story.plan, 1, "night"});
  story.tick();
  BOOST_TEST(story.phase<Collecting>().attempt == 2u);
}

BOOST_AUTO_TEST_CASE(a_suspended_participant_is_neither_asked_nor_counted) {
  plan::Rules rules = three_of_three();
  rules.quorum = 2;
  Story story(rules);
  story.collecting();
  story.happen(SuspensionSet{olga, "carol", true, "audit"});
  BOOST_TEST(story.arrives("carol", "c").verdict == Verdict::suspended);
  BOOST_TEST((agenda(story.state, "carol", {}) == Agenda{}));
  story.arrives("alice", "a");
  story.arrives("bob", "b");
  story.tick();
  BOOST_TEST(std::holds_alternative<Aggregating>(story.state.phase));
}

BOOST_AUTO_TEST_CASE(evaluation_waits_for_all_who_are_there_and_no_longer_than_its_deadline) {
  Story story;
  story.evaluating().evaluated("alice", 0.5).tick();
  BOOST_TEST(std::holds_alternative<Evaluating>(story.state.phase));
  story.present = {"alice"};
  story.tick();
  BOOST_TEST(std::holds_alternative<Evaluating>(story.state.phase));  // the others may come back
  story.wait(30s).tick();
  BOOST_TEST(story.record().rounds.size() == 1u);

  Story silent;
  silent.evaluating().wait(299s).tick();
  BOOST_TEST(std::holds_alternative<Evaluating>(silent.state.phase));
  silent.wait(1s).tick();
  BOOST_TEST(silent.record().rounds.size() == 1u);
  BOOST_TEST(silent.record().rounds[0].metrics.empty());
}

BOOST_AUTO_TEST_CASE(the_figures_of_one_institution_alone_are_not_published_as_an_aggregate) {
  Story story;
  story.evaluating().evaluated("alice", 0.5);
  story.present = {"alice"};
  story.wait(30s).tick();
  const ledger::Entry& commit = story.entries.back();
  BOOST_TEST(commit.kind == kind::round_committed);
  BOOST_TEST(!commit.details.contains("metrics"));
  BOOST_TEST(!commit.details.contains("participants"));
}

// An update was lost while the average was made, and another came in its place.
BOOST_AUTO_TEST_CASE(an_average_of_other_updates_than_those_now_accepted_is_not_taken) {
  Story story;
  story.aggregating();
  const AggregateStored old = story.aggregate(digest_of("average of the first three"));
  story.happen(UpdateLost{"bob", 1, digest_of("update of bob")});
  story.arrives("bob", "update of bob, trained again");
  story.tick();
  BOOST_TEST((story.happen(old).verdict == Verdict::not_now));
  BOOST_TEST(std::holds_alternative<Aggregating>(story.state.phase));
  story.aggregated(digest_of("average of the present three"));
  BOOST_TEST((story.phase<Evaluating>().candidate == digest_of("average of the present three")));
}

BOOST_AUTO_TEST_CASE(figures_are_taken_from_the_cohort_for_the_candidate_and_as_the_plan_asks) {
  Story story;
  story.evaluating();
  const auto verdict = [&](auto change) {
    EvaluationOffered offered{
        "alice", story.plan, 1, digest_of("model 1"), {10, {{"accuracy", 0.5}}}};
    change(offered);
    return admit_evaluation(story.state, offered).verdict;
  };
  BOOST_TEST((verdict([](auto&) {}) == Verdict::accepted));
  BOOST_TEST((verdict([](auto& it) { it.from = "dora"; }) == Verdict::not_in_cohort));
  BOOST_TEST((verdict([](auto& it) { it.plan = digest_of("p"); }) == Verdict::unknown));
  BOOST_TEST((verdict([](auto& it) { it.model = digest_of("m"); }) == Verdict::not_now));
  BOOST_TEST((verdict([](auto& it) { it.round = 2; }) == Verdict::not_now));
  BOOST_TEST((verdict([](auto& it) { it.round = 0; }) == Verdict::too_late));
  BOOST_TEST((verdict([](auto& it) { it.evaluation.examples = 1000; }) == Verdict::accepted));
  BOOST_TEST(
      (verdict([](auto& it) { it.evaluation.examples = 1001; }) == Verdict::examples_over_limit));
  // Rows without a single position that counts define no figure.
  BOOST_TEST((verdict([](auto& it) { it.evaluation.metrics.clear(); }) == Verdict::accepted));
  BOOST_TEST((verdict([](auto& it) { it.evaluation.metrics["f1"] = 1; }) == Verdict::malformed));
  story.happen(SuspensionSet{olga, "alice", true, "maintenance"});
  BOOST_TEST((verdict([](auto&) {}) == Verdict::suspended));
}

BOOST_AUTO_TEST_CASE(metrics_are_weighted_by_examples) {
  const auto means = mean_metrics(
      {{"a", {30, {{"accuracy", 1.0}, {"loss", 2.0}}}}, {"b", {10, {{"accuracy", 0.0}}}}}, 2);
  BOOST_TEST(means.at("accuracy") == 0.75);
  BOOST_TEST(!means.contains("loss"));
}

BOOST_AUTO_TEST_CASE(a_metric_that_some_could_not_report_is_the_mean_of_the_others) {
  const std::map<std::string, Evaluation> evaluations{
      {"a", {30, {{"roc_auc", 0.5}}}}, {"b", {10, {{"roc_auc", 0.9}}}}, {"c", {90, {}}}};
  BOOST_TEST(std::abs(mean_metrics(evaluations, 2).at("roc_auc") - 0.6) < 1e-12);
  BOOST_TEST(mean_metrics(evaluations, 3).empty());
}

// Not the mean of the roots, which no rows have.
BOOST_AUTO_TEST_CASE(the_mean_of_rmse_and_of_perplexity_are_those_of_all_rows) {
  const auto means = mean_metrics({{"a", {30, {{"rmse", 1}, {"perplexity", 4}}}},
                                   {"b", {10, {{"rmse", 3}, {"perplexity", 64}}}}},
                                  2);
  BOOST_TEST(std::abs(means.at("rmse") - std::sqrt(3.0)) < 1e-12);
  BOOST_TEST(std::abs(means.at("perplexity") - 8) < 1e-12);
}

BOOST_AUTO_TEST_CASE(a_perplexity_that_cannot_be_gives_no_mean) {
  const auto means = mean_metrics({{"a", {30, {{"perplexity", -4}, {"loss", 1}}}},
                                   {"b", {10, {{"perplexity", 0}, {"loss", 1}}}}},
                                  2);
  BOOST_TEST(means.size() == 1U);
  BOOST_TEST(means.at("loss") == 1);
}

// A ledger cannot say infinity.
BOOST_AUTO_TEST_CASE(a_mean_that_no_double_can_hold_is_left_out) {
  const double most = std::numeric_limits<double>::max();
  const auto means = mean_metrics({{"alice", {10, {{"accuracy", most}, {"loss", 1}}}},
                                   {"bob", {10, {{"accuracy", most}, {"loss", 3}}}}},
                                  2);
  BOOST_TEST(!means.contains("accuracy"));
  BOOST_TEST(means.at("loss") == 2);
}

BOOST_AUTO_TEST_CASE(plans_wait_in_the_order_of_their_submission_and_one_runs) {
  Story story;
  story.collecting();
  const Digest second = digest_of("second plan");
  story.happen(PlanSubmitted{olga, second, "next", three_of_three(), 100, "Y2VydA==", "c2ln"});
  for (const char* name : {"alice", "bob", "carol"}) {
    story.happen(PlanAnswered{name, second, true, "Y2VydA==", "c2ln", ""});
  }
  BOOST_TEST((due(story.state) == Work{}));
  story.happen(PlanCancelled{olga, story.plan, "wrong data"});
  BOOST_TEST((due(story.state) == Work{PrepareModel{second}}));
  BOOST_TEST(story.arrives("alice", "late").verdict == Verdict::too_late);
}

BOOST_AUTO_TEST_CASE(the_cohort_depends_on_plan_round_and_names_alone) {
  const std::set<std::string> all{"a", "b", "c", "d", "e", "f"};
  const auto first = choose_cohort(digest_of("p"), 1, all, 3, {});
  BOOST_TEST(first.size() == 3u);
  BOOST_TEST((choose_cohort(digest_of("p"), 1, all, 3, {}) == first));
  bool differs = false;
  for (std::uint64_t round = 2; round < 10; ++round)
    differs |= choose_cohort(digest_of("p"), round, all, 3, {}) != first;
  BOOST_TEST(differs);
  BOOST_TEST((choose_cohort(digest_of("p"), 1, all, 9, {}) == all));
}

BOOST_AUTO_TEST_CASE(a_cohort_of_the_longest_names_fits_an_entry_and_has_any_quorum) {
  Story story([] {
    plan::Rules rules = three_of_three();
    rules.quorum = plan::quorum_max;
    rules.cohort = plan::participants_max;
    return rules;
  }());
  story.submitted();
  story.present.clear();
  for (std::int64_t i = 0; i < plan::participants_max; ++i) {
    const std::string number = std::to_string(i);
    const std::string name = std::string(name_max_bytes - number.size(), 'x') + number;
    story.present.insert(name);
    story.consented(name);
  }
  story.happen(ModelPrepared{story.plan, digest_of("model 0")});
  story.tick();
  BOOST_TEST(story.phase<Collecting>().cohort.size() >= plan::quorum_max);
  BOOST_TEST(ledger::encode_entry(story.entries.back()).has_value());
}

// --- replay

BOOST_AUTO_TEST_CASE(an_entry_that_the_state_could_not_have_produced_is_corruption) {
  Story story;
  story.evaluating();
  for (std::size_t skipped = 0; skipped + 1 < story.entries.size(); ++skipped) {
    State state;
    bool refused = false;
    for (std::size_t i = 0; i < story.entries.size() && !refused; ++i) {
      if (i == skipped) continue;
      ledger::Entry entry = story.entries[i];
      if (i > skipped) --entry.sequence;  // renumbered, so that only the meaning is wrong
      auto next = apply(state, entry);
      if (!next) {
        BOOST_TEST((next.error().code == Errc::corrupt));
        refused = true;
      } else {
        state = *next;
      }
    }
    BOOST_TEST(refused, story.entries[skipped].kind << " dropped");
  }
}

BOOST_AUTO_TEST_CASE(an_entry_out_of_sequence_or_back_in_time_is_corruption) {
  Story story;
  story.collecting();
  ledger::Entry entry =
      decide(story.state, UpdateArrived{"alice", story.plan, 1, digest_of("a"), 1, 1}, story.now)
          .entries.at(0);
  BOOST_TEST(apply(story.state, entry).has_value());
  ledger::Entry late = entry;
  late.sequence += 1;
  BOOST_TEST(apply(story.state, late).has_error());
  ledger::Entry early = entry;
  early.time -= 1us;
  BOOST_TEST(apply(story.state, early).has_error());
}

BOOST_AUTO_TEST_CASE(entries_are_never_dated_before_the_last_one) {
  Story story;
  story.collecting();
  story.now -= 3600s;
  story.arrives("alice", "a");
  BOOST_TEST((story.entries.back().time >= story.entries[story.entries.size() - 2].time));
}

BOOST_AUTO_TEST_SUITE_END()
