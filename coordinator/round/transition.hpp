// SPDX-License-Identifier: Apache-2.0
//
// The round core: two pure functions over the state, and two questions that the state answers.
//
// The shell decides the waiting events one after another (decide, apply), then ticks until nothing
// more follows, makes all entries durable with one fsync and answers; if that fails it drops the
// state and folds the ledger again. What there is to do besides (`due`, `agenda`) is read off the
// state, so that a restart carries on where the crash was without a list of commands to repeat.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.hpp"
#include "common/base/result.hpp"
#include "coordinator/round/event.hpp"
#include "coordinator/round/state.hpp"

namespace entente::coordinator::round {

// What `event` leads to. Pure and total: the same arguments give the same decision; an event that
// does not belong to the phase gets an answer that says so and leaves everything as it is. At most
// one entry moves the phase; `Tick` is called again until no entry comes. `now` must not run
// backwards; an entry's time is never before the last one's.
Decision decide(const State& state, const Event& event, TimePoint now);

// The only way a state changes, live and in recovery alike.
// Errors: corrupt - an entry that this state could not have produced.
Result<State> apply(State state, const ledger::Entry& entry);

// The first instant after `now` at which a Tick may move the phase though nothing happens. None
// when only events can.
std::optional<TimePoint> next_deadline(const State& state, TimePoint now);

// Background work that the state asks for.
struct PrepareModel {
  Digest plan;
  friend bool operator==(const PrepareModel&, const PrepareModel&) = default;
};
struct Aggregate {
  Digest plan;
  std::uint64_t round = 0;
  Digest model;  // what the updates are differences from
  Contributions updates;
  friend bool operator==(const Aggregate&, const Aggregate&) = default;
};
using Work = std::variant<std::monostate, PrepareModel, Aggregate>;
Work due(const State& state);

// What participant `name` is asked to do.
struct TrainTask {
  Digest plan;
  std::uint64_t round = 0;
  Digest model;
  std::uint64_t opening = 0;  // sequence of the entry to prove
  TimePoint closes_at;
  friend bool operator==(const TrainTask&, const TrainTask&) = default;
};
struct EvaluateTask {
  Digest plan;
  std::uint64_t round = 0;
  Digest model;
  std::uint64_t aggregation = 0;
  TimePoint closes_at;
  friend bool operator==(const EvaluateTask&, const EvaluateTask&) = default;
};
struct Agenda {
  std::vector<Digest> plans;  // open and not answered by him yet, in order of submission
  std::variant<std::monostate, TrainTask, EvaluateTask> work;
  friend bool operator==(const Agenda&, const Agenda&) = default;
};
// `evaluated`: whose figures for the present candidate have come.
Agenda agenda(const State& state, const std::string& name, const std::set<std::string>& evaluated);

// What to say of figures that have come: accepted when they are a cohort member's of the present
// candidate, and of the plan's metrics.
Answer admit_evaluation(const State& state, const EvaluationOffered& offered);

// Updates that must stay in the spool, and models that must stay in the store.
std::set<Digest> needed_updates(const State& state);
std::set<Digest> needed_models(const State& state);

// The cohort of a round: `size` of `candidates`, by the digest of (plan, round, name), so that
// arrival does not matter; those who let an earlier attempt of the round down come last, so that a
// retry asks others where there are others. Fewer when more names would not fit an entry
// (plan::names_max_bytes), but never fewer than plan::quorum_max.
std::set<std::string> choose_cohort(const Digest& plan, std::uint64_t round,
                                    const std::set<std::string>& candidates, std::size_t size,
                                    const Missed& missed);

// Means of the metrics (plan/metrics.hpp), weighted by examples, over the evaluations that report
// them: those of which at least `least` do.
std::map<std::string, double> mean_metrics(const std::map<std::string, Evaluation>& evaluations,
                                           std::size_t least);

}  // namespace entente::coordinator::round
