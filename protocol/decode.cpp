// SPDX-License-Identifier: Apache-2.0
#include <entente.pb.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "common/base/identity.hpp"
#include "common/base/text.hpp"
#include "common/ledger/entry.hpp"
#include "common/ledger/note.hpp"
#include "protocol/codec.hpp"
#include "protocol/limits.hpp"

namespace entente::protocol {
namespace {

// Checks the values of one message; remembers the first that is wrong.
class Fields {
 public:
  void fail(std::string_view field, const std::string& expected, const std::string& seen) {
    if (!failed_) problem_ = std::string(field) + ": expected " + expected + ", saw " + seen;
    failed_ = true;
  }
  bool failed() const { return failed_; }
  const std::string& problem() const { return problem_; }

  std::uint64_t number(std::string_view field, std::uint64_t value, std::uint64_t least,
                       std::uint64_t most) {
    if (value < least || value > most) {
      fail(field, std::to_string(least) + " to " + std::to_string(most), std::to_string(value));
    }
    return value;
  }
  std::uint64_t count(std::string_view field, std::uint64_t value) {
    return number(field, value, 0, number_max);
  }
  std::uint32_t small(std::string_view field, std::uint32_t value, std::uint32_t least = 0) {
    return static_cast<std::uint32_t>(
        number(field, value, least, std::numeric_limits<std::uint32_t>::max()));
  }
  std::uint8_t stream(std::uint32_t value, std::uint32_t least = 1) {
    return static_cast<std::uint8_t>(number("stream", value, least, 255));
  }
  std::uint64_t blob_size(std::string_view field, std::uint64_t value, std::uint64_t least = 0) {
    return number(field, value, least, blob_max_bytes);
  }
  std::chrono::milliseconds duration(std::string_view field, std::uint64_t milliseconds) {
    const std::uint64_t most = std::chrono::milliseconds(duration_max).count();
    return std::chrono::milliseconds(number(field, milliseconds, 0, most));
  }
  Verdict verdict(std::uint32_t value) {
    return static_cast<Verdict>(number("verdict", value,
                                       static_cast<std::uint64_t>(Verdict::accepted),
                                       static_cast<std::uint64_t>(Verdict::suspended)));
  }
  Digest digest(std::string_view field, const std::string& bytes) {
    const auto digest = digest_from(as_bytes(bytes));
    if (digest) return *digest;
    fail(field, "a digest of 32 bytes", std::to_string(bytes.size()) + " bytes");
    return {};
  }
  std::optional<Digest> digest_or_none(std::string_view field, const std::string& bytes) {
    if (bytes.empty()) return std::nullopt;
    return digest(field, bytes);
  }
  // Protobuf has checked that it is UTF-8.
  std::string text(std::string_view field, const std::string& value, std::size_t most) {
    if (value.size() > most) {
      fail(field, "at most " + std::to_string(most) + " bytes", std::to_string(value.size()));
    }
    return value;
  }
  std::string people(std::string_view field, const std::string& value) {
    return text(field, value, text_max_bytes);
  }
  std::string raw(std::string_view field, const std::string& value, std::size_t least,
                  std::size_t most) {
    if (value.size() < least || value.size() > most) {
      fail(field, std::to_string(least) + " to " + std::to_string(most) + " bytes",
           std::to_string(value.size()));
    }
    return value;
  }
  Bytes bytes(std::string_view field, const std::string& value, std::size_t least,
              std::size_t most) {
    return to_bytes(raw(field, value, least, most));
  }
  std::string name(std::string_view field, const std::string& value) {
    if (!is_name(value)) fail(field, "a name of [a-z0-9-]{1,63}", in_quotes(value));
    return value;
  }
  std::string federation(const std::string& value) {
    if (!is_federation_name(value))
      fail("federation", "a name of [a-z0-9._-]{1,255}", in_quotes(value));
    return value;
  }
  void at_most(std::string_view field, int count, std::size_t most) {
    if (static_cast<std::size_t>(count) > most) {
      fail(field, "at most " + std::to_string(most), std::to_string(count));
    }
  }

 private:
  bool failed_ = false;
  std::string problem_;
};

bool is_metric_name(std::string_view name) {
  return !name.empty() && name.size() <= metric_name_max_bytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
                  c == '-';
         });
}

