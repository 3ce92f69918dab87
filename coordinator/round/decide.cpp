// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "common/base/identity.hpp"
#include "common/base/version.hpp"
#include "coordinator/round/entries.hpp"
#include "coordinator/round/planted.hpp"
#include "coordinator/round/transition.hpp"

namespace entente::coordinator::round {
namespace {

constexpr std::size_t reason_max_bytes = 512;

// Everything that a decision may look at.
struct Scene {
  const State& state;
  TimePoint now;
};

ledger::Entry new_entry(const Scene& scene, std::string_view kind, std::string actor) {
  ledger::Entry entry;
  entry.sequence = scene.state.next_sequence;
  entry.time = std::max(scene.now, scene.state.last_time);
  entry.kind = kind;
  entry.federation = scene.state.federation;
  entry.actor = std::move(actor);
  entry.software = software_version;
  return entry;
}

ledger::Entry own_entry(const Scene& scene, std::string_view kind) {
  return new_entry(scene, kind, scene.state.coordinator);
}

std::string uri_of(const Scene& scene, const std::string& participant) {
  return Identity{scene.state.federation, Role::participant, participant}.uri();
}

std::string clipped(std::string reason) {
  if (reason.size() > reason_max_bytes) {
    std::size_t end = reason_max_bytes;
    while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0U) == 0x80U) --end;
    reason.resize(end);
  }
  return reason;
}

Decision only_answer(Verdict verdict, std::string reason = {},
                     std::optional<std::uint64_t> receipt = std::nullopt) {
  return Decision{{}, Answer{verdict, std::move(reason), receipt}};
}

Decision one_entry(ledger::Entry entry) {
  Decision decision;
  decision.answer.receipt = entry.sequence;
  decision.entries.push_back(std::move(entry));
  return decision;
}

json::array sequences(const Contributions& contributions) {
  json::array list;
  for (const auto& [name, acceptance] : contributions) list.push_back(acceptance.sequence);
  return list;
}

bool may_record_refusal(const Scene& scene, const std::string& actor) {
  const auto found = scene.state.refusals.find(actor);
  if (found == scene.state.refusals.end()) return true;
  const auto time = std::max(scene.now, scene.state.last_time);
  return found->second.minute != std::chrono::floor<std::chrono::minutes>(time) ||
         found->second.count < refusals_recorded_a_minute_max;
}

const PlanRecord* find_plan(const State& state, const Digest& plan) {
  const auto found = state.plans.find(plan);
  return found == state.plans.end() ? nullptr : &found->second;
}

const PlanRecord& plan_of(const State& state, const Digest& plan) {
  return state.plans.at(plan);
}

bool is_open(const PlanRecord& plan) {
  return plan.standing == PlanStanding::waiting || plan.standing == PlanStanding::running;
}

// --- updates

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
  if (plan == nullptr || !may_record_refusal(scene, actor)) return decision;
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

// --- plans and members

Decision on(const Scene& scene, const Started& event) {
  Decision decision;
  if (scene.state.federation.empty()) {
    ledger::Entry opened = new_entry(scene, kind::ledger_opened, event.coordinator);
    opened.federation = event.federation;
    opened.details["origin"] = event.federation + "/ledger";
    opened.details["verifier_key"] = event.verifier_key;
    decision.entries.push_back(std::move(opened));
  }
  ledger::Entry started = new_entry(scene, kind::coordinator_started, event.coordinator);
  started.federation = event.federation;
  started.sequence += decision.entries.size();
  decision.entries.push_back(std::move(started));
  return decision;
}

Decision on(const Scene& scene, const PlanSubmitted& event) {
  if (const PlanRecord* known = find_plan(scene.state, event.plan)) {
    return only_answer(
        Verdict::repeated,
        "the plan was submitted before; it is " + std::string(to_string(known->standing)),
        known->submission);
  }
  ledger::Entry entry = new_entry(scene, kind::plan_submitted, event.actor);
  entry.plan = event.plan;
  entry.details["name"] = event.name;
  entry.details["rules"] = plan::rules_to_json(event.rules);
  entry.details["size_bytes"] = event.size_bytes;
  entry.details["certificate"] = event.certificate;
  entry.details["signature"] = event.signature;
  return one_entry(std::move(entry));
}

Decision on(const Scene& scene, const PlanCancelled& event) {
  const PlanRecord* plan = find_plan(scene.state, event.plan);
  if (plan == nullptr) return only_answer(Verdict::unknown, "no plan " + event.plan.hex());
  if (plan->standing == PlanStanding::cancelled) return only_answer(Verdict::repeated);
  if (!is_open(*plan)) {
    return only_answer(Verdict::too_late, "the plan is " + std::string(to_string(plan->standing)));
  }
  ledger::Entry entry = new_entry(scene, kind::plan_cancelled, event.actor);
  entry.plan = event.plan;
  entry.reason = clipped(event.reason);
  return one_entry(std::move(entry));
}

