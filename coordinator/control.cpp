// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control.hpp"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "common/base/log.hpp"
#include "coordinator/core.hpp"
#include "coordinator/telling.hpp"
#include "coordinator/work.hpp"

namespace entente::coordinator {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr std::size_t batch_max = 256;
constexpr std::chrono::seconds refusals_recorded_every{60};
constexpr std::size_t causes_max = 16;  // kinds of strangers counted apart in one minute
constexpr std::chrono::seconds work_retried_after{2};
constexpr std::uint64_t space_reserve_bytes = 64U << 20U;  // for the ledger and plans

// The log follows the ledger: one line an entry.
void log_entry(const ledger::Entry& entry) {
  const auto identity = parse_identity(entry.actor);
  log_info(entry.kind,
           {{"sequence", entry.sequence},
            {"plan", entry.plan ? json::value(entry.plan->hex()) : json::value(nullptr)},
            {"round", entry.round ? json::value(*entry.round) : json::value(nullptr)},
            {"actor", identity ? identity->name : entry.actor},
            {"outcome", entry.outcome},
            {"reason", entry.reason}});
}

}  // namespace

struct Control::State : std::enable_shared_from_this<Control::State> {
  struct Waiting {
    Question question;
    Reply reply;
  };
  struct Peer {
    Connection connection;
    std::optional<round::Agenda> told;
  };

  State(asio::io_context& thread_, asio::thread_pool& work_, const Store& store_,
        ControlSettings settings_, crypto::PrivateKey key_)
      : thread(thread_),
        pool(work_),
        store(store_),
        settings(std::move(settings_)),
        key(std::move(key_)),
        deadline(thread_),
        minute(thread_),
        reopening(thread_),
        work_retry(thread_),
        space_retry(thread_) {}

  asio::io_context& thread;
  asio::thread_pool& pool;
  const Store& store;
  ControlSettings settings;
  crypto::PrivateKey key;
  std::unique_ptr<Storage> storage;
  std::optional<Core> core;  // empty while the disk refuses the ledger
  std::optional<Clock> clock;
  std::vector<Waiting> waiting;
  bool drain_posted = false;
  bool stopped = false;
  std::map<std::uint64_t, Peer> peers;
  std::map<std::string, round::Evaluation> evaluations;
  std::optional<Digest> evaluated_model;
  std::map<std::string, UploadProgress> uploads;
  std::map<std::string, std::uint64_t> strangers;  // by cause
  round::Work running;                             // what the pool is doing
  bool working = false;
  std::string ledger_problem;
  std::string work_problem;
  std::string space_problem;
  asio::steady_timer deadline;
  asio::steady_timer minute;
  asio::steady_timer reopening;
  asio::steady_timer work_retry;
  asio::steady_timer space_retry;
  mutable std::mutex figures_mutex;  // figures are read by the health endpoint's thread
  Figures figures;

  Result<void> open();
  void reopen_later(const Error& error);
  void schedule();
  void drain();
  bool decide(std::vector<Waiting>& batch);
  void answer(const round::Answer& answer, const Reply& reply);
  void take_evaluation(const EvaluationReported& reported, const Reply& reply);
  round::Tick surroundings();
  void settle();
  void forget_evaluations();
  void tell_agendas();
  void start_work();
  void finish_work(const round::Work& task, Result<Digest> outcome);
  void check_spool();
  void check_space();
  void sweep();
  void arm_deadline();
  void arm_minute();
  void flush_strangers();
  void update_figures();
  std::string problem() const;
  Scenery scenery() const;
};

Result<void> Control::State::open() {
  storage = open_storage(store.ledger_folder());
  auto opened = Core::open(*storage, settings.federation, settings.coordinator_uri, key,
                           [this](TimePoint last_entry) {
                             clock.emplace(last_entry);
                             return clock->now();
                           });
  if (!opened) return opened.error();
  core.emplace(std::move(*opened));
  ledger_problem.clear();
  return ok();
}

