// SPDX-License-Identifier: Apache-2.0
#include <entente.pb.h>

#include <string>
#include <utility>

#include "common/base/text.hpp"
#include "protocol/codec.hpp"
#include "protocol/limits.hpp"

namespace entente::protocol {
namespace {

std::string raw(ByteView bytes) {
  return std::string(as_text(bytes));
}
std::string raw(const Digest& digest) {
  return raw(digest.bytes);
}

// Text for people: UTF-8, and no longer than the wire allows.
std::string people(const std::string& text) {
  std::string cut = is_utf8(text) ? text : escaped(text, text_max_bytes);
  if (cut.size() <= text_max_bytes) return cut;
  cut.resize(text_max_bytes);
  while (!is_utf8(cut)) cut.pop_back();  // the torn character, at most three bytes
  return cut;
}

template <class Metrics>
void write_metrics(const std::map<std::string, double>& metrics, Metrics* wire) {
  for (const auto& [name, value] : metrics) {
    auto* metric = wire->Add();
    metric->set_name(name);
    metric->set_value(value);
  }
}

void write_receipt(const ledger::Receipt& receipt, v1::Receipt* wire) {
  wire->set_line(receipt.line);
  wire->set_index(receipt.index);
  for (const Digest& hash : receipt.proof) wire->add_proof(raw(hash));
  wire->set_checkpoint(receipt.checkpoint);
}

template <class Work>
void write_work(const Work& work, const ledger::Receipt& receipt, v1::Work* wire) {
  wire->set_plan(raw(work.plan));
  wire->set_round(work.round);
  wire->set_model(raw(work.model));
  wire->set_model_size_bytes(work.model_size_bytes);
  wire->set_closes_in_ms(static_cast<std::uint64_t>(work.closes_in.count()));
  write_receipt(receipt, wire->mutable_receipt());
}

// One overload for each message.
struct Writer {
  v1::Envelope& envelope;

  void operator()(const Ping& message) { envelope.mutable_ping()->set_nonce(message.nonce); }
  void operator()(const Pong& message) { envelope.mutable_pong()->set_nonce(message.nonce); }
  void operator()(const Goodbye& message) {
    envelope.mutable_goodbye()->set_reason(people(message.reason));
  }
  void operator()(const Hello& message) {
    auto* wire = envelope.mutable_hello();
    wire->set_version_least(message.version_least);
    wire->set_version_most(message.version_most);
    wire->set_software(message.software);
  }
  void operator()(const Fetch& message) {
    auto* wire = envelope.mutable_fetch();
    wire->set_stream(message.stream);
    wire->set_digest(raw(message.digest));
    wire->set_offset(message.offset);
  }
  void operator()(const StopStream& message) {
    envelope.mutable_stop_stream()->set_stream(message.stream);
  }
  void operator()(const AnswerPlan& message) {
    auto* wire = envelope.mutable_answer_plan();
    wire->set_plan(raw(message.plan));
    wire->set_consents(message.consents);
    wire->set_signature(raw(message.signature));
    wire->set_reason(people(message.reason));
  }
  void operator()(const OfferUpdate& message) {
    auto* wire = envelope.mutable_offer_update();
    wire->set_stream(message.stream);
    wire->set_plan(raw(message.plan));
    wire->set_round(message.round);
    wire->set_update(raw(message.update));
    wire->set_size_bytes(message.size_bytes);
    wire->set_examples(message.examples);
  }
  void operator()(const ReportEvaluation& message) {
    auto* wire = envelope.mutable_report_evaluation();
    wire->set_plan(raw(message.plan));
    wire->set_round(message.round);
    wire->set_model(raw(message.model));
    wire->set_examples(message.examples);
    write_metrics(message.metrics, wire->mutable_metrics());
  }
  void operator()(const DeclineWork& message) {
    auto* wire = envelope.mutable_decline_work();
    wire->set_plan(raw(message.plan));
    wire->set_round(message.round);
    wire->set_reason(people(message.reason));
  }
  void operator()(const OfferPlan& message) {
    auto* wire = envelope.mutable_offer_plan();
    wire->set_stream(message.stream);
    wire->set_plan(raw(message.plan));
    wire->set_size_bytes(message.size_bytes);
    wire->set_signature(raw(message.signature));
  }
  void operator()(const CancelPlan& message) {
    auto* wire = envelope.mutable_cancel_plan();
    wire->set_plan(raw(message.plan));
    wire->set_reason(people(message.reason));
  }
  void operator()(const SetSuspended& message) {
    auto* wire = envelope.mutable_set_suspended();
    wire->set_participant(message.participant);
    wire->set_suspended(message.suspended);
    wire->set_reason(people(message.reason));
  }
  void operator()(const StopCoordinator&) { envelope.mutable_stop_coordinator(); }
  void operator()(const AskStatus&) { envelope.mutable_ask_status(); }
  void operator()(const Welcome& message) {
    auto* wire = envelope.mutable_welcome();
    wire->set_version(message.version);
    wire->set_federation(message.federation);
    wire->set_software(message.software);
    wire->set_verifier_key(message.verifier_key);
  }
  void operator()(const Refusal& message) {
    auto* wire = envelope.mutable_refusal();
    wire->set_verdict(static_cast<std::uint32_t>(message.verdict));
    wire->set_reason(people(message.reason));
  }
  void operator()(const Agenda& message) {
    auto* wire = envelope.mutable_agenda();
    for (const PlanToConsider& plan : message.plans) {
      auto* told = wire->add_plans();
      told->set_plan(raw(plan.plan));
      told->set_size_bytes(plan.size_bytes);
      told->set_operator_certificate(raw(plan.operator_certificate));
      told->set_signature(raw(plan.signature));
    }
    if (const auto* train = std::get_if<Train>(&message.work)) {
      write_work(*train, train->opening, wire->mutable_train());
    } else if (const auto* evaluate = std::get_if<Evaluate>(&message.work)) {
      write_work(*evaluate, evaluate->aggregation, wire->mutable_evaluate());
    }
  }
  void operator()(const Proceed& message) {
    auto* wire = envelope.mutable_proceed();
    wire->set_stream(message.stream);
    wire->set_offset(message.offset);
  }
  void operator()(const Answer& message) {
    auto* wire = envelope.mutable_answer();
    wire->set_verdict(static_cast<std::uint32_t>(message.verdict));
    wire->set_reason(people(message.reason));
    if (message.receipt) write_receipt(*message.receipt, wire->mutable_receipt());
    wire->set_stream(message.stream);
  }
  void operator()(const Serving& message) {
    auto* wire = envelope.mutable_serving();
    wire->set_stream(message.stream);
    wire->set_size_bytes(message.size_bytes);
  }
  void operator()(const Status& message) {
    auto* wire = envelope.mutable_status();
    wire->set_federation(message.federation);
    wire->set_software(message.software);
    wire->set_phase(message.phase);
    if (message.plan) wire->set_plan(raw(*message.plan));
    wire->set_round(message.round);
    if (message.model) wire->set_model(raw(*message.model));
    wire->set_closes_in_ms(static_cast<std::uint64_t>(message.closes_in.count()));
    wire->set_ledger_entries(message.ledger_entries);
    wire->set_problem(people(message.problem));
    for (const PlanStatus& plan : message.plans) write(plan, wire->add_plans());
    for (const RoundStatus& round : message.rounds) write(round, wire->add_rounds());
    for (const ParticipantStatus& participant : message.participants) {
      write(participant, wire->add_participants());
    }
  }

