// SPDX-License-Identifier: Apache-2.0
//
// The coordinator's state: a fold over the ledger's entries, changed by `apply` (transition.hpp)
// alone.
//
// One plan runs at a time, one round of it at a time; a phase holds exactly what exists while it
// lasts, and never a tensor: models and updates are named by their digests.
//
//   - Idle -> Recruiting: a waiting plan has consents, its first model is stored (plan.started)
//   - Recruiting -> Collecting: enough of the consenting are there (round.opened)
//   - Collecting -> Aggregating: cohort complete, target there, quorum and grace, or deadline and
//     quorum (round.closed)
//   - Collecting -> Recruiting: deadline without a quorum, or none can come (round.abandoned)
//   - Aggregating -> Evaluating: candidate stored (round.aggregated)
//   - Aggregating -> Collecting: an update lost from the spool (update.lost)
//   - Evaluating -> Recruiting: enough answers, or its deadline (round.committed)
//   - Recruiting -> Idle: no round is left (plan.finished); no attempt is left, or the quorum does
//     not come in time (plan.failed)
//   - any -> Idle: cancelled (plan.cancelled)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.hpp"
#include "common/base/digest.hpp"
#include "common/plan/rules.hpp"

namespace entente::coordinator::round {

// Updates that were accepted: enough to find the file, to weight it and to prove it.
struct Acceptance {
  Digest update;
  std::uint64_t examples = 0;  // 1 when the plan weights uniformly
  std::uint64_t sequence = 0;  // of the entry update.accepted
  friend bool operator==(const Acceptance&, const Acceptance&) = default;
};

// By participant's name: a fixed order for the reduction.
using Contributions = std::map<std::string, Acceptance>;
// The entries that accepted them, ascending by name.
std::vector<std::uint64_t> sequences(const Contributions& contributions);

struct Idle {
  friend bool operator==(const Idle&, const Idle&) = default;
};

// Who let abandoned attempts of the round down, and how many: said no, or had not sent by the
// deadline.
using Missed = std::map<std::string, std::uint32_t>;

struct Recruiting {
  Digest plan;
  std::uint64_t round = 1;
  std::uint32_t attempt = 1;
  TimePoint since;  // or since the coordinator's last start
  Missed missed;
  friend bool operator==(const Recruiting&, const Recruiting&) = default;
};

struct Collecting {
  Digest plan;
  std::uint64_t round = 1;
  std::uint32_t attempt = 1;
  std::uint64_t opening = 0;  // sequence of the entry round.opened
  TimePoint opened;
  TimePoint closes_at;
  std::optional<TimePoint> quorum_at;  // when the quorum was complete
  std::set<std::string> cohort;
  std::set<std::string> declined;  // of the cohort: will not send
  Contributions accepted;          // of the cohort
  Missed missed;                   // in the attempts before this one
  friend bool operator==(const Collecting&, const Collecting&) = default;
};

struct Aggregating {
  Collecting collected;  // as it stood when the round was closed
  friend bool operator==(const Aggregating&, const Aggregating&) = default;
};

struct Evaluating {
  Digest plan;
  std::uint64_t round = 1;
  Digest candidate;
  std::uint64_t aggregation = 0;  // sequence of the entry round.aggregated
  TimePoint opened;               // the round
  TimePoint since;
  TimePoint closes_at;
  std::set<std::string> cohort;
  Contributions accepted;
  friend bool operator==(const Evaluating&, const Evaluating&) = default;
};

using Phase = std::variant<Idle, Recruiting, Collecting, Aggregating, Evaluating>;

// "idle", "recruiting", ...
std::string_view name_of(const Phase& phase);

// A round that was committed.
struct CommittedRound {
  std::uint64_t round = 0;
  Digest model;
  std::uint32_t contributors = 0;
  std::map<std::string, double> metrics;
  Duration took{0};
  friend bool operator==(const CommittedRound&, const CommittedRound&) = default;
};

enum class PlanStanding { waiting, running, finished, cancelled, failed };
std::string_view to_string(PlanStanding standing);

struct PlanRecord {
  Digest digest;
  std::string name;
  plan::Rules rules;
  std::uint64_t size_bytes = 0;
  std::string operator_certificate;  // base64 of the DER
  std::string operator_signature;    // base64
  std::uint64_t submission = 0;      // sequence of plan.submitted: plans run in this order
  PlanStanding standing = PlanStanding::waiting;
  std::string reason;                             // of a cancellation or failure
  std::map<std::string, std::uint64_t> consents;  // name -> sequence of plan.consented
  std::set<std::string> declined;
  std::optional<Digest> model;  // the latest committed global model, before that the initial one
  std::vector<CommittedRound> rounds;
  std::uint64_t last_round =
      0;  // whose contributions these are: answers to those who missed theirs
  Contributions last_contributions;
  friend bool operator==(const PlanRecord&, const PlanRecord&) = default;
};

// A member's refusals, and his returns to a plan that he had declined, are recorded one by one at
// most this often; refusals beyond are counted, returns put off.
inline constexpr std::uint32_t refusals_recorded_a_minute_max = 10;
inline constexpr std::uint32_t refusals_recorded_an_hour_max = 60;

struct RefusalCount {
  TimePoint minute, hour;  // of the last one
  std::uint32_t in_minute = 0;
  std::uint32_t in_hour = 0;
  friend bool operator==(const RefusalCount&, const RefusalCount&) = default;
};

struct State {
  std::string federation;   // empty before ledger.opened
  std::string coordinator;  // the SPIFFE id of the actor of its own entries
  std::uint64_t next_sequence = 0;
  TimePoint last_time;
  std::map<Digest, PlanRecord> plans;
  std::set<std::string> suspended;
  std::map<std::string, RefusalCount> refusals;  // by actor
  Phase phase;
  friend bool operator==(const State&, const State&) = default;
};

}  // namespace entente::coordinator::round
