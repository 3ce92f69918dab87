// SPDX-License-Identifier: Apache-2.0
#include "coordinator/telling.hpp"

#include <algorithm>

#include "common/base/version.hpp"
#include "coordinator/control.hpp"
#include "protocol/limits.hpp"

namespace entente::coordinator {
namespace {

constexpr std::size_t plans_shown = 16;
constexpr std::size_t rounds_shown = 64;

std::chrono::milliseconds left(TimePoint until, TimePoint now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::max(until - now, Duration{0}));
}

Result<std::uint64_t> model_size(const Store& store, const Digest& model) {
  auto file = File::open(store.model_path(model), File::Mode::read);
  if (!file) return file.error();
  return file->size_bytes();
}

// The task of type T (protocol::Train or Evaluate) but for its receipt.
template <class T, class Task>
Result<T> work_message(const Store& store, const Task& task, TimePoint now) {
  auto size = model_size(store, task.model);
  if (!size) return size.error();
  T message;
  message.plan = task.plan;
  message.round = task.round;
  message.model = task.model;
  message.model_size_bytes = *size;
  message.closes_in = left(task.closes_at, now);
  return message;
}

Result<protocol::PlanToConsider> plan_message(const round::PlanRecord& plan) {
  auto certificate = from_base64(plan.operator_certificate);
  if (!certificate) return certificate.error();
  auto signature = from_base64(plan.operator_signature);
  if (!signature) return signature.error();
  return protocol::PlanToConsider{plan.digest, plan.size_bytes, std::move(*certificate),
                                  std::move(*signature)};
}

// What the phase shows of its participants.
struct PhaseView {
  std::optional<Digest> plan;
  std::uint64_t round = 0;
  std::set<std::string> cohort;
  std::set<std::string> sent;
  std::optional<TimePoint> closes_at;
};

template <class Round>
PhaseView view_of_round(const Round& round) {
  PhaseView view{round.plan, round.round, round.cohort, {}, round.closes_at};
  for (const auto& [name, acceptance] : round.accepted) view.sent.insert(name);
  return view;
}

PhaseView view_of(const round::Phase& phase) {
  if (const auto* recruiting = std::get_if<round::Recruiting>(&phase)) {
    return PhaseView{recruiting->plan, recruiting->round, {}, {}, std::nullopt};
  }
  if (const auto* collecting = std::get_if<round::Collecting>(&phase))
    return view_of_round(*collecting);
  if (const auto* aggregating = std::get_if<round::Aggregating>(&phase)) {
    return view_of_round(aggregating->collected);
  }
  if (const auto* evaluating = std::get_if<round::Evaluating>(&phase))
    return view_of_round(*evaluating);
  return {};
}

void add_plans(const round::State& state, const std::optional<Digest>& running,
               protocol::Status& status) {
  std::vector<const round::PlanRecord*> plans;
  for (const auto& [digest, plan] : state.plans) plans.push_back(&plan);
  std::ranges::sort(plans, std::ranges::greater{}, &round::PlanRecord::submission);
  const round::PlanRecord* shown = nullptr;  // the running plan, or the last one that had a round
  for (const round::PlanRecord* plan : plans) {
    const bool runs = running == plan->digest;
    if (runs || (shown == nullptr && !running && !plan->rounds.empty())) shown = plan;
    if (status.plans.size() < plans_shown || runs) {
      status.plans.push_back(protocol::PlanStatus{
          plan->digest, plan->name, std::string(round::to_string(plan->standing)), plan->reason,
          static_cast<std::uint32_t>(plan->consents.size()), plan->rounds.size(),
          plan->rules.rounds});
    }
  }
  if (shown == nullptr) return;
  if (!shown->rounds.empty()) status.model = shown->rounds.back().model;
  const std::size_t first =
      shown->rounds.size() > rounds_shown ? shown->rounds.size() - rounds_shown : 0;
  for (std::size_t i = first; i < shown->rounds.size(); ++i) {
    const round::CommittedRound& round = shown->rounds[i];
    status.rounds.push_back(
        protocol::RoundStatus{round.round, round.model, round.contributors, round.metrics,
                              std::chrono::duration_cast<std::chrono::milliseconds>(round.took)});
  }
}

}  // namespace

Result<protocol::Agenda> agenda_message(const Core& core, const Store& store,
                                        const round::Agenda& agenda, TimePoint now) {
  protocol::Agenda message;
  for (const Digest& digest : agenda.plans) {
    if (message.plans.size() == protocol::plans_told_max) break;
    auto plan = plan_message(core.state().plans.at(digest));
    if (!plan) return plan.error();
    message.plans.push_back(std::move(*plan));
  }
  if (const auto* train = std::get_if<round::TrainTask>(&agenda.work)) {
    auto work = work_message<protocol::Train>(store, *train, now);
    if (!work) return work.error();
    auto receipt = ledger::make_receipt(core.log(), train->opening);
    if (!receipt) return receipt.error();
    work->opening = std::move(*receipt);
    message.work = std::move(*work);
  } else if (const auto* evaluate = std::get_if<round::EvaluateTask>(&agenda.work)) {
    auto work = work_message<protocol::Evaluate>(store, *evaluate, now);
    if (!work) return work.error();
    auto receipt = ledger::make_receipt(core.log(), evaluate->aggregation);
    if (!receipt) return receipt.error();
    work->aggregation = std::move(*receipt);
    message.work = std::move(*work);
  }
  return message;
}

Result<protocol::Answer> answer_message(const Core& core, const round::Answer& answer) {
  protocol::Answer message{answer.verdict, answer.reason, std::nullopt};
  if (!answer.receipt) return message;
  auto receipt = ledger::make_receipt(core.log(), *answer.receipt);
  if (!receipt) return receipt.error();
  message.receipt = std::move(*receipt);
  return message;
}

protocol::Status status_message(const round::State& state, std::uint64_t ledger_entries,
                                const Scenery& scenery) {
  protocol::Status status;
  status.federation = state.federation;
  status.software = software_version;
  status.phase = round::name_of(state.phase);
  status.ledger_entries = ledger_entries;
  status.problem = scenery.problem;
  const PhaseView view = view_of(state.phase);
  status.plan = view.plan;
  status.round = view.round;
  if (view.closes_at) status.closes_in = left(*view.closes_at, scenery.now);
  add_plans(state, view.plan, status);

  std::set<std::string> names = scenery.connected;
  names.insert(view.cohort.begin(), view.cohort.end());
  names.insert(state.suspended.begin(), state.suspended.end());
  for (const std::string& name : names) {
    if (status.participants.size() == protocol::status_participants_max) break;
    protocol::ParticipantStatus participant;
    participant.name = name;
    participant.connected = scenery.connected.contains(name);
    participant.suspended = state.suspended.contains(name);
    participant.in_cohort = view.cohort.contains(name);
    participant.sent = view.sent.contains(name);
    participant.evaluated = scenery.evaluated.contains(name);
    if (const auto upload = scenery.uploads.find(name); upload != scenery.uploads.end()) {
      participant.bytes_received = upload->second.received_bytes;
      participant.bytes_expected = upload->second.expected_bytes;
    }
    status.participants.push_back(std::move(participant));
  }
  return status;
}

}  // namespace entente::coordinator