template <class Metrics>
std::map<std::string, double> read_metrics(const Metrics& wire, Fields& fields) {
  std::map<std::string, double> metrics;
  fields.at_most("metrics", wire.size(), metrics_max);
  if (fields.failed()) return metrics;
  for (const auto& metric : wire) {
    if (!is_metric_name(metric.name())) {
      fields.fail("metrics", "names of [a-z0-9_.-]{1,64}", in_quotes(metric.name()));
    } else if (!metrics.empty() && metric.name() <= metrics.rbegin()->first) {
      fields.fail("metrics", "ascending names, each once", in_quotes(metric.name()));
    } else if (!std::isfinite(metric.value())) {
      fields.fail("metrics", "finite values", in_quotes(metric.name()) + " that is not");
    }
    metrics[metric.name()] = metric.value();
  }
  return metrics;
}

ledger::Receipt read_receipt(const v1::Receipt& wire, Fields& fields) {
  ledger::Receipt receipt;
  receipt.line = fields.raw("receipt.line", wire.line(), 1, ledger::line_max_bytes);
  receipt.index = fields.count("receipt.index", wire.index());
  receipt.checkpoint = fields.raw("receipt.checkpoint", wire.checkpoint(), 1, checkpoint_max_bytes);
  fields.at_most("receipt.proof", wire.proof_size(), proof_max);
  if (fields.failed()) return receipt;
  for (const std::string& hash : wire.proof()) {
    receipt.proof.push_back(fields.digest("receipt.proof", hash));
  }
  return receipt;
}

Message read(const v1::Ping& wire, Fields&) {
  return Ping{wire.nonce()};
}
Message read(const v1::Pong& wire, Fields&) {
  return Pong{wire.nonce()};
}
Message read(const v1::Goodbye& wire, Fields& fields) {
  return Goodbye{fields.people("reason", wire.reason())};
}
Message read(const v1::Hello& wire, Fields& fields) {
  Hello hello;
  hello.version_least = fields.small("version_least", wire.version_least(), 1);
  hello.version_most = fields.small("version_most", wire.version_most(), wire.version_least());
  hello.software = fields.text("software", wire.software(), software_max_bytes);
  return hello;
}
Message read(const v1::Fetch& wire, Fields& fields) {
  return Fetch{fields.stream(wire.stream()), fields.digest("digest", wire.digest()),
               fields.blob_size("offset", wire.offset())};
}
Message read(const v1::StopStream& wire, Fields& fields) {
  return StopStream{fields.stream(wire.stream())};
}
Message read(const v1::AnswerPlan& wire, Fields& fields) {
  const std::size_t least = wire.consents() ? 1 : 0;
  const std::size_t most = wire.consents() ? signature_max_bytes : 0;
  return AnswerPlan{fields.digest("plan", wire.plan()), wire.consents(),
                    fields.bytes("signature", wire.signature(), least, most),
                    fields.people("reason", wire.reason())};
}
Message read(const v1::OfferUpdate& wire, Fields& fields) {
  OfferUpdate offer;
  offer.stream = fields.stream(wire.stream());
  offer.plan = fields.digest("plan", wire.plan());
  offer.round = fields.count("round", wire.round());
  offer.update = fields.digest("update", wire.update());
  offer.size_bytes = fields.blob_size("size_bytes", wire.size_bytes(), 1);
  offer.examples = fields.count("examples", wire.examples());
  return offer;
}
Message read(const v1::ReportEvaluation& wire, Fields& fields) {
  ReportEvaluation report;
  report.plan = fields.digest("plan", wire.plan());
  report.round = fields.count("round", wire.round());
  report.model = fields.digest("model", wire.model());
  report.examples = fields.count("examples", wire.examples());
  report.metrics = read_metrics(wire.metrics(), fields);
  return report;
}
Message read(const v1::DeclineWork& wire, Fields& fields) {
  return DeclineWork{fields.digest("plan", wire.plan()), fields.count("round", wire.round()),
                     fields.people("reason", wire.reason())};
}
Message read(const v1::OfferPlan& wire, Fields& fields) {
  return OfferPlan{fields.stream(wire.stream()), fields.digest("plan", wire.plan()),
                   fields.number("size_bytes", wire.size_bytes(), 1, plan_max_bytes),
                   fields.bytes("signature", wire.signature(), 1, signature_max_bytes)};
}
Message read(const v1::CancelPlan& wire, Fields& fields) {
  return CancelPlan{fields.digest("plan", wire.plan()), fields.people("reason", wire.reason())};
}
Message read(const v1::SetSuspended& wire, Fields& fields) {
  return SetSuspended{fields.name("participant", wire.participant()), wire.suspended(),
                      fields.people("reason", wire.reason())};
}
Message read(const v1::StopCoordinator&, Fields&) {
  return StopCoordinator{};
}
Message read(const v1::AskStatus&, Fields&) {
  return AskStatus{};
}
Message read(const v1::Welcome& wire, Fields& fields) {
  Welcome welcome;
  welcome.version = fields.small("version", wire.version(), 1);
  welcome.federation = fields.federation(wire.federation());
  welcome.software = fields.text("software", wire.software(), software_max_bytes);
  welcome.verifier_key =
      fields.text("verifier_key", wire.verifier_key(), ledger::verifier_key_max_bytes);
  return welcome;
}
Message read(const v1::Refusal& wire, Fields& fields) {
  return Refusal{fields.verdict(wire.verdict()), fields.people("reason", wire.reason())};
}