  static void write(const PlanStatus& plan, v1::PlanStatus* wire) {
    wire->set_plan(raw(plan.plan));
    wire->set_name(plan.name);
    wire->set_state(plan.state);
    wire->set_reason(people(plan.reason));
    wire->set_consents(plan.consents);
    wire->set_rounds_committed(plan.rounds_committed);
    wire->set_rounds_total(plan.rounds_total);
  }
  static void write(const RoundStatus& round, v1::RoundStatus* wire) {
    wire->set_round(round.round);
    wire->set_model(raw(round.model));
    wire->set_contributors(round.contributors);
    write_metrics(round.metrics, wire->mutable_metrics());
    wire->set_took_ms(static_cast<std::uint64_t>(round.took.count()));
  }
  static void write(const ParticipantStatus& participant, v1::ParticipantStatus* wire) {
    wire->set_name(participant.name);
    wire->set_connected(participant.connected);
    wire->set_suspended(participant.suspended);
    wire->set_in_cohort(participant.in_cohort);
    wire->set_sent(participant.sent);
    wire->set_evaluated(participant.evaluated);
    wire->set_bytes_received(participant.bytes_received);
    wire->set_bytes_expected(participant.bytes_expected);
  }
};

// Rounds that do not fit into one message: the oldest go.
void fit(v1::Status& status) {
  while (status.rounds_size() > 0 && status.ByteSizeLong() + 16 > control_max_bytes) {
    status.mutable_rounds()->DeleteSubrange(0, 1);
  }
}

}  // namespace

Result<Bytes> encode(const Message& message) {
  v1::Envelope envelope;
  std::visit(Writer{envelope}, message);
  if (envelope.has_status()) fit(*envelope.mutable_status());
  const std::size_t size = envelope.ByteSizeLong();
  if (size > control_max_bytes) {
    return Error{Errc::invalid_argument, std::string(name_of(message)) + ": expected at most " +
                                             std::to_string(control_max_bytes) + " bytes, saw " +
                                             std::to_string(size)};
  }
  Bytes bytes(size);
  if (!envelope.SerializeToArray(bytes.data(), static_cast<int>(size))) {
    return Error{Errc::invalid_argument, std::string(name_of(message)) + ": cannot be serialised"};
  }
  // One validator for both ways.
  if (auto checked = decode(bytes); !checked) {
    return Error{Errc::invalid_argument, "encoding: " + checked.error().detail};
  }
  return bytes;
}

}  // namespace entente::protocol
