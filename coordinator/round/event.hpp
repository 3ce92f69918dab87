// SPDX-License-Identifier: Apache-2.0
//
// What happens to the coordinator, as the round core sees it: who said what, already authenticated,
// with signatures checked and files inspected by the shell. And what it answers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/digest.hpp"
#include "common/base/verdict.hpp"
#include "common/ledger/entry.hpp"
#include "common/plan/rules.hpp"

namespace entente::coordinator::round {

// --- the coordinator itself
struct Started {
  std::string federation;
  std::string coordinator;   // SPIFFE id
  std::string verifier_key;  // vkey text
};
struct ModelPrepared {
  Digest plan;
  Digest model;
};  // the initial model is stored
struct AggregateStored {
  Digest plan;
  std::uint64_t round = 0;
  std::vector<std::uint64_t> contributors;  // the entries that accepted what was averaged
  Digest model;
};
struct UpdateLost {
  std::string participant;
  std::uint64_t round = 0;
  Digest update;
};                           // missing or damaged in the spool
struct ConnectionsRefused {  // strangers, counted over a while; or one member's misuse
  std::string member;        // SPIFFE id, empty for strangers
  std::string cause;
  std::uint64_t count = 1;
  bool remainder = false;  // a member's refusals that were not recorded one by one
};

// A participant's figures for the candidate of the round. They live in the shell; what the plan
// allows of them is recorded at the commit.
struct Evaluation {
  std::uint64_t examples = 0;
  std::map<std::string, double> metrics;
  friend bool operator==(const Evaluation&, const Evaluation&) = default;
};
struct EvaluationOffered {
  std::string from;
  Digest plan;
  std::uint64_t round = 0;
  Digest model;
  Evaluation evaluation;
};
// Time passes, participants come and go. The only event that moves the rounds on by itself.
struct Tick {
  std::set<std::string> available;                // connected participants
  std::map<std::string, Evaluation> evaluations;  // of the present candidate
  bool may_open = true;                           // a round: there is room for what it brings
};

// --- the operator; `actor` is a SPIFFE id
struct PlanSubmitted {
  std::string actor;
  Digest plan;
  std::string name;
  plan::Rules rules;
  std::uint64_t size_bytes = 0;
  std::string certificate;  // base64 DER
  std::string signature;    // base64
};
struct PlanCancelled {
  std::string actor;
  Digest plan;
  std::string reason;
};
struct SuspensionSet {
  std::string actor;
  std::string participant;
  bool suspended = true;
  std::string reason;
};

// --- participants; `from` is the name
struct PlanAnswered {
  std::string from;
  Digest plan;
  bool consents = false;
  std::string certificate;
  std::string signature;
  std::string reason;
};
struct UpdateOffered {
  std::string from;
  Digest plan;
  std::uint64_t round = 0;
  Digest update;
  std::uint64_t examples = 0;
};
struct UpdateArrived {  // whole, its digest checked, every value finite
  std::string from;
  Digest plan;
  std::uint64_t round = 0;
  Digest update;
  std::uint64_t examples = 0;
  double norm = 0;
};
struct UpdateFlawed {  // arrived, or announced, but cannot be used
  std::string from;
  Digest plan;
  std::uint64_t round = 0;
  Digest update;
  Verdict verdict = Verdict::malformed;
  std::string reason;
};
struct WorkDeclined {
  std::string from;
  Digest plan;
  std::uint64_t round = 0;
  std::string reason;
};

using Event = std::variant<Started, ModelPrepared, AggregateStored, UpdateLost, ConnectionsRefused,
                           Tick, PlanSubmitted, PlanCancelled, SuspensionSet, PlanAnswered,
                           UpdateOffered, UpdateArrived, UpdateFlawed, WorkDeclined>;

// What the one who caused the event is told, once the entries are durable.
struct Answer {
  Verdict verdict = Verdict::accepted;
  std::string reason;
  std::optional<std::uint64_t> receipt;  // the entry to prove to him
  friend bool operator==(const Answer&, const Answer&) = default;
};

// Entries to make durable, in order, then the answer.
struct Decision {
  std::vector<ledger::Entry> entries;
  Answer answer;
  // Whose refusal this is, when it is one too many to be recorded by itself: the shell counts it.
  std::string unrecorded{};
};

}  // namespace entente::coordinator::round