// Train and Evaluate differ in the name of their receipt alone.
template <class Work>
Work read_work(const v1::Work& wire, ledger::Receipt Work::*receipt, Fields& fields) {
  Work work;
  work.plan = fields.digest("work.plan", wire.plan());
  work.round = fields.count("work.round", wire.round());
  work.model = fields.digest("work.model", wire.model());
  work.model_size_bytes = fields.blob_size("work.model_size_bytes", wire.model_size_bytes(), 1);
  work.closes_in = fields.duration("work.closes_in_ms", wire.closes_in_ms());
  work.*receipt = read_receipt(wire.receipt(), fields);
  return work;
}
Message read(const v1::Agenda& wire, Fields& fields) {
  Agenda agenda;
  fields.at_most("plans", wire.plans_size(), plans_told_max);
  if (fields.failed()) return agenda;
  for (const auto& told : wire.plans()) {
    PlanToConsider plan;
    plan.plan = fields.digest("plans.plan", told.plan());
    plan.size_bytes = fields.number("plans.size_bytes", told.size_bytes(), 1, plan_max_bytes);
    plan.operator_certificate = fields.bytes("plans.operator_certificate",
                                             told.operator_certificate(), 1, certificate_max_bytes);
    plan.signature = fields.bytes("plans.signature", told.signature(), 1, signature_max_bytes);
    agenda.plans.push_back(std::move(plan));
  }
  if (wire.has_train()) agenda.work = read_work(wire.train(), &Train::opening, fields);
  if (wire.has_evaluate()) agenda.work = read_work(wire.evaluate(), &Evaluate::aggregation, fields);
  return agenda;
}
Message read(const v1::Proceed& wire, Fields& fields) {
  return Proceed{fields.stream(wire.stream()), fields.blob_size("offset", wire.offset())};
}
Message read(const v1::Answer& wire, Fields& fields) {
  Answer answer;
  answer.verdict = fields.verdict(wire.verdict());
  answer.reason = fields.people("reason", wire.reason());
  if (wire.has_receipt()) answer.receipt = read_receipt(wire.receipt(), fields);
  answer.stream = fields.stream(wire.stream(), 0);
  return answer;
}
Message read(const v1::Serving& wire, Fields& fields) {
  return Serving{fields.stream(wire.stream()), fields.blob_size("size_bytes", wire.size_bytes())};
}

ParticipantStatus read_participant(const v1::ParticipantStatus& wire, Fields& fields) {
  ParticipantStatus status;
  status.name = fields.name("participants.name", wire.name());
  status.connected = wire.connected();
  status.suspended = wire.suspended();
  status.in_cohort = wire.in_cohort();
  status.sent = wire.sent();
  status.evaluated = wire.evaluated();
  status.bytes_received = fields.blob_size("participants.bytes_received", wire.bytes_received());
  status.bytes_expected = fields.blob_size("participants.bytes_expected", wire.bytes_expected());
  return status;
}
RoundStatus read_round(const v1::RoundStatus& wire, Fields& fields) {
  RoundStatus status;
  status.round = fields.count("rounds.round", wire.round());
  status.model = fields.digest("rounds.model", wire.model());
  status.contributors = fields.small("rounds.contributors", wire.contributors());
  status.metrics = read_metrics(wire.metrics(), fields);
  status.took = fields.duration("rounds.took_ms", wire.took_ms());
  return status;
}
PlanStatus read_plan(const v1::PlanStatus& wire, Fields& fields) {
  PlanStatus status;
  status.plan = fields.digest("plans.plan", wire.plan());
  status.name = fields.text("plans.name", wire.name(), plan_name_max_bytes);
  status.state = fields.text("plans.state", wire.state(), state_max_bytes);
  status.reason = fields.people("plans.reason", wire.reason());
  status.consents = fields.small("plans.consents", wire.consents());
  status.rounds_committed = fields.count("plans.rounds_committed", wire.rounds_committed());
  status.rounds_total = fields.count("plans.rounds_total", wire.rounds_total());
  return status;
}
Message read(const v1::Status& wire, Fields& fields) {
  Status status;
  status.federation = fields.federation(wire.federation());
  status.software = fields.text("software", wire.software(), software_max_bytes);
  status.phase = fields.text("phase", wire.phase(), state_max_bytes);
  status.plan = fields.digest_or_none("plan", wire.plan());
  status.round = fields.count("round", wire.round());
  status.model = fields.digest_or_none("model", wire.model());
  status.closes_in = fields.duration("closes_in_ms", wire.closes_in_ms());
  status.ledger_entries = fields.count("ledger_entries", wire.ledger_entries());
  status.problem = fields.people("problem", wire.problem());
  fields.at_most("plans", wire.plans_size(), status_plans_max);
  fields.at_most("rounds", wire.rounds_size(), status_rounds_max);
  fields.at_most("participants", wire.participants_size(), status_participants_max);
  if (fields.failed()) return status;
  for (const auto& plan : wire.plans()) status.plans.push_back(read_plan(plan, fields));
  for (const auto& round : wire.rounds()) status.rounds.push_back(read_round(round, fields));
  for (const auto& participant : wire.participants()) {
    status.participants.push_back(read_participant(participant, fields));
  }
  return status;
}