Decision on(const Scene& scene, const SuspensionSet& event) {
  if (!is_name(event.participant)) {
    return only_answer(Verdict::malformed, "expected a participant's name ([a-z0-9-], at most 63)");
  }
  if (scene.state.suspended.contains(event.participant) == event.suspended) {
    return only_answer(Verdict::repeated);
  }
  ledger::Entry entry =
      new_entry(scene, event.suspended ? kind::participant_suspended : kind::participant_resumed,
                event.actor);
  entry.reason = clipped(event.reason);
  entry.details["participant"] = event.participant;
  return one_entry(std::move(entry));
}

Decision on(const Scene& scene, const PlanAnswered& event) {
  const PlanRecord* plan = find_plan(scene.state, event.plan);
  if (plan == nullptr) return only_answer(Verdict::unknown, "no plan " + event.plan.hex());
  if (!is_open(*plan)) {
    return only_answer(Verdict::too_late, "the plan is " + std::string(to_string(plan->standing)));
  }
  if (scene.state.suspended.contains(event.from)) {
    return only_answer(Verdict::suspended, "suspended by the operator");
  }
  const auto consent = plan->consents.find(event.from);
  if (event.consents && consent != plan->consents.end()) {
    return only_answer(Verdict::repeated, {}, consent->second);
  }
  if (!event.consents && plan->declined.contains(event.from)) return only_answer(Verdict::repeated);
  ledger::Entry entry =
      new_entry(scene, event.consents ? kind::plan_consented : kind::plan_declined,
                uri_of(scene, event.from));
  entry.plan = event.plan;
  if (event.consents) {
    entry.details["certificate"] = event.certificate;
    entry.details["signature"] = event.signature;
  } else {
    entry.outcome = "refused";
    entry.reason = clipped(event.reason);
  }
  return one_entry(std::move(entry));
}

Decision on(const Scene& scene, const ConnectionsRefused& event) {
  const bool stranger = event.member.empty();
  const std::string actor = stranger ? scene.state.coordinator : event.member;
  if (!stranger && !may_record_refusal(scene, actor)) return only_answer(Verdict::accepted);
  ledger::Entry entry = new_entry(scene, kind::connection_refused, actor);
  entry.outcome = "refused";
  entry.details["cause"] = clipped(event.cause);
  entry.details["count"] = event.count;
  return one_entry(std::move(entry));
}

Decision on(const Scene& scene, const ModelPrepared& event) {
  const Work work = due(scene.state);
  const auto* prepare = std::get_if<PrepareModel>(&work);
  if (prepare == nullptr || prepare->plan != event.plan) return only_answer(Verdict::not_now);
  ledger::Entry entry = own_entry(scene, kind::plan_started);
  entry.plan = event.plan;
  entry.subjects["model"] = event.model;
  return one_entry(std::move(entry));
}

Decision on(const Scene& scene, const AggregateStored& event) {
  const auto* phase = std::get_if<Aggregating>(&scene.state.phase);
  if (phase == nullptr || phase->collected.plan != event.plan ||
      phase->collected.round != event.round) {
    return only_answer(Verdict::not_now);
  }
  ledger::Entry entry = own_entry(scene, kind::round_aggregated);
  entry.plan = event.plan;
  entry.round = event.round;
  entry.subjects["model"] = event.model;
  entry.details["contributors"] = sequences(phase->collected.accepted);
  return one_entry(std::move(entry));
}

// --- time

Decision tick(const Scene&, const Idle&, const Tick&) {
  return {};
}
Decision tick(const Scene&, const Aggregating&, const Tick&) {
  return {};
}

Decision tick(const Scene& scene, const Recruiting& phase, const Tick& event) {
  const PlanRecord& plan = plan_of(scene.state, phase.plan);
  if (phase.round > plan.rules.rounds) {
    ledger::Entry entry = own_entry(scene, kind::plan_finished);
    entry.plan = phase.plan;
    entry.subjects["model"] = *plan.model;
    return one_entry(std::move(entry));
  }
  // Not together with the entry that abandons the last attempt: a crash may leave that one alone.
  if (phase.attempt > plan.rules.retries + 1) {
    ledger::Entry entry = own_entry(scene, kind::plan_failed);
    entry.plan = phase.plan;
    entry.outcome = "failed";
    entry.reason = "round " + std::to_string(phase.round) + " was abandoned " +
                   std::to_string(phase.attempt - 1) + " times";
    return one_entry(std::move(entry));
  }
  if (!event.may_open) return {};
  std::set<std::string> candidates;
  for (const auto& [name, sequence] : plan.consents) {
    if (event.available.contains(name) && !scene.state.suspended.contains(name))
      candidates.insert(name);
  }
  const bool complete = candidates.size() >= plan.rules.cohort;
  const bool waited = scene.now >= phase.since + plan.rules.grace;
  if (!complete && !(waited && candidates.size() >= plan.rules.quorum)) return {};
  ledger::Entry entry = own_entry(scene, kind::round_opened);
  entry.plan = phase.plan;
  entry.round = phase.round;
  entry.subjects["model"] = *plan.model;
  entry.details["attempt"] = phase.attempt;
  json::array cohort;
  for (const std::string& name :
       choose_cohort(phase.plan, phase.round, std::move(candidates), plan.rules.cohort)) {
    cohort.emplace_back(name);
  }
  entry.details["cohort"] = std::move(cohort);
  return one_entry(std::move(entry));
}

