// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "common/base/identity.hpp"
#include "coordinator/round/planted.hpp"
#include "coordinator/round/scene.hpp"

namespace entente::coordinator::round {
namespace {

json::array contributors(const Contributions& accepted) {
  const std::vector<std::uint64_t> list = sequences(accepted);
  return json::array(list.begin(), list.end());
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
  // Who withdraws is always heard. Who consents again does it as often as he may be refused.
  if (event.consents && plan->declined.contains(event.from) &&
      !may_record_refusal(scene, uri_of(scene, event.from))) {
    return only_answer(Verdict::busy, "changed its mind too often: try again later");
  }
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
  if (!stranger && !event.remainder && !may_record_refusal(scene, actor)) {
    Decision decision = only_answer(Verdict::accepted);
    decision.unrecorded = actor;
    return decision;
  }
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
      phase->collected.round != event.round ||
      sequences(phase->collected.accepted) != event.contributors) {
    return only_answer(Verdict::not_now);
  }
  ledger::Entry entry = own_entry(scene, kind::round_aggregated);
  entry.plan = event.plan;
  entry.round = event.round;
  entry.subjects["model"] = event.model;
  entry.details["contributors"] = contributors(phase->collected.accepted);
  return one_entry(std::move(entry));
}

// --- time

Decision tick(const Scene&, const Idle&, const Tick&) {
  return {};
}
Decision tick(const Scene&, const Aggregating&, const Tick&) {
  return {};
}

Decision give_up(const Scene& scene, const Recruiting& phase, std::string reason) {
  ledger::Entry entry = own_entry(scene, kind::plan_failed);
  entry.plan = phase.plan;
  entry.outcome = "failed";
  entry.reason = std::move(reason);
  return one_entry(std::move(entry));
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
    return give_up(scene, phase,
                   "round " + std::to_string(phase.round) + " was abandoned " +
                       std::to_string(phase.attempt - 1) + " times");
  }
  std::set<std::string> candidates;
  for (const auto& [name, sequence] : plan.consents) {
    if (event.available.contains(name) && !scene.state.suspended.contains(name))
      candidates.insert(name);
  }
  const bool complete = candidates.size() >= plan.rules.cohort;
  const bool waited = scene.now >= phase.since + plan.rules.grace;
  const bool ready = complete || (waited && candidates.size() >= plan.rules.quorum);
  if (!ready || !event.may_open) {
    const bool over = scene.now >= phase.since + plan.rules.recruiting;
    if (!over || planted(Fault::recruiting_never_ends)) return {};
    const std::string here = std::to_string(candidates.size()) + " of the " +
                             std::to_string(plan.rules.quorum) + " participants of its quorum";
    return give_up(scene, phase,
                   "round " + std::to_string(phase.round) + " could not be opened within " +
                       std::to_string(plan.rules.recruiting.count()) + " s: " +
                       (ready ? "the coordinator's disk has no room" : here + " were there"));
  }
  ledger::Entry entry = own_entry(scene, kind::round_opened);
  entry.plan = phase.plan;
  entry.round = phase.round;
  entry.subjects["model"] = *plan.model;
  entry.details["attempt"] = phase.attempt;
  json::array cohort;
  for (const std::string& name :
       choose_cohort(phase.plan, phase.round, candidates, plan.rules.cohort, phase.missed)) {
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
  const bool target = rules.target != 0 && have >= rules.target;
  const bool patient = planted(Fault::straggler_awaited);
  if (enough && (outstanding == 0 || (!patient && (target || waited || over)))) {
    ledger::Entry entry = own_entry(scene, kind::round_closed);
    entry.plan = phase.plan;
    entry.round = phase.round;
    entry.details["contributors"] = contributors(phase.accepted);
    return one_entry(std::move(entry));
  }
  const std::string counts =
      std::to_string(have) + " of the " + std::to_string(rules.quorum) + " updates of the quorum";
  if (over && !enough) return abandon(scene, phase, "deadline with " + counts);
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
  for (const auto& [metric, value] : mean_metrics(evaluations, per_participant ? 1 : 2))
    means[metric] = value;
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
  const bool over = scene.now >= phase.closes_at && !planted(Fault::evaluation_never_ends);
  if (!complete && !(enough && present_have_answered && waited) && !over) return {};
  ledger::Entry entry = own_entry(scene, kind::round_committed);
  entry.plan = phase.plan;
  entry.round = phase.round;
  entry.subjects["model"] = phase.candidate;
  entry.details["contributors"] = contributors(phase.accepted);
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