Message read_envelope(const v1::Envelope& wire, Fields& fields) {
  switch (wire.message_case()) {
    case v1::Envelope::kPing:
      return read(wire.ping(), fields);
    case v1::Envelope::kPong:
      return read(wire.pong(), fields);
    case v1::Envelope::kGoodbye:
      return read(wire.goodbye(), fields);
    case v1::Envelope::kHello:
      return read(wire.hello(), fields);
    case v1::Envelope::kFetch:
      return read(wire.fetch(), fields);
    case v1::Envelope::kStopStream:
      return read(wire.stop_stream(), fields);
    case v1::Envelope::kAnswerPlan:
      return read(wire.answer_plan(), fields);
    case v1::Envelope::kOfferUpdate:
      return read(wire.offer_update(), fields);
    case v1::Envelope::kReportEvaluation:
      return read(wire.report_evaluation(), fields);
    case v1::Envelope::kDeclineWork:
      return read(wire.decline_work(), fields);
    case v1::Envelope::kOfferPlan:
      return read(wire.offer_plan(), fields);
    case v1::Envelope::kCancelPlan:
      return read(wire.cancel_plan(), fields);
    case v1::Envelope::kSetSuspended:
      return read(wire.set_suspended(), fields);
    case v1::Envelope::kStopCoordinator:
      return read(wire.stop_coordinator(), fields);
    case v1::Envelope::kAskStatus:
      return read(wire.ask_status(), fields);
    case v1::Envelope::kWelcome:
      return read(wire.welcome(), fields);
    case v1::Envelope::kRefusal:
      return read(wire.refusal(), fields);
    case v1::Envelope::kAgenda:
      return read(wire.agenda(), fields);
    case v1::Envelope::kProceed:
      return read(wire.proceed(), fields);
    case v1::Envelope::kAnswer:
      return read(wire.answer(), fields);
    case v1::Envelope::kServing:
      return read(wire.serving(), fields);
    case v1::Envelope::kStatus:
      return read(wire.status(), fields);
    case v1::Envelope::MESSAGE_NOT_SET:
      break;
  }
  fields.fail("message", "one of those of entente/1", "none that we know");
  return Ping{};
}

// Protobuf would tell the standard error stream about every peer that sends it nonsense.
bool keep_quiet() {
  google::protobuf::SetLogHandler(nullptr);
  return true;
}

}  // namespace

Result<Message> decode(ByteView bytes) {
  static const bool quiet = keep_quiet();
  static_cast<void>(quiet);
  if (bytes.size() > control_max_bytes) {
    return Error{Errc::malformed, "message: expected at most " + std::to_string(control_max_bytes) +
                                      " bytes, saw " + std::to_string(bytes.size())};
  }
  v1::Envelope wire;
  if (!wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Error{Errc::malformed, "message: expected an envelope of entente.v1, saw " +
                                      std::to_string(bytes.size()) + " bytes that are none"};
  }
  Fields fields;
  Message message = read_envelope(wire, fields);
  if (fields.failed()) {
    return Error{Errc::malformed, std::string(name_of(message)) + "." + fields.problem()};
  }
  return message;
}

}  // namespace entente::protocol
