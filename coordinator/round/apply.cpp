// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <utility>

#include "common/base/identity.hpp"
#include "coordinator/round/entries.hpp"
#include "coordinator/round/planted.hpp"
#include "coordinator/round/transition.hpp"

namespace entente::coordinator::round {
namespace {

constexpr std::int64_t count_most = 1LL << 53;

Error impossible(const ledger::Entry& entry, std::string_view why) {
  return Error{Errc::corrupt, "entry " + std::to_string(entry.sequence) + " (" + entry.kind +
                                  "): " + std::string(why)};
}

// The name of the participant whose entry this is.
Result<std::string> participant_of(const State& state, const ledger::Entry& entry) {
  auto identity = parse_identity(entry.actor);
  if (!identity) return impossible(entry, identity.error().detail);
  if (identity->role != Role::participant || identity->federation != state.federation) {
    return impossible(entry, "its actor is not a participant of the federation");
  }
  return std::move(identity->name);
}

Result<Digest> subject(const ledger::Entry& entry, const std::string& name) {
  const auto found = entry.subjects.find(name);
  if (found == entry.subjects.end()) return impossible(entry, "names no " + name);
  return found->second;
}

Result<PlanRecord*> plan_of(State& state, const ledger::Entry& entry) {
  if (!entry.plan) return impossible(entry, "names no plan");
  const auto found = state.plans.find(*entry.plan);
  if (found == state.plans.end()) return impossible(entry, "its plan was never submitted");
  return &found->second;
}

// The phase of type P, when the entry belongs to its plan and round.
template <class P>
Result<P*> phase_of(State& state, const ledger::Entry& entry) {
  auto* phase = std::get_if<P>(&state.phase);
  if (phase == nullptr)
    return impossible(entry, "does not belong to the phase " + std::string(name_of(state.phase)));
  const auto matches = [&](const auto& round) {
    return entry.plan == round.plan && entry.round == round.round;
  };
  bool same = false;
  if constexpr (std::is_same_v<P, Aggregating>) {
    same = matches(phase->collected);
  } else {
    same = matches(*phase);
  }
  if (!same) return impossible(entry, "another plan or round is going on");
  return phase;
}

Result<void> check_contributors(const ledger::Entry& entry, const Contributions& accepted) {
  JsonReader reader(entry.details, "details");
  const json::value& value = reader.child("contributors");
  std::vector<std::uint64_t> named;
  if (value.is_array()) {
    for (const json::value& item : value.get_array()) {
      if (item.is_int64() && item.get_int64() >= 0)
        named.push_back(static_cast<std::uint64_t>(item.get_int64()));
      if (item.is_uint64()) named.push_back(item.get_uint64());
    }
  }
  if (named != sequences(accepted))
    return impossible(entry, "its contributors are not the accepted updates");
  return ok();
}

void leave_plan(State& state, const Digest& plan) {
  const bool running = std::visit(
      [&](const auto& phase) {
        using P = std::decay_t<decltype(phase)>;
        if constexpr (std::is_same_v<P, Idle>) {
          return false;
        } else if constexpr (std::is_same_v<P, Aggregating>) {
          return phase.collected.plan == plan;
        } else {
          return phase.plan == plan;
        }
      },
      state.phase);
  if (running) state.phase = Idle{};
}

using Step = Result<void> (*)(State&, const ledger::Entry&);

// --- the coordinator and its connections

Result<void> ledger_opened(State& state, const ledger::Entry& entry) {
  if (!state.federation.empty()) return impossible(entry, "the ledger is open already");
  auto identity = parse_identity(entry.actor);
  if (!identity || identity->role != Role::coordinator ||
      identity->federation != entry.federation) {
    return impossible(entry, "its actor is not the federation's coordinator");
  }
  state.federation = entry.federation;
  state.coordinator = entry.actor;
  return ok();
}

Result<void> coordinator_started(State& state, const ledger::Entry& entry) {
  state.coordinator = entry.actor;
  // Nobody could come back while it was down: the wait for them begins anew.
  if (auto* recruiting = std::get_if<Recruiting>(&state.phase)) recruiting->since = entry.time;
  return ok();
}

Result<void> count_refusal(State& state, const ledger::Entry& entry) {
  if (entry.actor == state.coordinator) return ok();
  RefusalCount& refusals = state.refusals[entry.actor];
  const auto minute = std::chrono::floor<std::chrono::minutes>(entry.time);
  const auto hour = std::chrono::floor<std::chrono::hours>(entry.time);
  if (refusals.minute != minute) refusals.in_minute = 0;
  if (refusals.hour != hour) refusals.in_hour = 0;
  refusals.minute = minute;
  refusals.hour = hour;
  ++refusals.in_minute;
  ++refusals.in_hour;
  return ok();
}

// --- plans

Result<void> plan_submitted(State& state, const ledger::Entry& entry) {
  if (!entry.plan) return impossible(entry, "names no plan");
  if (state.plans.contains(*entry.plan)) return impossible(entry, "the plan was submitted before");
  JsonReader reader(entry.details, "details");
  PlanRecord plan;
  plan.digest = *entry.plan;
  plan.name = reader.text("name");
  plan.size_bytes = static_cast<std::uint64_t>(reader.integer("size_bytes", 1, count_most));
  plan.operator_certificate = reader.text("certificate", 16384);
  plan.operator_signature = reader.text("signature", 1024);
  const json::value& rules = reader.child("rules");
  if (auto done = reader.finish(); !done) return impossible(entry, done.error().detail);
  auto parsed = plan::rules_from_json(rules, "details.rules");
  if (!parsed) return impossible(entry, parsed.error().detail);
  plan.rules = *parsed;
  plan.submission = entry.sequence;
  state.plans.emplace(plan.digest, std::move(plan));
  return ok();
}

Result<void> plan_answered(State& state, const ledger::Entry& entry) {
  auto plan = plan_of(state, entry);
  if (!plan) return plan.error();
  auto name = participant_of(state, entry);
  if (!name) return name.error();
  PlanRecord& record = **plan;
  if (entry.kind == kind::plan_consented) {
    if (!record.consents.emplace(*name, entry.sequence).second)
      return impossible(entry, "consented before");
    if (record.declined.erase(*name) > 0) return count_refusal(state, entry);
  } else {
    record.consents.erase(*name);
    record.declined.insert(*name);
  }
  return ok();
}

Result<void> plan_started(State& state, const ledger::Entry& entry) {
  auto plan = plan_of(state, entry);
  if (!plan) return plan.error();
  auto model = subject(entry, "model");
  if (!model) return model.error();
  if (!std::holds_alternative<Idle>(state.phase))
    return impossible(entry, "another plan is running");
  if ((*plan)->standing != PlanStanding::waiting)
    return impossible(entry, "the plan is not waiting");
  (*plan)->standing = PlanStanding::running;
  (*plan)->model = *model;
  state.phase = Recruiting{*entry.plan, 1, 1, entry.time, {}};
  return ok();
}

Result<void> plan_ended(State& state, const ledger::Entry& entry) {
  auto plan = plan_of(state, entry);
  if (!plan) return plan.error();
  PlanRecord& record = **plan;
  const bool cancelled = entry.kind == kind::plan_cancelled;
  const bool open = record.standing == PlanStanding::running ||
                    (cancelled && record.standing == PlanStanding::waiting);
  if (!open) return impossible(entry, "the plan is " + std::string(to_string(record.standing)));
  if (entry.kind == kind::plan_finished) {
    const auto* phase = std::get_if<Recruiting>(&state.phase);
    if (phase == nullptr || phase->plan != record.digest || phase->round <= record.rules.rounds) {
      return impossible(entry, "rounds are left");
    }
    record.standing = PlanStanding::finished;
  } else {
    record.standing = cancelled ? PlanStanding::cancelled : PlanStanding::failed;
    record.reason = entry.reason;
  }
  leave_plan(state, record.digest);
  return ok();
}

Result<void> suspension_set(State& state, const ledger::Entry& entry) {
  JsonReader reader(entry.details, "details");
  const std::string name = reader.text("participant");
  if (auto done = reader.finish(); !done) return impossible(entry, done.error().detail);
  if (entry.kind == kind::participant_suspended) {
    if (!state.suspended.insert(name).second)
      return impossible(entry, name + " is suspended already");
  } else if (state.suspended.erase(name) == 0) {
    return impossible(entry, name + " is not suspended");
  }
  return ok();
}

// --- rounds

Result<void> round_opened(State& state, const ledger::Entry& entry) {
  auto phase = phase_of<Recruiting>(state, entry);
  if (!phase) return phase.error();
  auto plan = plan_of(state, entry);
  if (!plan) return plan.error();
  auto model = subject(entry, "model");
  if (!model) return model.error();
  const PlanRecord& record = **plan;
  if (record.model != *model) return impossible(entry, "opens with a model that is not the latest");
  JsonReader reader(entry.details, "details");
  Collecting next;
  next.plan = record.digest;
  next.round = (*phase)->round;
  next.attempt = static_cast<std::uint32_t>(reader.integer("attempt", 1, 1'000'000));
  const json::value& cohort = reader.child("cohort");
  if (auto done = reader.finish(); !done) return impossible(entry, done.error().detail);
  if (next.attempt != (*phase)->attempt)
    return impossible(entry, "is not the attempt that was due");
  if (!cohort.is_array()) return impossible(entry, "its cohort is not a list");
  for (const json::value& name : cohort.get_array()) {
    if (!name.is_string()) return impossible(entry, "its cohort is not a list of names");
    const std::string text(name.get_string());
    if (!record.consents.contains(text)) return impossible(entry, text + " did not consent");
    if (!next.cohort.insert(text).second)
      return impossible(entry, text + " is twice in the cohort");
  }
  if (next.cohort.size() < record.rules.quorum || next.cohort.size() > record.rules.cohort) {
    return impossible(entry, "its cohort is smaller than the quorum or larger than the plan's");
  }
  next.missed = std::move((*phase)->missed);
  next.opening = entry.sequence;
  next.opened = entry.time;
  next.closes_at = entry.time + record.rules.deadline;
  state.phase = std::move(next);
  return ok();
}

Result<void> update_accepted(State& state, const ledger::Entry& entry) {
  auto phase = phase_of<Collecting>(state, entry);
  if (!phase) return phase.error();
  auto plan = plan_of(state, entry);
  if (!plan) return plan.error();
  auto name = participant_of(state, entry);
  if (!name) return name.error();
  auto update = subject(entry, "update");
  if (!update) return update.error();
  Collecting& round = **phase;
  const plan::Rules& rules = (*plan)->rules;
  if (!round.cohort.contains(*name)) return impossible(entry, *name + " is not in the cohort");
  Acceptance acceptance{*update, 1, entry.sequence};
  if (rules.weighting == plan::Weighting::examples) {
    JsonReader reader(entry.details, "details");
    acceptance.examples = static_cast<std::uint64_t>(reader.integer("examples", 1, count_most));
    if (auto done = reader.finish(); !done) return impossible(entry, done.error().detail);
    if (acceptance.examples > rules.examples_max)
      return impossible(entry, "more examples than the plan allows");
  }
  const bool first = round.accepted.emplace(*name, acceptance).second;
  if (!first && !planted(Fault::participant_counted_twice)) {
    return impossible(entry, *name + " is counted already");
  }
  round.declined.erase(*name);
  if (!round.quorum_at && round.accepted.size() >= rules.quorum) round.quorum_at = entry.time;
  return ok();
}

Result<void> update_lost(State& state, const ledger::Entry& entry) {
  auto name = participant_of(state, entry);
  if (!name) return name.error();
  auto update = subject(entry, "update");
  if (!update) return update.error();
  if (auto* closed = std::get_if<Aggregating>(&state.phase)) {
    Collecting reopened = std::move(closed->collected);
    state.phase = std::move(reopened);
  }
  auto phase = phase_of<Collecting>(state, entry);
  if (!phase) return phase.error();
  auto plan = plan_of(state, entry);
  if (!plan) return plan.error();
  Collecting& round = **phase;
  const auto found = round.accepted.find(*name);
  if (found == round.accepted.end() || found->second.update != *update) {
    return impossible(entry, "that update was not accepted");
  }
  round.accepted.erase(found);
  const plan::Rules& rules = (*plan)->rules;
  if (round.accepted.size() < rules.quorum) round.quorum_at.reset();
  round.closes_at = std::max(round.closes_at, entry.time + rules.deadline);
  return ok();
}

Result<void> work_declined(State& state, const ledger::Entry& entry) {
  auto phase = phase_of<Collecting>(state, entry);
  if (!phase) return phase.error();
  auto name = participant_of(state, entry);
  if (!name) return name.error();
  if (!(*phase)->cohort.contains(*name)) return impossible(entry, *name + " is not in the cohort");
  (*phase)->declined.insert(*name);
  return ok();
}

Result<void> round_closed(State& state, const ledger::Entry& entry) {
  auto phase = phase_of<Collecting>(state, entry);
  if (!phase) return phase.error();
  auto plan = plan_of(state, entry);
  if (!plan) return plan.error();
  Collecting& round = **phase;
  if (auto named = check_contributors(entry, round.accepted); !named) return named;
  const std::size_t quorum = (*plan)->rules.quorum - (planted(Fault::commit_on_too_few) ? 1 : 0);
  if (round.accepted.size() < quorum) return impossible(entry, "fewer updates than the quorum");
  Collecting collected = std::move(round);
  state.phase = Aggregating{std::move(collected)};
  return ok();
}

Result<void> round_abandoned(State& state, const ledger::Entry& entry) {
  auto phase = phase_of<Collecting>(state, entry);
  if (!phase) return phase.error();
  Collecting& round = **phase;
  // Before the deadline only those who said no have let it down; the others had no time.
  const bool had_time = entry.time >= round.closes_at;
  Missed missed = std::move(round.missed);
  for (const std::string& name : round.cohort) {
    if (round.accepted.contains(name)) continue;
    if (had_time || round.declined.contains(name)) ++missed[name];
  }
  Recruiting next{round.plan, round.round, round.attempt + 1, entry.time, std::move(missed)};
  state.phase = std::move(next);
  return ok();
}

Result<void> round_aggregated(State& state, const ledger::Entry& entry) {
  auto phase = phase_of<Aggregating>(state, entry);
  if (!phase) return phase.error();
  auto plan = plan_of(state, entry);
  if (!plan) return plan.error();
  auto model = subject(entry, "model");
  if (!model) return model.error();
  Collecting round = std::move((*phase)->collected);
  if (auto named = check_contributors(entry, round.accepted); !named) return named;
  Evaluating next;
  next.plan = round.plan;
  next.round = round.round;
  next.candidate = *model;
  next.aggregation = entry.sequence;
  next.opened = round.opened;
  next.since = entry.time;
  next.closes_at = entry.time + (*plan)->rules.evaluation_deadline;
  next.cohort = std::move(round.cohort);
  next.accepted = std::move(round.accepted);
  state.phase = std::move(next);
  return ok();
}

Result<void> round_committed(State& state, const ledger::Entry& entry) {
  auto phase = phase_of<Evaluating>(state, entry);
  if (!phase) return phase.error();
  auto plan = plan_of(state, entry);
  if (!plan) return plan.error();
  auto model = subject(entry, "model");
  if (!model) return model.error();
  Evaluating round = std::move(**phase);
  if (round.candidate != *model)
    return impossible(entry, "commits another model than the candidate");
  if (auto named = check_contributors(entry, round.accepted); !named) return named;
  CommittedRound committed{round.round,
                           *model,
                           static_cast<std::uint32_t>(round.accepted.size()),
                           {},
                           entry.time - round.opened};
  if (const json::value* metrics = entry.details.if_contains("metrics")) {
    if (!metrics->is_object()) return impossible(entry, "its metrics are not an object");
    for (const auto& [name, value] : metrics->get_object()) {
      if (!value.is_number()) return impossible(entry, "a metric is not a number");
      committed.metrics[name] = value.to_number<double>();
    }
  }
  PlanRecord& record = **plan;
  record.model = *model;
  record.rounds.push_back(std::move(committed));
  record.last_round = round.round;
  record.last_contributions = std::move(round.accepted);
  state.phase = Recruiting{record.digest, round.round + 1, 1, entry.time, {}};
  return ok();
}

constexpr std::array<std::pair<std::string_view, Step>, 21> steps{{
    {kind::ledger_opened, ledger_opened},
    {kind::coordinator_started, coordinator_started},
    {kind::connection_refused, count_refusal},
    {kind::plan_submitted, plan_submitted},
    {kind::plan_consented, plan_answered},
    {kind::plan_declined, plan_answered},
    {kind::plan_started, plan_started},
    {kind::plan_finished, plan_ended},
    {kind::plan_failed, plan_ended},
    {kind::plan_cancelled, plan_ended},
    {kind::participant_suspended, suspension_set},
    {kind::participant_resumed, suspension_set},
    {kind::round_opened, round_opened},
    {kind::update_accepted, update_accepted},
    {kind::update_refused, count_refusal},
    {kind::update_lost, update_lost},
    {kind::work_declined, work_declined},
    {kind::round_closed, round_closed},
    {kind::round_aggregated, round_aggregated},
    {kind::round_committed, round_committed},
    {kind::round_abandoned, round_abandoned},
}};

}  // namespace

Result<State> apply(State state, const ledger::Entry& entry) {
  if (entry.sequence != state.next_sequence) {
    return impossible(entry, "expected entry " + std::to_string(state.next_sequence));
  }
  if (entry.time < state.last_time)
    return impossible(entry, "its time is before the entry before it");
  if (state.federation.empty() && entry.kind != kind::ledger_opened) {
    return impossible(entry, "a ledger begins with " + std::string(kind::ledger_opened));
  }
  if (!state.federation.empty() && entry.federation != state.federation) {
    return impossible(entry, "belongs to federation " + entry.federation);
  }
  const auto step = std::ranges::find(steps, std::string_view(entry.kind),
                                      &std::pair<std::string_view, Step>::first);
  if (step == steps.end()) return impossible(entry, "this version does not know its kind");
  if (auto done = step->second(state, entry); !done) return done.error();
  state.next_sequence = entry.sequence + 1;
  state.last_time = entry.time;
  return state;
}

}  // namespace entente::coordinator::round
