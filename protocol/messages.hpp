// SPDX-License-Identifier: Apache-2.0
//
// What the programs say to each other, as plain values. No generated type appears outside
// protocol/codec.cpp.
//
// Every request has exactly one answer. At most one upload (OfferUpdate, OfferPlan), one download
// (Fetch) and one other request are outstanding in a session; Answer::stream says which of them it
// answers. Agenda and Ping may come in between. Tensors never travel in messages: they are named by
// digest and travel as data frames. docs/protocol.md tells the story of a session.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/digest.hpp"
#include "common/base/verdict.hpp"
#include "common/ledger/log.hpp"

namespace entente::protocol {

// --- both ways
struct Ping {
  std::uint64_t nonce = 0;
};
struct Pong {
  std::uint64_t nonce = 0;
};
// The last thing that a side says.
struct Goodbye {
  std::string reason;
};

// --- client to coordinator
struct Hello {
  std::uint32_t version_least = 1;
  std::uint32_t version_most = 1;
  std::string software;
};
// Asks for the blob named `digest` (plan or model) from byte `offset` on, as data frames of
// `stream`. Answered by Serving, data and their end; or by Answer when there is no such blob.
struct Fetch {
  std::uint8_t stream = 0;
  Digest digest;
  std::uint64_t offset = 0;
};
// The stream's sender (of an upload) stops, or its receiver (of a download) wants no more. Answered
// by Answer, unless the stream's answer or end was already on its way.
struct StopStream {
  std::uint8_t stream = 0;
};
// A participant's consent to a plan, or its refusal.
struct AnswerPlan {
  Digest plan;
  bool consents = false;
  Bytes signature;  // over ledger::statement("plan consented", ...); empty when it does not consent
  std::string reason;  // why not
};
// Announces an update; answered by Proceed, or by Answer when it is not wanted (or has arrived
// already).
struct OfferUpdate {
  std::uint8_t stream = 0;
  Digest plan;
  std::uint64_t round = 0;
  Digest update;
  std::uint64_t size_bytes = 0;
  std::uint64_t examples = 0;
};
struct ReportEvaluation {
  Digest plan;
  std::uint64_t round = 0;
  Digest model;
  std::uint64_t examples = 0;
  std::map<std::string, double> metrics;  // finite
};
// A participant that will not or cannot do what the agenda says.
struct DeclineWork {
  Digest plan;
  std::uint64_t round = 0;
  std::string reason;
};

// --- operator to coordinator
struct OfferPlan {
  std::uint8_t stream = 0;
  Digest plan;
  std::uint64_t size_bytes = 0;
  Bytes signature;  // over ledger::statement("plan submitted", ...)
};
struct CancelPlan {
  Digest plan;
  std::string reason;
};
struct SetSuspended {
  std::string participant;
  bool suspended = true;
  std::string reason;
};
struct StopCoordinator {};
struct AskStatus {};

// --- coordinator to client
struct Welcome {
  std::uint32_t version = 1;
  std::string federation;
  std::string software;
  std::string verifier_key;  // vkey text: must equal the one in the start-up kit
};
struct Refusal {
  Verdict verdict = Verdict::not_allowed;
  std::string reason;
};

struct PlanToConsider {
  Digest plan;
  std::uint64_t size_bytes = 0;
  Bytes operator_certificate;  // DER
  Bytes signature;
};
struct Train {
  Digest plan;
  std::uint64_t round = 0;
  Digest model;  // what to start from
  std::uint64_t model_size_bytes = 0;
  std::chrono::milliseconds closes_in{0};
  ledger::Receipt opening;  // of the entry that opened the round and names the model
};
struct Evaluate {
  Digest plan;
  std::uint64_t round = 0;
  Digest model;  // the candidate
  std::uint64_t model_size_bytes = 0;
  std::chrono::milliseconds closes_in{0};
  ledger::Receipt aggregation;  // of the entry that names the candidate
};
// What the coordinator would like this participant to do now. Sent after Welcome and whenever it
// changes; replaces the one before.
struct Agenda {
  std::vector<PlanToConsider> plans;
  std::variant<std::monostate, Train, Evaluate> work;
};

// Go on: send the announced bytes from `offset` on.
struct Proceed {
  std::uint8_t stream = 0;
  std::uint64_t offset = 0;
};
struct Answer {
  Verdict verdict = Verdict::not_now;
  std::string reason;
  std::optional<ledger::Receipt> receipt;  // of the entry that the request made
  std::uint8_t stream = 0;  // of the OfferUpdate, OfferPlan or Fetch that it answers; else 0
};
// Before the data frames that answer a Fetch.
struct Serving {
  std::uint8_t stream = 0;
  std::uint64_t size_bytes = 0;
};

struct ParticipantStatus {
  std::string name;
  bool connected = false;
  bool suspended = false;
  bool in_cohort = false;
  bool sent = false;  // its update of this round was accepted
  bool evaluated = false;
  std::uint64_t bytes_received = 0;  // of the upload under way or done
  std::uint64_t bytes_expected = 0;
};
struct RoundStatus {  // a committed round
  std::uint64_t round = 0;
  Digest model;
  std::uint32_t contributors = 0;
  std::map<std::string, double> metrics;
  std::chrono::milliseconds took{0};
};
struct PlanStatus {
  Digest plan;
  std::string name;
  std::string state;  // "waiting", "running", "finished", "cancelled", "failed"
  std::string reason;
  std::uint32_t consents = 0;
  std::uint64_t rounds_committed = 0;
  std::uint64_t rounds_total = 0;
};
struct Status {
  std::string federation;
  std::string software;
  std::string phase;  // "idle", "recruiting", "collecting", "aggregating", "evaluating", "stopped"
  std::optional<Digest> plan;
  std::uint64_t round = 0;
  std::optional<Digest> model;  // the latest committed global model
  std::chrono::milliseconds closes_in{0};
  std::uint64_t ledger_entries = 0;
  std::string problem;  // what keeps it from going on ("disk full: ..."), empty when nothing does
  std::vector<PlanStatus> plans;                // the latest, at most status_plans_max
  std::vector<RoundStatus> rounds;              // of the running or last plan, the latest
  std::vector<ParticipantStatus> participants;  // at most status_participants_max
};

using Message = std::variant<Ping, Pong, Goodbye, Hello, Fetch, StopStream, AnswerPlan, OfferUpdate,
                             ReportEvaluation, DeclineWork, OfferPlan, CancelPlan, SetSuspended,
                             StopCoordinator, AskStatus, Welcome, Refusal, Agenda, Proceed, Answer,
                             Serving, Status>;

// "OfferUpdate": for logs.
std::string_view name_of(const Message& message);

}  // namespace entente::protocol
