// SPDX-License-Identifier: Apache-2.0
//
// What the state answers: work that is due, each participant's agenda, files that are still needed.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "common/base/identity.hpp"
#include "common/crypto/hash.hpp"
#include "common/plan/metrics.hpp"
#include "coordinator/round/planted.hpp"
#include "coordinator/round/transition.hpp"

namespace entente::coordinator::round {
namespace {

constexpr std::size_t in_list_bytes = 3;  // a name's quotes and its comma

}  // namespace

static_assert(plan::quorum_max * (name_max_bytes + in_list_bytes) <= plan::names_max_bytes,
              "a cohort that is cut to fit an entry still has any quorum");

std::string_view name_of(const Phase& phase) {
  constexpr std::string_view names[] = {"idle", "recruiting", "collecting", "aggregating",
                                        "evaluating"};
  static_assert(std::size(names) == std::variant_size_v<Phase>);
  return names[phase.index()];
}

std::vector<std::uint64_t> sequences(const Contributions& contributions) {
  std::vector<std::uint64_t> list;
  for (const auto& [name, acceptance] : contributions) list.push_back(acceptance.sequence);
  return list;
}

std::string_view to_string(PlanStanding standing) {
  constexpr std::string_view names[] = {"waiting", "running", "finished", "cancelled", "failed"};
  return names[static_cast<std::size_t>(standing)];
}

namespace {

std::vector<const PlanRecord*> open_plans(const State& state) {
  std::vector<const PlanRecord*> plans;
  for (const auto& [digest, plan] : state.plans) {
    if (plan.standing == PlanStanding::waiting || plan.standing == PlanStanding::running)
      plans.push_back(&plan);
  }
  std::ranges::sort(plans, {}, &PlanRecord::submission);
  return plans;
}

std::size_t active_consents(const State& state, const PlanRecord& plan) {
  return static_cast<std::size_t>(std::ranges::count_if(plan.consents, [&](const auto& consent) {
    return !state.suspended.contains(consent.first);
  }));
}

}  // namespace

Work due(const State& state) {
  if (const auto* phase = std::get_if<Aggregating>(&state.phase)) {
    const Collecting& round = phase->collected;
    return Aggregate{round.plan, round.round, *state.plans.at(round.plan).model, round.accepted};
  }
  if (!std::holds_alternative<Idle>(state.phase)) return {};
  for (const PlanRecord* plan : open_plans(state)) {
    if (active_consents(state, *plan) >= plan->rules.quorum) return PrepareModel{plan->digest};
  }
  return {};
}

std::optional<TimePoint> next_deadline(const State& state, TimePoint now) {
  if (planted(Fault::deadline_never_armed)) return std::nullopt;
  std::vector<TimePoint> instants;
  if (const auto* recruiting = std::get_if<Recruiting>(&state.phase)) {
    const plan::Rules& rules = state.plans.at(recruiting->plan).rules;
    instants.push_back(recruiting->since + rules.grace);
    instants.push_back(recruiting->since + rules.recruiting);
  } else if (const auto* collecting = std::get_if<Collecting>(&state.phase)) {
    instants.push_back(collecting->closes_at);
    if (collecting->quorum_at) {
      instants.push_back(*collecting->quorum_at + state.plans.at(collecting->plan).rules.grace);
    }
  } else if (const auto* evaluating = std::get_if<Evaluating>(&state.phase)) {
    instants.push_back(evaluating->closes_at);
    instants.push_back(evaluating->since + state.plans.at(evaluating->plan).rules.grace);
  }
  std::optional<TimePoint> next;
  for (const TimePoint instant : instants) {
    if (instant > now && (!next || instant < *next)) next = instant;
  }
  return next;
}

Agenda agenda(const State& state, const std::string& name, const std::set<std::string>& evaluated) {
  Agenda agenda;
  if (state.suspended.contains(name)) return agenda;
  for (const PlanRecord* plan : open_plans(state)) {
    if (!plan->consents.contains(name) && !plan->declined.contains(name))
      agenda.plans.push_back(plan->digest);
  }
  if (const auto* phase = std::get_if<Collecting>(&state.phase)) {
    if (phase->cohort.contains(name) && !phase->accepted.contains(name) &&
        !phase->declined.contains(name)) {
      agenda.work = TrainTask{phase->plan, phase->round, *state.plans.at(phase->plan).model,
                              phase->opening, phase->closes_at};
    }
  } else if (const auto* evaluating = std::get_if<Evaluating>(&state.phase)) {
    if (evaluating->cohort.contains(name) && !evaluated.contains(name)) {
      agenda.work = EvaluateTask{evaluating->plan, evaluating->round, evaluating->candidate,
                                 evaluating->aggregation, evaluating->closes_at};
    }
  }
  return agenda;
}

Answer admit_evaluation(const State& state, const EvaluationOffered& offered) {
  const auto plan = state.plans.find(offered.plan);
  if (plan == state.plans.end()) return {Verdict::unknown, "no plan " + offered.plan.hex(), {}};
  if (state.suspended.contains(offered.from)) {
    return {Verdict::suspended, "suspended by the operator", {}};
  }
  const auto* phase = std::get_if<Evaluating>(&state.phase);
  if (phase == nullptr || phase->plan != offered.plan || phase->round != offered.round ||
      phase->candidate != offered.model) {
    const bool late = offered.round <= plan->second.rounds.size();
    return {late ? Verdict::too_late : Verdict::not_now, "not the model to evaluate", {}};
  }
  if (!phase->cohort.contains(offered.from)) {
    return {Verdict::not_in_cohort, "not asked for this round", {}};
  }
  const plan::Rules& rules = plan->second.rules;
  if (offered.evaluation.examples > rules.examples_max) {
    return {Verdict::examples_over_limit,
            "expected at most " + std::to_string(rules.examples_max) + " examples, saw " +
                std::to_string(offered.evaluation.examples),
            {}};
  }
  const auto& metrics = offered.evaluation.metrics;
  std::size_t reported = 0;
  for (const std::string& name : rules.metrics) {
    if (metrics.contains(name)) {
      ++reported;
    } else if (const auto* metric = plan::find_metric(name);
               metric == nullptr || !metric->may_be_undefined) {
      return {Verdict::malformed, "expected the plan's metrics, saw no '" + name + "'", {}};
    }
  }
  if (reported != metrics.size())
    return {Verdict::malformed, "expected the plan's metrics and no others", {}};
  return {};
}

std::set<Digest> needed_updates(const State& state) {
  std::set<Digest> updates;
  const auto add = [&](const Contributions& accepted) {
    for (const auto& [name, acceptance] : accepted) updates.insert(acceptance.update);
  };
  if (const auto* collecting = std::get_if<Collecting>(&state.phase)) add(collecting->accepted);
  if (const auto* aggregating = std::get_if<Aggregating>(&state.phase))
    add(aggregating->collected.accepted);
  return updates;
}

std::set<Digest> needed_models(const State& state) {
  std::set<Digest> models;
  for (const auto& [digest, plan] : state.plans) {
    if (plan.model) models.insert(*plan.model);
  }
  if (const auto* evaluating = std::get_if<Evaluating>(&state.phase))
    models.insert(evaluating->candidate);
  return models;
}

std::set<std::string> choose_cohort(const Digest& plan, std::uint64_t round,
                                    const std::set<std::string>& candidates, std::size_t size,
                                    const Missed& missed) {
  std::vector<std::tuple<std::uint32_t, Digest, std::string>> ranked;
  for (const std::string& name : candidates) {
    const auto found = missed.find(name);
    const bool counts = found != missed.end() && !planted(Fault::same_cohort_again);
    ranked.emplace_back(counts ? found->second : 0,
                        crypto::sha256("entente/1 cohort\n" + plan.hex() + "\n" +
                                       std::to_string(round) + "\n" + name + "\n"),
                        name);
  }
  std::ranges::sort(ranked);
  std::set<std::string> cohort;
  std::size_t bytes = 0;
  for (const auto& [times_missed, rank, name] : ranked) {
    bytes += name.size() + in_list_bytes;
    if (cohort.size() == size || bytes > plan::names_max_bytes) break;
    cohort.insert(name);
  }
  return cohort;
}

std::map<std::string, double> mean_metrics(const std::map<std::string, Evaluation>& evaluations,
                                           std::size_t least) {
  std::set<std::string> reported;
  for (const auto& [name, evaluation] : evaluations) {
    for (const auto& [metric, value] : evaluation.metrics) reported.insert(metric);
  }
  std::map<std::string, double> means;
  for (const std::string& metric : reported) {
    const plan::Metric* known = plan::find_metric(metric);
    const auto mean = known == nullptr ? plan::Metric::Mean::plain : known->mean;
    double sum = 0, weight = 0;
    std::size_t count = 0;
    for (const auto& [name, evaluation] : evaluations) {
      const auto found = evaluation.metrics.find(metric);
      if (found == evaluation.metrics.end()) continue;
      const auto examples = static_cast<double>(evaluation.examples);
      sum += plan::to_averaged(mean, found->second) * examples;
      weight += examples;
      ++count;
    }
    // Values near the largest double have no sum, and what was reported may have no logarithm: a
    // ledger cannot say infinity.
    const double value = weight > 0 ? plan::from_averaged(mean, sum / weight) : 0;
    if (count >= least && weight > 0 && std::isfinite(sum) && std::isfinite(value))
      means[metric] = value;
  }
  return means;
}

}  // namespace entente::coordinator::round
