// SPDX-License-Identifier: Apache-2.0
//
// A federation of values for the participant's tests: alice takes part, olga submits, and a ledger
// in memory says what the coordinator's would.
#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <utility>

#include "common/base/json.hpp"
#include "common/crypto/hash.hpp"
#include "common/ledger/log.hpp"
#include "common/ledger/statement.hpp"
#include "common/plan/plan.hpp"
#include "participant/evidence.hpp"
#include "participant/policy.hpp"
#include "protocol/messages.hpp"
#include "tests/common/crypto/federation.hpp"
#include "tests/common/ledger/memory_storage.hpp"
#include "tests/folders.hpp"

namespace entente::participant::test {

using crypto::testing::must;
using ledger::test::MemoryStorage;

// The breast cancer example, with another seed so that there are several.
inline std::string plan_text(int seed = 1, const std::string& weighting = "examples") {
  const auto folder = tests_folder().parent_path() / "examples";
  const auto plan = must(plan::read_plan(folder / "breast-cancer" / "plan.toml"));
  json::value value = must(parse_json(plan.canonical, plan::plan_max_bytes));
  value.as_object()["training"].as_object()["seed"] = seed;
  value.as_object()["rounds"].as_object()["weighting"] = weighting;
  return must(canonical_json(value));
}

class TestFederation {
 public:
  TestFederation()
      : log_(must(ledger::Log::open(storage_, ledger::ledger_origin(certificates.name),
                                    must(crypto::PrivateKey::from_ed25519(Bytes(32, std::byte{7}))),
                                    [](const auto&, auto) { return ok(); }))) {}

  crypto::testing::Federation certificates;
  crypto::Credentials alice = certificates.credentials(Role::participant, "alice");
  crypto::Credentials olga = certificates.credentials(Role::operator_, "olga");

  Trust trust() const { return {alice.identity, alice.authorities, log_.verifier_key()}; }
  std::string verifier_key() const { return log_.verifier_key().text(); }

  // An entry as the coordinator makes it, not yet in the ledger.
  ledger::Entry entry(const std::string& kind, const Digest& plan,
                      std::optional<std::uint64_t> round = std::nullopt) const {
    ledger::Entry made;
    made.sequence = log_.size();
    made.time = crypto::testing::noon + made.sequence * std::chrono::seconds(1);
    made.kind = kind;
    made.federation = certificates.name;
    made.actor = certificates.member(Role::coordinator, "main").uri();
    made.plan = plan;
    made.round = round;
    made.software = "test";
    return made;
  }
  ledger::Receipt record(const ledger::Entry& entry) {
    BOOST_REQUIRE(log_.append(std::span(&entry, 1)));
    return must(ledger::make_receipt(log_, entry.sequence));
  }

  ledger::Entry opening(const Digest& plan, std::uint64_t round, const Digest& model) const {
    ledger::Entry made = entry("round.opened", plan, round);
    made.subjects["model"] = model;
    made.details["attempt"] = 1;
    made.details["cohort"] = json::array{"alice", "bob"};
    return made;
  }
  protocol::Train train(const Digest& plan, std::uint64_t round, const Digest& model,
                        std::uint64_t size_bytes) {
    protocol::Train task;
    task.plan = plan;
    task.round = round;
    task.model = model;
    task.model_size_bytes = size_bytes;
    task.closes_in = std::chrono::minutes(10);
    task.opening = record(opening(plan, round, model));
    return task;
  }
  protocol::Evaluate evaluate(const Digest& plan, std::uint64_t round, const Digest& model,
                              std::uint64_t size_bytes) {
    ledger::Entry made = entry("round.aggregated", plan, round);
    made.subjects["model"] = model;
    protocol::Evaluate task;
    task.plan = plan;
    task.round = round;
    task.model = model;
    task.model_size_bytes = size_bytes;
    task.closes_in = std::chrono::minutes(5);
    task.aggregation = record(made);
    return task;
  }

  protocol::PlanToConsider offer(const std::string& text, const crypto::Credentials& by) const {
    protocol::PlanToConsider offered;
    offered.plan = crypto::sha256(text);
    offered.size_bytes = text.size();
    offered.operator_certificate = by.chain.front().der();
    offered.signature = must(by.key.sign(
        as_bytes(ledger::statement(ledger::plan_submitted, certificates.name, offered.plan))));
    return offered;
  }
  protocol::PlanToConsider offer(const std::string& text) const { return offer(text, olga); }

  // What the coordinator answers when it takes it.
  protocol::Answer accept(const protocol::AnswerPlan& answer) {
    if (!answer.consents) return {};
    ledger::Entry made = entry("plan.consented", answer.plan);
    made.actor = alice.identity.uri();
    return accepted(made);
  }
  protocol::Answer accept(const protocol::OfferUpdate& offer) {
    ledger::Entry made = entry("update.accepted", offer.plan, offer.round);
    made.actor = alice.identity.uri();
    made.subjects["update"] = offer.update;
    made.details["examples"] = offer.examples;
    return accepted(made);
  }
  protocol::Answer accepted(const ledger::Entry& made) {
    protocol::Answer answer;
    answer.verdict = Verdict::accepted;
    answer.receipt = record(made);
    return answer;
  }

 private:
  MemoryStorage storage_;
  ledger::Log log_;
};

}  // namespace entente::participant::test
