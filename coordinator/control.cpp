// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control.hpp"

#include "common/base/log.hpp"
#include "coordinator/control_state.hpp"

namespace entente::coordinator {
namespace {

constexpr std::size_t batch_max = 256;
constexpr std::chrono::seconds refusals_recorded_every{60};
constexpr std::chrono::milliseconds head_stored_after{200};
constexpr std::size_t causes_max = 16;  // kinds of strangers counted apart in one minute

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

// No round is under way.
bool is_at_rest(const round::Phase& phase) {
  return std::holds_alternative<round::Idle>(phase) ||
         std::holds_alternative<round::Recruiting>(phase);
}

}  // namespace

Result<void> Control::State::open() {
  storage = open_storage(store.ledger_folder());
  auto opened = Core::open(*storage, settings.federation, settings.coordinator_uri, key,
                           [this](TimePoint last_entry) {
                             clock.emplace(last_entry);
                             return clock->now();
                           });
  if (!opened) return opened.error();
  core.emplace(std::move(*opened));
  all_to_tell = true;
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
        one.reply(status_without_core());
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
  const bool may_open = check_space();
  const bool looked = may_open || std::holds_alternative<round::Recruiting>(core->state().phase);
  const std::size_t phase_before = core->state().phase.index();
  auto outcome = core->handle(events, surroundings(may_open), clock->now());
  if (!outcome) {
    for (const Reply* reply : replies) {
      if (*reply) {
        (*reply)(protocol::Answer{Verdict::busy, "not recorded: " + outcome.error().detail,
                                  std::nullopt});
      }
    }
    reopen_later(outcome.error());
    for (const Waiting& one : batch) {
      if (std::holds_alternative<StatusAsked>(one.question)) one.reply(status_without_core());
    }
    return false;
  }
  if (!looked && std::holds_alternative<round::Recruiting>(core->state().phase)) schedule();
  keep_head();
  note_agendas(outcome->entries);
  if (core->state().phase.index() != phase_before) all_to_tell = true;
  for (const ledger::Entry& entry : outcome->entries) log_entry(entry);
  for (std::size_t i = 0; i < replies.size(); ++i) answer(outcome->answers[i], *replies[i]);
  for (const Waiting& one : batch) {
    if (std::holds_alternative<StatusAsked>(one.question)) {
      one.reply(status_message(core->state(), core->log().size(), scenery()));
    }
  }
  return true;
}

protocol::Status Control::State::status_without_core() const {
  protocol::Status status;
  status.federation = settings.federation;
  status.phase = "stopped";
  status.problem = problem();
  return status;
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
  const round::EvaluationOffered offered{
      reported.from, report.plan, report.round, report.model, {report.examples, report.metrics}};
  const round::Answer given = round::admit_evaluation(core->state(), offered);
  if (given.verdict == Verdict::accepted) {
    evaluations[reported.from] = offered.evaluation;
    to_tell.insert(reported.from);
  }
  if (reply) reply(protocol::Answer{given.verdict, given.reason, std::nullopt});
}

round::Tick Control::State::surroundings(bool may_open) {
  round::Tick tick;
  tick.evaluations = evaluations;
  tick.may_open = may_open;
  // Who is there matters where a round opens or is evaluated: not to each update that arrives.
  if (!std::holds_alternative<round::Collecting>(core->state().phase)) tick.available = present();
  return tick;
}

void Control::State::arm_minute() {
  minute.expires_after(refusals_recorded_every);
  minute.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
    if (cancelled || self->stopped) return;
    self->flush_strangers();
    self->arm_minute();
  });
}

// Answers carry the latest head. The file `checkpoint` follows: at once when no round is under way,
// otherwise soon, for all that happened meanwhile.
void Control::State::keep_head() {
  if (core->log().head_is_stored()) return;
  if (is_at_rest(core->state().phase) && core->store_head()) return;
  if (!head_due) keep_head_in(head_stored_after);
}

void Control::State::keep_head_in(std::chrono::milliseconds wait) {
  head_due = true;
  head.expires_after(wait);
  head.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
    self->head_due = false;
    if (cancelled || self->stopped || !self->core) return;
    const Result<void> stored = self->core->store_head();
    if (stored) return;
    log_warning("the ledger's head cannot be stored; it is tried again",
                {{"reason", stored.error().detail}});
    self->keep_head_in(self->settings.reopen_every);
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

std::set<std::string> Control::State::present() const {
  std::set<std::string> names;
  for (const auto& [name, peer] : peers) names.insert(names.end(), name);
  return names;
}

Scenery Control::State::scenery() const {
  Scenery scenery;
  scenery.connected = present();
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
                 Layouts& layouts, ControlSettings settings, crypto::PrivateKey ledger_key)
    : state_(std::make_shared<State>(thread, work, store, layouts, std::move(settings),
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
    const std::string name = connection.identity.name;
    if (const auto former = state->peers.find(name); former != state->peers.end()) {
      former->second.connection.close(
          "another session with this certificate's identity was opened");
    }
    state->peers.insert_or_assign(name, State::Peer{std::move(connection), std::nullopt});
    state->to_tell.insert(name);
    state->schedule();
  });
}

void Control::disconnected(std::uint64_t id) {
  asio::post(state_->thread, [state = state_, id] {
    std::erase_if(state->peers, [id](const auto& item) { return item.second.connection.id == id; });
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
  if (state_->core) {
    if (auto stored = state_->core->store_head(); !stored)
      log_error("the ledger's last head cannot be stored", {{"reason", stored.error().detail}});
  }
  state_->stopped = true;
  state_->deadline.cancel();
  state_->minute.cancel();
  state_->reopening.cancel();
  state_->head.cancel();
  state_->work_retry.cancel();
  state_->space_retry.cancel();
}

}  // namespace entente::coordinator
