// SPDX-License-Identifier: Apache-2.0
//
// Every phase meets every event.
#include <array>

#include "common/ledger/entry.hpp"
#include "coordinator/round/transition.hpp"
#include "tests/coordinator/round/story.hpp"

using namespace entente;
using namespace entente::coordinator::round;
using namespace entente::coordinator::round::test;

BOOST_AUTO_TEST_SUITE(round_phases)

namespace {

// Which entry an event of this kind leads to in the five phases; "" for an answer without an entry.
struct Row {
  std::string_view name;
  Event event;
  std::array<std::string_view, std::variant_size_v<Phase>> entries;
};

std::vector<Row> table(const Story& story) {
  const Digest& plan = story.plan;
  const Digest other = digest_of("other plan");
  return {
      {"Started",
       Started{"lab.example", story.state.coordinator, "key"},
       {"coordinator.started", "coordinator.started", "coordinator.started", "coordinator.started",
        "coordinator.started"}},
      {"ModelPrepared",
       ModelPrepared{plan, digest_of("model 0")},
       {"plan.started", "", "", "", ""}},
      {"AggregateStored",
       story.aggregate(digest_of("model 1")),
       {"", "", "", "round.aggregated", ""}},
      {"UpdateLost",
       UpdateLost{"alice", 1, digest_of("update of alice")},
       {"", "", "", "update.lost", ""}},
      {"ConnectionsRefused",
       ConnectionsRefused{"", "no certificate", 7},
       {"connection.refused", "connection.refused", "connection.refused", "connection.refused",
        "connection.refused"}},
      {"Tick", Tick{{}, {}}, {"", "", "", "", ""}},
      {"PlanSubmitted",
       PlanSubmitted{olga, other, "x", three_of_three(), 1, "YQ==", "YQ=="},
       {"plan.submitted", "plan.submitted", "plan.submitted", "plan.submitted", "plan.submitted"}},
      {"PlanCancelled",
       PlanCancelled{olga, plan, "no"},
       {"plan.cancelled", "plan.cancelled", "plan.cancelled", "plan.cancelled", "plan.cancelled"}},
      {"SuspensionSet",
       SuspensionSet{olga, "alice", true, "x"},
       {"participant.suspended", "participant.suspended", "participant.suspended",
        "participant.suspended", "participant.suspended"}},
      {"PlanAnswered",
       PlanAnswered{"dave", plan, true, "YQ==", "YQ==", ""},
       {"plan.consented", "plan.consented", "plan.consented", "plan.consented", "plan.consented"}},
      {"UpdateOffered",
       UpdateOffered{"alice", plan, 1, digest_of("new"), 1},
       {"update.refused", "update.refused", "", "update.refused", "update.refused"}},
      {"UpdateArrived",
       UpdateArrived{"alice", plan, 1, digest_of("new"), 1, 1},
       {"update.refused", "update.refused", "update.accepted", "update.refused", "update.refused"}},
      {"UpdateFlawed",
       UpdateFlawed{"alice", plan, 1, digest_of("new"), Verdict::malformed, "x"},
       {"update.refused", "update.refused", "update.refused", "update.refused", "update.refused"}},
      {"WorkDeclined", WorkDeclined{"alice", plan, 1, "x"}, {"", "", "work.declined", "", ""}},
  };
}

Story in_phase(std::size_t phase) {
  Story story;
  switch (phase) {
    case 0:
      story.submitted();
      for (const char* name : {"alice", "bob", "carol"}) story.consented(name);
      break;
    case 1:
      story.recruiting();
      break;
    case 2:
      story.collecting();
      break;
    case 3:
      story.aggregating();
      break;
    default:
      story.evaluating();
      break;
  }
  return story;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_pair_of_phase_and_event_has_a_decided_answer) {
  for (std::size_t phase = 0; phase < std::variant_size_v<Phase>; ++phase) {
    const Story story = in_phase(phase);
    BOOST_REQUIRE(story.state.phase.index() == phase);
    const std::vector<Row> rows = table(story);
    BOOST_REQUIRE(rows.size() == std::variant_size_v<Event>);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      BOOST_REQUIRE(rows[i].event.index() == i);  // each kind of event, once
      const Decision decision = decide(story.state, rows[i].event, story.now);
      const std::string seen = decision.entries.empty() ? "" : decision.entries[0].kind;
      BOOST_TEST(seen == rows[i].entries[phase],
                 rows[i].name << " while " << name_of(story.state.phase) << ": expected '"
                              << rows[i].entries[phase] << "', saw '" << seen << "'");
      for (const ledger::Entry& entry : decision.entries)
        BOOST_TEST(apply(story.state, entry).has_value());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
