// SPDX-License-Identifier: Apache-2.0
//
// Builds states for tests of the round core the way they come about: by events, through decide and
// apply.
#pragma once

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/crypto/hash.hpp"
#include "coordinator/round/entries.hpp"
#include "coordinator/round/transition.hpp"

namespace entente::coordinator::round::test {

inline const TimePoint noon = parse_rfc3339("2026-03-01T12:00:00.000000Z").value();
inline const std::string olga = "spiffe://lab.example/operator/olga";
inline Digest digest_of(const std::string& text) {
  return crypto::sha256(text);
}

inline plan::Rules three_of_three() {
  plan::Rules rules;
  rules.rounds = 2;
  rules.quorum = 3;
  rules.cohort = 3;
  rules.deadline = std::chrono::seconds(600);
  rules.grace = std::chrono::seconds(30);
  rules.retries = 1;
  rules.examples_max = 1000;
  rules.norm_max = 10;
  rules.evaluation_deadline = std::chrono::seconds(300);
  rules.metrics = {"accuracy"};
  return rules;
}

class Story {
 public:
  explicit Story(plan::Rules rules = three_of_three()) : rules_(rules) {
    happen(Started{"lab.example", "spiffe://lab.example/coordinator/main", "key"});
  }

  State state;
  TimePoint now = noon;
  std::vector<ledger::Entry> entries;
  Digest plan = digest_of("plan");
  std::set<std::string> present{"alice", "bob", "carol"};
  std::map<std::string, Evaluation> evaluations;

  // Decides and applies; gives the answer.
  Answer happen(const Event& event) {
    const Decision decision = decide(state, event, now);
    for (const ledger::Entry& entry : decision.entries) {
      auto next = apply(state, entry);
      const std::string why = next ? std::string() : next.error().detail;
      BOOST_REQUIRE_MESSAGE(next.has_value(), why);
      state = *next;
      entries.push_back(entry);
    }
    return decision.answer;
  }

  Story& wait(std::chrono::seconds time) {
    now += time;
    return *this;
  }
  Story& tick() {
    while (!decide(state, surroundings(), now).entries.empty()) happen(surroundings());
    return *this;
  }
  Tick surroundings() const { return Tick{present, evaluations}; }

  Story& submitted() {
    happen(PlanSubmitted{olga, plan, "trial", rules_, 100, "Y2VydA==", "c2ln"});
    return *this;
  }
  Story& consented(const std::string& name) {
    happen(PlanAnswered{name, plan, true, "Y2VydA==", "c2ln", ""});
    return *this;
  }
  Story& recruiting() {
    submitted();
    for (const char* name : {"alice", "bob", "carol"}) consented(name);
    happen(ModelPrepared{plan, digest_of("model 0")});
    return *this;
  }
  Story& collecting() {
    recruiting();
    return tick();
  }
  Answer arrives(const std::string& name, const std::string& content, std::uint64_t round = 1,
                 std::uint64_t examples = 10, double norm = 1) {
    return happen(UpdateArrived{name, plan, round, digest_of(content), examples, norm});
  }
  Story& aggregating() {
    collecting();
    for (const char* name : {"alice", "bob", "carol"})
      arrives(name, std::string("update of ") + name);
    return tick();
  }
  // Of what is to be averaged at present.
  AggregateStored aggregate(const Digest& model) const {
    const Work task = due(state);
    const auto* asked = std::get_if<Aggregate>(&task);
    if (asked == nullptr) return {plan, 1, {}, model};
    return {asked->plan, asked->round, sequences(asked->updates), model};
  }
  Story& aggregated(const Digest& model) {
    happen(aggregate(model));
    return *this;
  }
  Story& evaluating() {
    aggregating();
    return aggregated(digest_of("model 1"));
  }
  Story& evaluated(const std::string& name, double accuracy, std::uint64_t examples = 10) {
    evaluations[name] = Evaluation{examples, {{"accuracy", accuracy}}};
    return *this;
  }

  template <class P>
  const P& phase() const {
    BOOST_REQUIRE_MESSAGE(std::holds_alternative<P>(state.phase),
                          "the phase is " << name_of(state.phase));
    return std::get<P>(state.phase);
  }
  const PlanRecord& record() const { return state.plans.at(plan); }

 private:
  plan::Rules rules_;
};

}  // namespace entente::coordinator::round::test
