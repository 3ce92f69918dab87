// SPDX-License-Identifier: Apache-2.0
//
// What a round waits for, and for how long: quorum, target, grace, deadlines; and whom a retry
// asks.
#include <algorithm>

#include "coordinator/round/transition.hpp"
#include "tests/coordinator/round/story.hpp"

using namespace entente;
using namespace entente::coordinator::round;
using namespace entente::coordinator::round::test;
using namespace std::chrono_literals;

namespace {

plan::Rules one_of_three() {
  plan::Rules rules = three_of_three();
  rules.quorum = 1;
  rules.target = 2;
  return rules;
}

// Two are asked, both are needed, three are there.
plan::Rules two_asked() {
  plan::Rules rules = three_of_three();
  rules.quorum = rules.cohort = 2;
  rules.retries = 2;
  return rules;
}

// The one whom the round asks first of all.
std::string first_choice(const Story& story, std::uint64_t round) {
  return *choose_cohort(story.plan, round, story.present, 1, {}).begin();
}

// Nobody is there, nothing is said: only time passes, from one deadline to the next.
void pass_the_time(Story& story) {
  story.present.clear();
  for (int i = 0; i < 100; ++i) {
    const auto next = next_deadline(story.state, story.now);
    if (!next) return;
    story.now = *next;
    story.tick();
  }
  BOOST_FAIL("a hundred deadlines, and no end");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(round_waits)

// --- over-selection

BOOST_AUTO_TEST_CASE(a_round_with_its_target_is_closed_at_once_and_the_rest_come_too_late) {
  Story story(one_of_three());
  story.collecting();
  BOOST_TEST(story.phase<Collecting>().cohort.size() == 3u);
  story.arrives("bob", "b");
  story.tick();
  BOOST_TEST(story.phase<Collecting>().accepted.size() == 1u);  // a quorum, and its grace
  story.arrives("carol", "c");
  story.tick();
  BOOST_TEST(story.phase<Aggregating>().collected.accepted.size() == 2u);
  BOOST_TEST((story.arrives("alice", "a").verdict == Verdict::too_late));
}

BOOST_AUTO_TEST_CASE(a_target_that_is_not_reached_is_waited_for_no_longer_than_the_grace) {
  Story story(one_of_three());
  story.collecting();
  story.arrives("bob", "b");
  story.wait(29s).tick();
  BOOST_TEST(story.phase<Collecting>().accepted.size() == 1u);
  story.wait(1s).tick();
  BOOST_TEST(story.phase<Aggregating>().collected.accepted.size() == 1u);
}

// --- whom a retry asks

BOOST_AUTO_TEST_CASE(a_retry_asks_others_than_those_who_let_the_round_down) {
  Story story(two_asked());
  story.collecting();
  const std::set<std::string> first = story.phase<Collecting>().cohort;
  const std::string silent = *first.begin(), other = *first.rbegin();
  story.arrives(other, "its update");
  story.wait(600s).tick();

  const Collecting& again = story.phase<Collecting>();
  BOOST_TEST(again.attempt == 2u);
  BOOST_TEST(!again.cohort.contains(silent));
  BOOST_TEST(again.cohort.contains(other));  // its update is finished: it has only to send it again
  BOOST_TEST((story.arrives(other, "its update").verdict == Verdict::accepted));
}

BOOST_AUTO_TEST_CASE(who_had_no_time_to_send_because_another_said_no_has_not_let_the_round_down) {
  Story story(two_asked());
  story.collecting();
  const std::set<std::string> first = story.phase<Collecting>().cohort;
  const std::string decliner = *first.begin(), other = *first.rbegin();
  story.happen(WorkDeclined{decliner, story.plan, 1, "no"});
  story.tick();
  const Collecting& again = story.phase<Collecting>();
  BOOST_TEST(again.attempt == 2u);
  BOOST_TEST(!again.cohort.contains(decliner));
  BOOST_TEST(again.cohort.contains(other));
  BOOST_TEST((again.missed == Missed{{decliner, 1}}));
}

BOOST_AUTO_TEST_CASE(those_who_let_a_round_down_are_asked_again_when_there_is_nobody_else) {
  Story story(two_asked());
  story.collecting();
  const std::set<std::string> first = story.phase<Collecting>().cohort;
  story.present = first;
  story.wait(600s).tick();
  BOOST_TEST(story.phase<Collecting>().attempt == 2u);
  BOOST_TEST((story.phase<Collecting>().cohort == first));
}

BOOST_AUTO_TEST_CASE(who_let_a_round_down_most_often_is_asked_last) {
  const std::set<std::string> all{"a", "b", "c"};
  const Missed missed{{"a", 2}, {"b", 1}, {"c", 1}};
  BOOST_TEST((choose_cohort(digest_of("p"), 1, all, 2, missed) == std::set<std::string>{"b", "c"}));
}

BOOST_AUTO_TEST_CASE(the_next_round_asks_as_if_nobody_had_missed_the_one_before) {
  Story story(two_asked());
  story.collecting().wait(600s).tick();
  const std::set<std::string> second = story.phase<Collecting>().cohort;
  for (const std::string& name : second) story.arrives(name, name);
  story.tick();
  story.aggregated(digest_of("model 1"));
  for (const std::string& name : story.phase<Evaluating>().cohort) story.evaluated(name, 0.5);
  story.tick();
  BOOST_TEST(story.phase<Collecting>().round == 2u);
  BOOST_TEST(
      (story.phase<Collecting>().cohort == choose_cohort(story.plan, 2, story.present, 2, {})));
}

// It is connected, consents, and never sends a thing.
BOOST_AUTO_TEST_CASE(a_participant_that_never_answers_cannot_stop_the_others) {
  Story story(two_asked());
  story.recruiting();
  const std::string silent = first_choice(story, 1);
  story.tick();
  for (std::uint64_t round = 1; round <= 2; ++round) {
    for (int attempt = 0; attempt < 2 && std::holds_alternative<Collecting>(story.state.phase);
         ++attempt) {
      const std::set<std::string> cohort = story.phase<Collecting>().cohort;
      for (const std::string& name : cohort) {
        if (name != silent) story.arrives(name, name + std::to_string(round), round);
      }
      story.tick();
      if (std::holds_alternative<Collecting>(story.state.phase)) story.wait(600s).tick();
    }
    story.aggregated(digest_of("model " + std::to_string(round)));
    story.wait(300s).tick();  // nor does it evaluate
    BOOST_TEST(story.record().rounds.size() == round);
  }
  BOOST_TEST((story.record().standing == PlanStanding::finished));
}

// --- nothing is waited for without end

BOOST_AUTO_TEST_CASE(a_quorum_that_does_not_come_back_ends_the_plan_and_the_next_one_runs) {
  plan::Rules rules = three_of_three();
  rules.recruiting = 3600s;
  Story story(rules);
  story.recruiting();
  const Digest second = digest_of("second plan");
  story.happen(PlanSubmitted{olga, second, "next", three_of_three(), 100, "Y2VydA==", "c2ln"});
  for (const char* name : {"alice", "bob", "carol"}) {
    story.happen(PlanAnswered{name, second, true, "Y2VydA==", "c2ln", ""});
  }
  story.present = {"alice", "bob"};
  story.wait(3599s).tick();
  BOOST_TEST((story.record().standing == PlanStanding::running));
  BOOST_TEST((next_deadline(story.state, story.now) == story.now + 1s));
  story.wait(1s).tick();
  BOOST_TEST((story.record().standing == PlanStanding::failed));
  BOOST_TEST(story.record().reason ==
             "round 1 could not be opened within 3600 s: 2 of the 3 participants of its quorum "
             "were there");
  BOOST_TEST((due(story.state) == Work{PrepareModel{second}}));
}

BOOST_AUTO_TEST_CASE(a_disk_without_room_ends_the_plan_in_the_same_time_and_says_so) {
  plan::Rules rules = three_of_three();
  rules.recruiting = 3600s;
  Story story(rules);
  story.recruiting();
  Tick full = story.surroundings();
  full.may_open = false;
  story.wait(3600s).happen(full);
  BOOST_TEST(story.record().reason ==
             "round 1 could not be opened within 3600 s: the coordinator's disk has no room");
}

// Nobody could come while it was down; and whoever comes last after a start is given the grace.
BOOST_AUTO_TEST_CASE(the_wait_for_a_quorum_begins_anew_when_the_coordinator_starts) {
  plan::Rules rules = three_of_three();
  rules.quorum = 2;
  rules.recruiting = 60s;
  Story story(rules);
  story.recruiting().wait(3600s);
  story.happen(Started{"lab.example", story.state.coordinator, "key"});
  story.present = {};
  story.tick();
  BOOST_TEST((story.record().standing == PlanStanding::running));
  story.present = {"alice", "bob"};
  story.wait(29s).tick();
  BOOST_TEST(std::holds_alternative<Recruiting>(story.state.phase));
  story.wait(1s).tick();
  BOOST_TEST(story.phase<Collecting>().cohort.size() == 2u);
}

BOOST_AUTO_TEST_CASE(left_alone_a_plan_that_runs_ends_by_its_deadlines) {
  Story recruiting;
  pass_the_time(recruiting.recruiting());
  BOOST_TEST((recruiting.record().standing == PlanStanding::failed));

  Story collecting;
  pass_the_time(collecting.collecting());
  BOOST_TEST((collecting.record().standing == PlanStanding::failed));

  Story evaluating;
  pass_the_time(evaluating.evaluating());
  BOOST_TEST(evaluating.record().rounds.size() == 1u);
  BOOST_TEST((evaluating.record().standing == PlanStanding::failed));

  // What is left to wait for here is this machine's own work, and that is due.
  Story aggregating;
  pass_the_time(aggregating.aggregating());
  BOOST_TEST(std::holds_alternative<Aggregate>(due(aggregating.state)));
}

BOOST_AUTO_TEST_SUITE_END()