// The disk failed: nothing is decided until the ledger was read again from what is really there.
void Control::State::reopen_later(const Error& error) {
  core.reset();
  ledger_problem = error.detail;
  log_error("the ledger cannot be written: no decisions until it can", {{"reason", error.detail}});
  update_figures();
  reopening.expires_after(settings.reopen_every);
  reopening.async_wait([self = shared_from_this()](boost::system::error_code failure) {
    if (failure || self->stopped) return;
    if (auto opened = self->open(); !opened) return self->reopen_later(opened.error());
    log_info("the ledger is open again", {{"entries", self->core->log().size()}});
    self->check_spool();
    self->schedule();
  });
}

void Control::State::schedule() {
  if (drain_posted || stopped) return;
  drain_posted = true;
  asio::post(thread, [self = shared_from_this()] { self->drain(); });
}

void Control::State::drain() {
  drain_posted = false;
  if (stopped) return;
  const std::size_t size = std::min(waiting.size(), batch_max);
  std::vector<Waiting> batch(
      std::make_move_iterator(waiting.begin()),
      std::make_move_iterator(waiting.begin() + static_cast<std::ptrdiff_t>(size)));
  waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(size));
  if (!waiting.empty()) schedule();
  if (!core) {
    for (const Waiting& one : batch) {
      if (!one.reply) continue;
      if (std::holds_alternative<StatusAsked>(one.question)) {
        protocol::Status status;
        status.federation = settings.federation;
        status.phase = "stopped";
        status.problem = problem();
        one.reply(std::move(status));
      } else {
        one.reply(protocol::Answer{Verdict::busy, "the ledger cannot be written: " + ledger_problem,
                                   std::nullopt});
      }
    }
    return;
  }
  if (decide(batch)) settle();
}

// Whether the decisions are durable.
bool Control::State::decide(std::vector<Waiting>& batch) {
  std::vector<round::Event> events;
  std::vector<const Reply*> replies;
  for (Waiting& one : batch) {
    if (auto* event = std::get_if<round::Event>(&one.question)) {
      events.push_back(std::move(*event));
      replies.push_back(&one.reply);
    } else if (const auto* reported = std::get_if<EvaluationReported>(&one.question)) {
      take_evaluation(*reported, one.reply);
    }
  }
  check_space();
  auto outcome = core->handle(events, surroundings(), clock->now());
  if (!outcome) {
    for (const Reply* reply : replies) {
      if (*reply) {
        (*reply)(protocol::Answer{Verdict::busy, "not recorded: " + outcome.error().detail,
                                  std::nullopt});
      }
    }
    reopen_later(outcome.error());
    return false;
  }
  for (const ledger::Entry& entry : outcome->entries) log_entry(entry);
  for (std::size_t i = 0; i < replies.size(); ++i) answer(outcome->answers[i], *replies[i]);
  for (const Waiting& one : batch) {
    if (std::holds_alternative<StatusAsked>(one.question)) {
      one.reply(status_message(core->state(), core->log().size(), scenery()));
    }
  }
  return true;
}

void Control::State::answer(const round::Answer& given, const Reply& reply) {
  if (!reply) return;
  auto message = answer_message(*core, given);
  if (!message) {
    reply(protocol::Answer{Verdict::busy, message.error().detail, std::nullopt});
    return;
  }
  reply(std::move(*message));
}

void Control::State::take_evaluation(const EvaluationReported& reported, const Reply& reply) {
  const protocol::ReportEvaluation& report = reported.report;
  const Verdict verdict = round::admit_evaluation(core->state(), reported.from, report.plan,
                                                  report.round, report.model);
  if (verdict == Verdict::accepted) {
    evaluations[reported.from] = round::Evaluation{report.examples, report.metrics};
  }
  if (reply) reply(protocol::Answer{verdict, {}, std::nullopt});
}

round::Tick Control::State::surroundings() {
  round::Tick tick;
  tick.evaluations = evaluations;
  if (!space_problem.empty()) return tick;  // nobody is asked before there is room for the answers
  for (const auto& [id, peer] : peers) {
    if (peer.connection.identity.role == Role::participant)
      tick.available.insert(peer.connection.identity.name);
  }
  return tick;
}

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

