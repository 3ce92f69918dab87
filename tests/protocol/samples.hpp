// SPDX-License-Identifier: Apache-2.0
//
// One of each message, every field set, for the tests of the codec and of the recorded session.
#pragma once

#include <string>
#include <vector>

#include "common/crypto/hash.hpp"
#include "protocol/limits.hpp"
#include "protocol/messages.hpp"

namespace entente::protocol {

inline Digest digest_of(std::string_view text) {
  return crypto::sha256(text);
}

inline ledger::Receipt sample_receipt() {
  ledger::Receipt receipt;
  receipt.line = R"({"kind":"update.accepted","v":1})";
  receipt.index = 41;
  receipt.proof = {digest_of("left"), digest_of("right")};
  receipt.checkpoint =
      "hospitals.example/ledger\n42\nAAAA\n\n\xe2\x80\x94 hospitals.example/ledger AAAA\n";
  return receipt;
}

inline std::vector<Message> sample_messages() {
  const Digest plan = digest_of("plan");
  const Digest model = digest_of("model");
  Train train;
  train.plan = plan;
  train.round = 7;
  train.model = model;
  train.model_size_bytes = std::uint64_t{5} << 32U;
  train.closes_in = std::chrono::milliseconds(90'500);
  train.opening = sample_receipt();
  Evaluate evaluate;
  evaluate.plan = plan;
  evaluate.round = 7;
  evaluate.model = model;
  evaluate.model_size_bytes = 12;
  evaluate.closes_in = std::chrono::milliseconds(1);
  evaluate.aggregation = sample_receipt();
  Agenda training;
  training.plans = {PlanToConsider{plan, 1000, to_bytes("certificate"), to_bytes("signature")}};
  training.work = train;
  Agenda evaluating;
  evaluating.work = evaluate;
  Status status;
  status.federation = "hospitals.example";
  status.software = "entente 0.1.0";
  status.phase = "collecting";
  status.plan = plan;
  status.round = 3;
  status.model = model;
  status.closes_in = std::chrono::milliseconds(5000);
  status.ledger_entries = 17;
  status.problem = "disk full";
  status.plans = {PlanStatus{plan, "Fashion", "running", "", 3, 2, 10}};
  status.rounds = {
      RoundStatus{2, model, 3, {{"accuracy", 0.875}}, std::chrono::milliseconds(1234)}};
  status.participants = {ParticipantStatus{"charite", true, false, true, true, false, 10, 20}};
  Answer answer;
  answer.verdict = Verdict::accepted;
  answer.reason = "fine";
  answer.receipt = sample_receipt();
  answer.stream = 3;
  return {
      Ping{1},
      Pong{~std::uint64_t{0}},
      Goodbye{"until tomorrow"},
      Hello{1, 2, "entente 0.1.0"},
      Fetch{3, model, 1000},
      StopStream{3},
      AnswerPlan{plan, true, to_bytes("signature"), ""},
      AnswerPlan{plan, false, {}, "not this one"},
      OfferUpdate{255, plan, 7, digest_of("update"), std::uint64_t{3} << 30U, 12'000},
      ReportEvaluation{plan, 7, model, 500, {{"accuracy", 0.5}, {"loss", 1.25}}},
      DeclineWork{plan, 7, "no time"},
      OfferPlan{1, plan, 4096, to_bytes("signature")},
      CancelPlan{plan, "wrong data"},
      SetSuspended{"charite", true, "asked to"},
      StopCoordinator{},
      AskStatus{},
      Welcome{1, "hospitals.example", "entente 0.1.0", "hospitals.example/ledger+00000000+AAAA"},
      Refusal{Verdict::not_allowed, "not you"},
      Agenda{},
      training,
      evaluating,
      Proceed{3, 77},
      answer,
      Serving{3, 0},
      status};
}

}  // namespace entente::protocol