Decision abandon(const Scene& scene, const Collecting& phase, std::string reason) {
  ledger::Entry entry = own_entry(scene, kind::round_abandoned);
  entry.plan = phase.plan;
  entry.round = phase.round;
  entry.outcome = "failed";
  entry.reason = std::move(reason);
  entry.details["attempt"] = phase.attempt;
  return one_entry(std::move(entry));
}

Decision tick(const Scene& scene, const Collecting& phase, const Tick&) {
  const plan::Rules& rules = plan_of(scene.state, phase.plan).rules;
  std::size_t outstanding = 0;  // may still come
  for (const std::string& name : phase.cohort) {
    if (!phase.accepted.contains(name) && !phase.declined.contains(name) &&
        !scene.state.suspended.contains(name)) {
      ++outstanding;
    }
  }
  const std::size_t have = phase.accepted.size();
  const std::size_t quorum = rules.quorum - (planted(Fault::commit_on_too_few) ? 1 : 0);
  const bool enough = have >= quorum && have > 0;
  const bool over = scene.now >= phase.closes_at && !planted(Fault::deadline_never_fires);
  const bool waited = phase.quorum_at && scene.now >= *phase.quorum_at + rules.grace;
  if (enough && (outstanding == 0 || waited || over)) {
    ledger::Entry entry = own_entry(scene, kind::round_closed);
    entry.plan = phase.plan;
    entry.round = phase.round;
    entry.details["contributors"] = sequences(phase.accepted);
    return one_entry(std::move(entry));
  }
  const std::string counts =
      std::to_string(have) + " of the " + std::to_string(rules.quorum) + " updates of the quorum";
  if (over) return abandon(scene, phase, "deadline with " + counts);
  if (have + outstanding < quorum)
    return abandon(scene, phase, "only " + counts + " can still come");
  return {};
}

void add_metrics(json::object& details, const std::map<std::string, Evaluation>& evaluations,
                 bool per_participant) {
  details["evaluations"] = evaluations.size();
  // One institution's figures alone are not an aggregate.
  if (evaluations.empty() || (evaluations.size() == 1 && !per_participant)) return;
  json::object means;
  for (const auto& [metric, value] : mean_metrics(evaluations)) means[metric] = value;
  details["metrics"] = std::move(means);
  if (!per_participant) return;
  json::object participants;
  for (const auto& [name, evaluation] : evaluations) {
    json::object own;
    for (const auto& [metric, value] : evaluation.metrics) own[metric] = value;
    participants[name] = std::move(own);
  }
  details["participants"] = std::move(participants);
}

Decision tick(const Scene& scene, const Evaluating& phase, const Tick& event) {
  const plan::Rules& rules = plan_of(scene.state, phase.plan).rules;
  std::map<std::string, Evaluation> answers;
  bool present_have_answered = true;
  for (const std::string& name : phase.cohort) {
    if (const auto found = event.evaluations.find(name); found != event.evaluations.end()) {
      answers.insert(*found);
    } else if (event.available.contains(name) && !scene.state.suspended.contains(name)) {
      present_have_answered = false;
    }
  }
  const bool complete = answers.size() == phase.cohort.size();
  const bool enough = answers.size() >= std::max<std::size_t>(1, rules.evaluation_quorum);
  const bool waited = scene.now >= phase.since + rules.grace;
  const bool over = scene.now >= phase.closes_at;
  if (!complete && !(enough && present_have_answered && waited) && !over) return {};
  ledger::Entry entry = own_entry(scene, kind::round_committed);
  entry.plan = phase.plan;
  entry.round = phase.round;
  entry.subjects["model"] = phase.candidate;
  entry.details["contributors"] = sequences(phase.accepted);
  add_metrics(entry.details, answers, rules.metrics_per_participant);
  return one_entry(std::move(entry));
}

Decision on(const Scene& scene, const Tick& event) {
  return std::visit([&](const auto& phase) { return tick(scene, phase, event); },
                    scene.state.phase);
}

}  // namespace

Decision decide(const State& state, const Event& event, TimePoint now) {
  const Scene scene{state, now};
  return std::visit([&](const auto& happened) { return on(scene, happened); }, event);
}

}  // namespace entente::coordinator::round