void Control::State::tell_agendas() {
  const TimePoint now = clock->now();
  std::set<std::string> evaluated;
  for (const auto& [name, evaluation] : evaluations) evaluated.insert(name);
  for (auto& [id, peer] : peers) {
    if (peer.connection.identity.role != Role::participant) continue;
    round::Agenda agenda = round::agenda(core->state(), peer.connection.identity.name, evaluated);
    if (peer.told == agenda) continue;
    auto message = agenda_message(*core, store, agenda, now);
    if (!message) {
      work_problem = "an agenda cannot be told: " + message.error().detail;
      log_error("agenda cannot be told", {{"participant", peer.connection.identity.name},
                                          {"reason", message.error().detail}});
      continue;
    }
    peer.connection.send(std::move(*message));
    peer.told = std::move(agenda);
  }
}

void Control::State::start_work() {
  if (working || stopped) return;
  const round::Work task = round::due(core->state());
  if (std::holds_alternative<std::monostate>(task)) return;
  working = true;
  running = task;
  asio::post(pool, [self = shared_from_this(), task] {
    const Digest plan_digest = std::holds_alternative<round::Aggregate>(task)
                                   ? std::get<round::Aggregate>(task).plan
                                   : std::get<round::PrepareModel>(task).plan;
    auto plan = self->store.plan(plan_digest);
    Result<Digest> outcome = !plan ? Result<Digest>(plan.error())
                             : std::holds_alternative<round::Aggregate>(task)
                                 ? aggregate(self->store, *plan, std::get<round::Aggregate>(task))
                                 : prepare_model(self->store, *plan);
    asio::post(self->thread, [self, task, outcome] { self->finish_work(task, outcome); });
  });
}

void Control::State::finish_work(const round::Work& task, Result<Digest> outcome) {
  if (stopped) return;
  if (!outcome) {
    work_problem = outcome.error().detail;
    log_error("work in the background failed; it is tried again", {{"reason", work_problem}});
    update_figures();
    if (core && outcome.error().code == Errc::not_found) check_spool();
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
    event = round::AggregateStored{aggregated->plan, aggregated->round, *outcome};
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
    auto digest = digest_of_file(store.update_path(name, acceptance.update));
    if (digest && *digest == acceptance.update) continue;
    log_warning("an accepted update is missing or damaged: asked for again",
                {{"participant", name}, {"round", round->round}});
    static_cast<void>(remove_file(store.update_path(name, acceptance.update)));
    waiting.push_back(
        Waiting{round::Event(round::UpdateLost{name, round->round, acceptance.update}), {}});
  }
}

void Control::State::check_space() {
  const auto* phase = std::get_if<round::Recruiting>(&core->state().phase);
  space_problem.clear();
  if (phase == nullptr) return;
  const round::PlanRecord& plan = core->state().plans.at(phase->plan);
  std::error_code failure;
  const std::uint64_t model = std::filesystem::file_size(store.model_path(*plan.model), failure);
  if (failure) return;
  const std::uint64_t needed = model * (plan.rules.cohort + 1ULL) + space_reserve_bytes;
  auto free = free_space_bytes(store.folder());
  if (!free || *free >= needed) return;
  space_problem = "disk full: a round needs " + std::to_string(needed >> 20U) + " MiB in " +
                  store.folder().string() + ", " + std::to_string(*free >> 20U) + " MiB are free";
  log_warning("no round is opened", {{"reason", space_problem}});
  space_retry.expires_after(work_retried_after);
  space_retry.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
    if (!cancelled && !self->stopped) self->schedule();
  });
}

void Control::State::sweep() {
  const round::State& state = core->state();
  const bool collecting = std::holds_alternative<round::Collecting>(state.phase);
  auto swept = store.sweep(round::needed_updates(state), collecting, round::needed_models(state),
                           settings.models_kept);
  if (!swept) log_warning("old files cannot be removed", {{"reason", swept.error().detail}});
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

void Control::State::arm_minute() {
  minute.expires_after(refusals_recorded_every);
  minute.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
    if (cancelled || self->stopped) return;
    self->flush_strangers();
    self->arm_minute();
  });
}

void Control::State::flush_strangers() {
  for (const auto& [cause, count] : strangers) {
    waiting.push_back(Waiting{round::Event(round::ConnectionsRefused{{}, cause, count}), {}});
  }
  if (!strangers.empty()) schedule();
  strangers.clear();
}

