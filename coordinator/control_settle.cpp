// SPDX-License-Identifier: Apache-2.0
//
// What follows from the state: agendas told, background work started, files removed, timers set.
#include "common/base/log.hpp"
#include "coordinator/control_state.hpp"
#include "coordinator/work.hpp"

namespace entente::coordinator {
namespace {

constexpr std::chrono::seconds work_retried_after{2};
constexpr std::uint64_t space_reserve_bytes = 64U << 20U;  // for the ledger and plans

// The plan that a round is under way of, or about to be.
const Digest* plan_under_way(const round::Phase& phase) {
  if (const auto* recruiting = std::get_if<round::Recruiting>(&phase)) return &recruiting->plan;
  if (const auto* open = std::get_if<round::Collecting>(&phase)) return &open->plan;
  if (const auto* closed = std::get_if<round::Aggregating>(&phase)) return &closed->collected.plan;
  if (const auto* candidate = std::get_if<round::Evaluating>(&phase)) return &candidate->plan;
  return nullptr;
}

}  // namespace

// Brings the world in line with the state.
void Control::State::settle() {
  forget_evaluations();
  start_work();
  tell_agendas();
  sweep();
  arm_deadline();
  update_figures();
}

void Control::State::forget_evaluations() {
  const auto* phase = std::get_if<round::Evaluating>(&core->state().phase);
  const std::optional<Digest> candidate = phase ? std::optional(phase->candidate) : std::nullopt;
  if (candidate == evaluated_model) return;
  evaluated_model = candidate;
  evaluations.clear();
  uploads.clear();
}

void Control::State::note_agendas(std::span<const ledger::Entry> entries) {
  for (const ledger::Entry& entry : entries) {
    const auto actor = parse_identity(entry.actor);
    if (actor && actor->role == Role::participant) {
      to_tell.insert(actor->name);
    } else {
      all_to_tell = true;
    }
  }
}

void Control::State::tell_agendas() {
  std::set<std::string> evaluated;
  for (const auto& [name, evaluation] : evaluations) evaluated.insert(name);
  const std::set<std::string> some = std::exchange(to_tell, {});
  if (std::exchange(all_to_tell, false)) {
    for (auto& [name, peer] : peers) tell_agenda(name, peer, evaluated);
  } else {
    for (const std::string& name : some) {
      if (const auto peer = peers.find(name); peer != peers.end())
        tell_agenda(name, peer->second, evaluated);
    }
  }
}

void Control::State::tell_agenda(const std::string& name, Peer& peer,
                                 const std::set<std::string>& evaluated) {
  round::Agenda agenda = round::agenda(core->state(), name, evaluated);
  if (peer.told == agenda) return;
  auto message = agenda_message(*core, store, agenda, clock->now());
  if (!message) {
    work_problem = "an agenda cannot be told: " + message.error().detail;
    log_error("agenda cannot be told", {{"participant", name}, {"reason", message.error().detail}});
    to_tell.insert(name);
    return;
  }
  peer.connection.send(std::move(*message));
  peer.told = std::move(agenda);
}

void Control::State::start_work() {
  if (working || stopped) return;
  const round::Work task = round::due(core->state());
  if (std::holds_alternative<std::monostate>(task)) return;
  working = true;
  running = task;
  asio::post(pool, [self = shared_from_this(), task] {
    const Result<Digest> outcome = self->carry_out(task);
    asio::post(self->thread, [self, task, outcome] { self->finish_work(task, outcome); });
  });
}

// On a thread of the pool.
Result<Digest> Control::State::carry_out(const round::Work& task) const {
  if (const auto* average = std::get_if<round::Aggregate>(&task)) {
    auto layout = layouts.of_plan(average->plan);
    if (!layout) return layout.error();
    return aggregate(store, **layout, *average);
  }
  auto plan = store.plan(std::get<round::PrepareModel>(task).plan);
  if (!plan) return plan.error();
  return prepare_model(store, *plan);
}

void Control::State::finish_work(const round::Work& task, Result<Digest> outcome) {
  if (stopped) return;
  if (!outcome) {
    work_problem = outcome.error().detail;
    log_error("work in the background failed; it is tried again", {{"reason", work_problem}});
    update_figures();
    const Errc code = outcome.error().code;
    if (core && (code == Errc::not_found || code == Errc::corrupt)) check_spool();
    work_retry.expires_after(work_retried_after);
    work_retry.async_wait([self = shared_from_this()](boost::system::error_code failure) {
      self->working = false;
      if (!failure && !self->stopped && self->core) self->settle();
    });
    return;
  }
  working = false;
  work_problem.clear();
  round::Event event = round::Tick{};
  if (const auto* prepared = std::get_if<round::PrepareModel>(&task)) {
    event = round::ModelPrepared{prepared->plan, *outcome};
  } else if (const auto* aggregated = std::get_if<round::Aggregate>(&task)) {
    event = round::AggregateStored{aggregated->plan, aggregated->round,
                                   round::sequences(aggregated->updates), *outcome};
  }
  waiting.push_back(Waiting{std::move(event), {}});
  schedule();
}

// After a restart: the spool is not synced, so updates that the ledger names may be missing or
// damaged.
void Control::State::check_spool() {
  const round::Collecting* round = std::get_if<round::Collecting>(&core->state().phase);
  if (const auto* closed = std::get_if<round::Aggregating>(&core->state().phase))
    round = &closed->collected;
  if (round == nullptr) return;
  for (const auto& [name, acceptance] : round->accepted) {
    const auto path = store.update_path(name, acceptance.update);
    auto digest = digest_of_file(path);
    // What passes is not worth another transfer.
    if (!digest && digest.error().code == Errc::io) digest = digest_of_file(path);
    if (digest && *digest == acceptance.update) continue;
    log_warning("an accepted update is missing or damaged: asked for again",
                {{"participant", name}, {"round", round->round}});
    static_cast<void>(remove_file(path));
    waiting.push_back(
        Waiting{round::Event(round::UpdateLost{name, round->round, acceptance.update}), {}});
  }
  if (!waiting.empty()) schedule();
}

// Whether a round may be opened by the next decisions: whether there is room for what it brings,
// its cohort's updates and the next model. A round that ends looks ahead, so that one batch ends it
// and opens the next; its own updates still lie there, and "no room" is only said when they are
// gone. While updates come: whether there is room for those still to come.
bool Control::State::check_space() {
  space_problem.clear();
  const round::Phase& phase = core->state().phase;
  const auto* opening = std::get_if<round::Recruiting>(&phase);
  const auto* open = std::get_if<round::Collecting>(&phase);
  const Digest* const plan_digest = plan_under_way(phase);
  if (plan_digest == nullptr) return false;
  const round::PlanRecord& plan = core->state().plans.at(*plan_digest);
  std::error_code failure;
  const std::uint64_t model = std::filesystem::file_size(store.model_path(*plan.model), failure);
  const auto free = free_space_bytes(store.folder());
  if (failure || !free) return opening != nullptr;
  const std::uint64_t needed =
      open != nullptr ? model * (open->cohort.size() - open->accepted.size() + 1)
                      : model * (plan.rules.cohort + std::uint64_t{1}) + space_reserve_bytes;
  if (*free >= needed) return open == nullptr;
  if (opening == nullptr && open == nullptr) return false;
  space_problem = "disk full: a round needs " + std::to_string(needed >> 20U) + " MiB in " +
                  store.folder().string() + ", " + std::to_string(*free >> 20U) + " MiB are free";
  if (opening == nullptr) return false;  // it goes on with what fits; others come again
  log_warning("no round is opened", {{"reason", space_problem}});
  space_retry.expires_after(work_retried_after);
  space_retry.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
    if (!cancelled && !self->stopped) self->schedule();
  });
  return false;
}

// Looks at the folders only when something is no longer needed.
void Control::State::sweep() {
  const round::State& state = core->state();
  Needed needed{round::needed_updates(state),
                std::holds_alternative<round::Collecting>(state.phase),
                round::needed_models(state)};
  if (swept && needed.includes(*swept)) {
    swept = std::move(needed);
    return;
  }
  auto removed =
      store.sweep(needed.updates, needed.collecting, needed.models, settings.models_kept);
  if (removed) {
    swept = std::move(needed);
  } else {
    log_warning("old files cannot be removed", {{"reason", removed.error().detail}});
  }
}

void Control::State::arm_deadline() {
  const TimePoint now = clock->now();
  const auto next = round::next_deadline(core->state(), now);
  if (!next) {
    deadline.cancel();
    return;
  }
  deadline.expires_after(*next - now);
  deadline.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
    if (!cancelled) self->schedule();
  });
}

}  // namespace entente::coordinator
