// SPDX-License-Identifier: Apache-2.0
//
// Decisions about updates, offered and arrived, and about work that is declined.
#include <cmath>

#include "coordinator/round/planted.hpp"
#include "coordinator/round/scene.hpp"

namespace entente::coordinator::round {
namespace {

struct UpdateName {
  const std::string& from;
  const Digest& plan;
  std::uint64_t round;
  const Digest& update;
};

Decision refuse_update(const Scene& scene, const UpdateName& name, Verdict verdict,
                       std::string reason) {
  Decision decision = only_answer(verdict, clipped(std::move(reason)));
  const PlanRecord* plan = find_plan(scene.state, name.plan);
  const std::string actor = uri_of(scene, name.from);
  if (plan == nullptr) return decision;
  if (!may_record_refusal(scene, actor)) {
    decision.unrecorded = actor;
    return decision;
  }
  ledger::Entry entry = new_entry(scene, kind::update_refused, actor);
  entry.plan = name.plan;
  entry.round = name.round;
  entry.subjects["update"] = name.update;
  entry.outcome = "refused";
  entry.reason = decision.answer.reason;
  entry.details["verdict"] = to_string(verdict);
  decision.entries.push_back(std::move(entry));
  return decision;
}

// The acceptance of this very update, wherever it is still known.
const Acceptance* find_acceptance(const State& state, const UpdateName& name) {
  const Contributions* accepted = nullptr;
  if (const auto* collecting = std::get_if<Collecting>(&state.phase)) {
    if (collecting->plan == name.plan && collecting->round == name.round)
      accepted = &collecting->accepted;
  } else if (const auto* aggregating = std::get_if<Aggregating>(&state.phase)) {
    const Collecting& round = aggregating->collected;
    if (round.plan == name.plan && round.round == name.round) accepted = &round.accepted;
  } else if (const auto* evaluating = std::get_if<Evaluating>(&state.phase)) {
    if (evaluating->plan == name.plan && evaluating->round == name.round)
      accepted = &evaluating->accepted;
  }
  if (accepted == nullptr) {
    const PlanRecord* plan = find_plan(state, name.plan);
    if (plan != nullptr && plan->last_round == name.round) accepted = &plan->last_contributions;
  }
  if (accepted == nullptr) return nullptr;
  const auto found = accepted->find(name.from);
  return found == accepted->end() ? nullptr : &found->second;
}

// The round of `plan` that is going on, or the last one that was.
std::uint64_t present_round(const State& state, const PlanRecord& plan) {
  if (const auto* phase = std::get_if<Recruiting>(&state.phase);
      phase && phase->plan == plan.digest) {
    return phase->round - 1;  // not open yet
  }
  if (const auto* phase = std::get_if<Collecting>(&state.phase);
      phase && phase->plan == plan.digest) {
    return phase->round;
  }
  return plan.rounds.size() + 1;
}

std::optional<Decision> refusal(const Scene& scene, const UpdateName& name,
                                std::uint64_t examples) {
  const PlanRecord* plan = find_plan(scene.state, name.plan);
  if (plan == nullptr) return only_answer(Verdict::unknown, "no plan " + name.plan.hex());
  if (scene.state.suspended.contains(name.from)) {
    return refuse_update(scene, name, Verdict::suspended, "suspended by the operator");
  }
  if (const Acceptance* known = find_acceptance(scene.state, name)) {
    if (known->update == name.update) return only_answer(Verdict::repeated, {}, known->sequence);
    if (!planted(Fault::participant_counted_twice)) {
      return refuse_update(
          scene, name, Verdict::already_received,
          "update " + known->update.short_hex() + " of this round was accepted before");
    }
  }
  const auto* round = std::get_if<Collecting>(&scene.state.phase);
  if (round == nullptr || round->plan != name.plan || round->round != name.round) {
    const bool late = name.round <= present_round(scene.state, *plan) || !is_open(*plan);
    return late ? refuse_update(scene, name, Verdict::too_late,
                                "round " + std::to_string(name.round) + " is closed")
                : refuse_update(scene, name, Verdict::not_now,
                                "round " + std::to_string(name.round) + " is not open");
  }
  if (!round->cohort.contains(name.from)) {
    return refuse_update(scene, name, Verdict::not_in_cohort, "not asked for this round");
  }
  if (scene.now >= round->closes_at) {
    return refuse_update(scene, name, Verdict::too_late, "after the deadline of the round");
  }
  if (examples < 1 || examples > plan->rules.examples_max) {
    return refuse_update(scene, name, Verdict::examples_over_limit,
                         "expected 1 to " + std::to_string(plan->rules.examples_max) +
                             " examples, saw " + std::to_string(examples));
  }
  return std::nullopt;
}

}  // namespace

Decision on(const Scene& scene, const UpdateOffered& event) {
  const UpdateName name{event.from, event.plan, event.round, event.update};
  if (auto refused = refusal(scene, name, event.examples)) return std::move(*refused);
  return only_answer(Verdict::accepted);
}

Decision on(const Scene& scene, const UpdateArrived& event) {
  const UpdateName name{event.from, event.plan, event.round, event.update};
  if (auto refused = refusal(scene, name, event.examples)) return std::move(*refused);
  const plan::Rules& rules = plan_of(scene.state, event.plan).rules;
  if (!std::isfinite(event.norm)) {
    return refuse_update(scene, name, Verdict::not_finite, "the norm of the update is not finite");
  }
  if (event.norm > rules.norm_max) {
    return refuse_update(scene, name, Verdict::norm_over_limit,
                         "the update's norm is over the plan's limit");
  }
  ledger::Entry entry = new_entry(scene, kind::update_accepted, uri_of(scene, event.from));
  entry.plan = event.plan;
  entry.round = event.round;
  entry.subjects["update"] = event.update;
  if (rules.weighting == plan::Weighting::examples) entry.details["examples"] = event.examples;
  return one_entry(std::move(entry));
}

Decision on(const Scene& scene, const UpdateFlawed& event) {
  const UpdateName name{event.from, event.plan, event.round, event.update};
  if (find_plan(scene.state, event.plan) == nullptr) {
    return only_answer(Verdict::unknown, "no plan " + event.plan.hex());
  }
  return refuse_update(scene, name, event.verdict, event.reason);
}

Decision on(const Scene& scene, const UpdateLost& event) {
  const Collecting* round = std::get_if<Collecting>(&scene.state.phase);
  if (const auto* closed = std::get_if<Aggregating>(&scene.state.phase)) round = &closed->collected;
  if (round == nullptr || round->round != event.round) return only_answer(Verdict::not_now);
  const auto found = round->accepted.find(event.participant);
  if (found == round->accepted.end() || found->second.update != event.update) {
    return only_answer(Verdict::not_now);
  }
  ledger::Entry entry = new_entry(scene, kind::update_lost, uri_of(scene, event.participant));
  entry.plan = round->plan;
  entry.round = round->round;
  entry.subjects["update"] = event.update;
  entry.outcome = "failed";
  entry.reason = "missing or damaged in the spool: asked for again";
  return one_entry(std::move(entry));
}

Decision on(const Scene& scene, const WorkDeclined& event) {
  const auto* round = std::get_if<Collecting>(&scene.state.phase);
  if (round == nullptr || round->plan != event.plan || round->round != event.round ||
      !round->cohort.contains(event.from) || round->accepted.contains(event.from)) {
    return only_answer(Verdict::not_now);
  }
  if (round->declined.contains(event.from)) return only_answer(Verdict::repeated);
  ledger::Entry entry = new_entry(scene, kind::work_declined, uri_of(scene, event.from));
  entry.plan = event.plan;
  entry.round = event.round;
  entry.outcome = "refused";
  entry.reason = clipped(event.reason);
  return one_entry(std::move(entry));
}

}  // namespace entente::coordinator::round