std::string Control::State::problem() const {
  if (!ledger_problem.empty()) return "the ledger cannot be written: " + ledger_problem;
  return !space_problem.empty() ? space_problem : work_problem;
}

Scenery Control::State::scenery() const {
  Scenery scenery;
  for (const auto& [id, peer] : peers) {
    if (peer.connection.identity.role == Role::participant) {
      scenery.connected.insert(peer.connection.identity.name);
    }
  }
  for (const auto& [name, evaluation] : evaluations) scenery.evaluated.insert(name);
  scenery.uploads = uploads;
  scenery.problem = problem();
  scenery.now = clock->now();
  return scenery;
}

void Control::State::update_figures() {
  const std::lock_guard lock(figures_mutex);
  figures.connections = peers.size();
  figures.problem = problem();
  figures.phase = core ? std::string(round::name_of(core->state().phase)) : "stopped";
  if (!core) return;
  figures.ledger_entries = core->log().size();
  figures.rounds_committed = 0;
  for (const auto& [digest, plan] : core->state().plans)
    figures.rounds_committed += plan.rounds.size();
}

// --- the door

Control::Control(asio::io_context& thread, asio::thread_pool& work, const Store& store,
                 ControlSettings settings, crypto::PrivateKey ledger_key)
    : state_(std::make_shared<State>(thread, work, store, std::move(settings),
                                     std::move(ledger_key))) {}

Control::~Control() = default;

Result<void> Control::start() {
  if (auto opened = state_->open(); !opened) return opened;
  state_->check_spool();
  state_->arm_minute();
  state_->schedule();
  return ok();
}

void Control::ask(Question question, Reply reply) {
  asio::post(state_->thread, [state = state_, question = std::move(question),
                              reply = std::move(reply)]() mutable {
    if (state->stopped) {
      if (reply)
        reply(protocol::Answer{Verdict::busy, "the coordinator is stopping", std::nullopt});
      return;
    }
    state->waiting.push_back(State::Waiting{std::move(question), std::move(reply)});
    state->schedule();
  });
}

void Control::connected(Connection connection) {
  asio::post(state_->thread, [state = state_, connection = std::move(connection)]() mutable {
    for (const auto& [id, peer] : state->peers) {
      if (peer.connection.identity == connection.identity &&
          connection.identity.role == Role::participant) {
        peer.connection.close("another session with this certificate's identity was opened");
      }
    }
    std::erase_if(state->peers, [&](const auto& item) {
      return item.second.connection.identity == connection.identity &&
             connection.identity.role == Role::participant;
    });
    const std::uint64_t id = connection.id;
    state->peers.emplace(id, State::Peer{std::move(connection), std::nullopt});
    state->schedule();
  });
}

void Control::disconnected(std::uint64_t id) {
  asio::post(state_->thread, [state = state_, id] {
    state->peers.erase(id);
    state->schedule();
  });
}

void Control::progress(UploadProgress progress) {
  asio::post(state_->thread, [state = state_, progress = std::move(progress)] {
    state->uploads[progress.participant] = progress;
  });
}

void Control::refused(std::string member, std::string cause) {
  asio::post(state_->thread, [state = state_, member = std::move(member),
                              cause = std::move(cause)]() mutable {
    if (!member.empty()) {
      state->waiting.push_back(State::Waiting{
          round::Event(round::ConnectionsRefused{std::move(member), std::move(cause), 1}), {}});
      state->schedule();
    } else if (state->strangers.contains(cause) || state->strangers.size() < causes_max) {
      ++state->strangers[cause];
    } else {
      ++state->strangers["other"];
    }
  });
}

Figures Control::figures() const {
  const std::lock_guard lock(state_->figures_mutex);
  return state_->figures;
}

void Control::stop() {
  if (state_->stopped) return;
  state_->flush_strangers();
  state_->drain();
  state_->stopped = true;
  state_->deadline.cancel();
  state_->minute.cancel();
  state_->reopening.cancel();
  state_->work_retry.cancel();
  state_->space_retry.cancel();
}

}  // namespace entente::coordinator
