// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/shell.hpp"

#include <algorithm>

#include "protocol/limits.hpp"
#include "tests/simulation/cast.hpp"

namespace entente::simulation {
namespace {

constexpr std::size_t batch_max = 256;
constexpr seconds reopen_every{2};
constexpr milliseconds head_stored_after{200};
constexpr seconds work_retried_after{2};
constexpr milliseconds work_in_calm_most{3'000};
constexpr std::uint64_t model_bytes = 64U << 10U;

std::string short_name(const Digest& digest) {
  return digest.short_hex();
}

protocol::Answer busy(const std::string& why) {
  return {Verdict::busy, why, std::nullopt, 0};
}

const round::Collecting* collected(const round::State& state) {
  if (const auto* closed = std::get_if<round::Aggregating>(&state.phase)) return &closed->collected;
  return std::get_if<round::Collecting>(&state.phase);
}

std::string task_text(const round::Work& task) {
  if (const auto* prepare = std::get_if<round::PrepareModel>(&task)) {
    return "first model of " + short_name(prepare->plan);
  }
  const auto* aggregate = std::get_if<round::Aggregate>(&task);
  if (aggregate == nullptr) return "nothing";
  return "aggregate of round " + std::to_string(aggregate->round) + " from " +
         std::to_string(aggregate->updates.size());
}

}  // namespace

Shell::Shell(Stage& stage, Premises& premises, Auditor& auditor)
    : stage_(stage), premises_(premises), auditor_(auditor), deadline_(stage.time.executor()) {}

TimePoint Shell::now() const {
  return clock_start_ + std::chrono::duration_cast<Duration>(net::now() - clock_started_);
}

// Calls `act` later, unless the process is gone by then.
void Shell::later(milliseconds wait, void (Shell::*act)()) {
  stage_.after(wait, [weak = weak_from_this(), act] {
    const auto self = weak.lock();
    if (self && self->is_up()) (*self.*act)();
  });
}

Result<void> Shell::start() {
  if (auto opened = open(); !opened) return opened;
  check_spool();
  schedule();
  return ok();
}

Result<void> Shell::open() {
  const Cast& cast = the_cast();
  auto opened = coordinator::Core::open(premises_.ledger, cast.federation, cast.coordinator_uri,
                                        cast.ledger_key, [this](TimePoint last_entry) {
                                          clock_start_ = std::max(
                                              last_entry, stage_.utc() + premises_.clock_error);
                                          clock_started_ = net::now();
                                          return clock_start_;
                                        });
  if (!opened) return opened.error();
  core_.emplace(std::move(*opened));
  healthy_since_ = net::now();
  const ledger::Recovery& recovery = core_->log().recovery();
  if (recovery.bytes_cut > 0) stage_.count("torn tail cut");
  if (recovery.entries_kept > 0) stage_.count("entries kept without a head");
  stage_.note("coordinator", "ledger open",
              std::to_string(core_->log().size()) + " entries, cut " +
                  std::to_string(recovery.bytes_cut) + " bytes");
  auditor_.reopened(*core_, premises_.ledger, !started_);
  started_ = true;
  return ok();
}

// The disk failed: nothing is decided until the ledger was read again from what is really there.
void Shell::reopen_later(const Error& error) {
  core_.reset();
  healthy_since_.reset();
  stage_.note("coordinator", "ledger failed", error.detail);
  stage_.count("ledger failed");
  later(reopen_every, &Shell::reopen);
}

void Shell::reopen() {
  if (auto opened = open(); !opened) {
    if (opened.error().code != Errc::io) {
      stage_.violate("the ledger is refused after a disk failure: " + opened.error().detail);
    }
    reopen_later(opened.error());
    return;
  }
  check_spool();
  schedule();
}

void Shell::store_head() {
  head_posted_ = false;
  if (!core_ || core_->store_head() || !is_up()) return;
  head_posted_ = true;
  later(reopen_every, &Shell::store_head);
}

void Shell::ask(Question question, Reply reply) {
  waiting_.push_back({std::move(question), std::move(reply)});
  schedule();
}

void Shell::schedule() {
  if (drain_posted_) return;
  drain_posted_ = true;
  const milliseconds most = stage_.calm ? milliseconds(2) : stage_.weather.slow_disk;
  later(stage_.between(milliseconds(1), std::max(most, milliseconds(5))), &Shell::drain);
}

void Shell::drain() {
  drain_posted_ = false;
  const auto size = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), batch_max));
  std::vector<Waiting> batch(std::make_move_iterator(waiting_.begin()),
                             std::make_move_iterator(waiting_.begin() + size));
  waiting_.erase(waiting_.begin(), waiting_.begin() + size);
  if (!waiting_.empty()) schedule();
  if (!core_) {
    for (const Waiting& one : batch) {
      if (one.reply) one.reply(busy("the ledger cannot be written"));
    }
    return;
  }
  if (decide(batch)) settle();
}

bool Shell::decide(std::vector<Waiting>& batch) {
  std::vector<round::Event> events;
  std::vector<const Reply*> replies;
  for (Waiting& one : batch) {
    if (auto* event = std::get_if<round::Event>(&one.question)) {
      events.push_back(std::move(*event));
      replies.push_back(&one.reply);
    } else {
      take_evaluation(std::get<EvaluationReported>(one.question), one.reply);
    }
  }
  auto outcome = core_->handle(events, surroundings(), now());
  if (!is_up()) return false;  // died while writing: nobody hears anything
  if (!outcome) {
    for (const Reply* reply : replies) {
      if (*reply) (*reply)(busy("not recorded"));
    }
    reopen_later(outcome.error());
    return false;
  }
  auditor_.look(*core_, premises_.ledger);
  if (!core_->log().head_is_stored() && !head_posted_) {
    head_posted_ = true;
    later(head_stored_after, &Shell::store_head);
  }
  for (std::size_t i = 0; i < events.size(); ++i)
    answer(events[i], outcome->answers[i], *replies[i]);
  return true;
}

void Shell::answer(const round::Event& event, const round::Answer& given, const Reply& reply) {
  protocol::Answer message{given.verdict, given.reason, std::nullopt, 0};
  if (given.receipt) {
    auto receipt = ledger::make_receipt(core_->log(), *given.receipt);
    if (!receipt) {
      if (receipt.error().code != Errc::io) {
        stage_.violate("an entry just written cannot be proved: " + receipt.error().detail);
      }
      if (reply) reply(busy(receipt.error().detail));
      return;
    }
    message.receipt = std::move(*receipt);
    auditor_.given(*message.receipt);
  }
  auditor_.answered(event, message);
  stage_.count("answer: " + std::string(to_string(given.verdict)));
  if (reply) reply(message);
}

void Shell::take_evaluation(const EvaluationReported& reported, const Reply& reply) {
  const protocol::ReportEvaluation& report = reported.report;
  const round::EvaluationOffered offered{
      reported.from, report.plan, report.round, report.model, {report.examples, report.metrics}};
  const round::Answer given = round::admit_evaluation(core_->state(), offered);
  if (given.verdict == Verdict::accepted) evaluations_[reported.from] = offered.evaluation;
  if (reply) reply({given.verdict, given.reason, std::nullopt, 0});
}

round::Tick Shell::surroundings() const {
  round::Tick tick;
  tick.evaluations = evaluations_;
  for (const auto& [id, peer] : peers_) tick.available.insert(peer.connection->participant());
  return tick;
}

// Brings the world in line with the state.
void Shell::settle() {
  forget_evaluations();
  start_work();
  tell_agendas();
  sweep();
  arm_deadline();
}

void Shell::forget_evaluations() {
  const auto* phase = std::get_if<round::Evaluating>(&core_->state().phase);
  const std::optional<Digest> candidate = phase ? std::optional(phase->candidate) : std::nullopt;
  if (candidate == evaluated_model_) return;
  evaluated_model_ = candidate;
  evaluations_.clear();
}

void Shell::tell_agendas() {
  std::set<std::string> evaluated;
  for (const auto& [name, evaluation] : evaluations_) evaluated.insert(name);
  for (auto& [id, peer] : peers_) {
    const std::string& name = peer.connection->participant();
    round::Agenda agenda = round::agenda(core_->state(), name, evaluated);
    if (peer.told == agenda) continue;
    auto message = agenda_message(agenda);
    if (!message) {
      stage_.note("coordinator", "agenda cannot be told", message.error().detail);
      if (message.error().code != Errc::io) stage_.violate(message.error().detail);
      continue;
    }
    peer.connection->down([connection = peer.connection, message = std::move(*message)] {
      connection->put_agenda(message);
    });
    peer.told = std::move(agenda);
  }
}

Result<protocol::Agenda> Shell::agenda_message(const round::Agenda& agenda) {
  protocol::Agenda message;
  for (const Digest& digest : agenda.plans) {
    if (message.plans.size() == protocol::plans_told_max) break;
    const round::PlanRecord& plan = core_->state().plans.at(digest);
    message.plans.push_back({digest, plan.size_bytes,
                             from_base64(plan.operator_certificate).value(),
                             from_base64(plan.operator_signature).value()});
  }
  const auto closes_in = [this](TimePoint at) {
    return std::chrono::duration_cast<milliseconds>(std::max(at - now(), Duration{0}));
  };
  if (const auto* train = std::get_if<round::TrainTask>(&agenda.work)) {
    auto receipt = ledger::make_receipt(core_->log(), train->opening);
    if (!receipt) return receipt.error();
    auditor_.given(*receipt);
    message.work = protocol::Train{
        train->plan,        train->round, train->model, model_bytes, closes_in(train->closes_at),
        std::move(*receipt)};
  } else if (const auto* evaluate = std::get_if<round::EvaluateTask>(&agenda.work)) {
    auto receipt = ledger::make_receipt(core_->log(), evaluate->aggregation);
    if (!receipt) return receipt.error();
    auditor_.given(*receipt);
    message.work = protocol::Evaluate{evaluate->plan,
                                      evaluate->round,
                                      evaluate->model,
                                      model_bytes,
                                      closes_in(evaluate->closes_at),
                                      std::move(*receipt)};
  }
  return message;
}

void Shell::start_work() {
  if (working_) return;
  const round::Work task = round::due(core_->state());
  if (std::holds_alternative<std::monostate>(task)) return;
  working_ = true;
  stage_.note("coordinator", "begins", task_text(task));
  // The files are opened at the beginning: what becomes of them later does not matter any more.
  stage_.after(
      stage_.between(milliseconds(1), stage_.calm ? work_in_calm_most : stage_.weather.slow_work),
      [weak = weak_from_this(), task, outcome = work_on(task)] {
        const auto self = weak.lock();
        if (self && self->is_up()) self->finish_work(task, outcome);
      });
}

Result<Digest> Shell::work_on(const round::Work& task) const {
  if (const auto* prepare = std::get_if<round::PrepareModel>(&task)) {
    return initial_model(prepare->plan);
  }
  const auto& aggregate = std::get<round::Aggregate>(task);
  std::map<std::string, Share> shares;
  for (const auto& [name, acceptance] : aggregate.updates) {
    const auto file = premises_.spool.find({name, acceptance.update});
    if (file == premises_.spool.end() || !file->second.whole()) {
      return Error{Errc::not_found, "the update of " + name + " is not in the spool"};
    }
    Share share{acceptance.update, acceptance.examples};
    if (file->second.damaged) share.update = Digest{};  // other bytes, another sum
    shares.emplace(name, share);
  }
  return aggregated_model(aggregate.model, shares);
}

void Shell::finish_work(const round::Work& task, const Result<Digest>& outcome) {
  if (!outcome) {
    stage_.note("coordinator", "work failed", outcome.error().detail);
    if (core_ && outcome.error().code == Errc::not_found) check_spool();
    later(work_retried_after, &Shell::retry_work);
    return;
  }
  working_ = false;
  premises_.models.insert(*outcome);
  round::Event event = round::Tick{};
  if (const auto* prepared = std::get_if<round::PrepareModel>(&task)) {
    event = round::ModelPrepared{prepared->plan, *outcome};
  } else if (const auto* aggregated = std::get_if<round::Aggregate>(&task)) {
    event = round::AggregateStored{aggregated->plan, aggregated->round,
                                   round::sequences(aggregated->updates), *outcome};
  }
  ask(std::move(event), {});
}

void Shell::retry_work() {
  working_ = false;
  if (core_) settle();
}

void Shell::check_spool() {
  const round::Collecting* round = collected(core_->state());
  if (round == nullptr) return;
  for (const auto& [name, acceptance] : round->accepted) {
    const auto file = premises_.spool.find({name, acceptance.update});
    if (file != premises_.spool.end() && file->second.whole() && !file->second.damaged) continue;
    if (file != premises_.spool.end()) premises_.spool.erase(file);
    stage_.note("coordinator", "spool has lost", name + " " + short_name(acceptance.update));
    stage_.count("accepted update lost");
    ask(round::Event(round::UpdateLost{name, round->round, acceptance.update}), {});
  }
}

void Shell::lose_spool_file() {
  if (premises_.spool.empty()) return;
  auto file = premises_.spool.begin();
  std::advance(file, static_cast<std::ptrdiff_t>(stage_.random.below(premises_.spool.size())));
  stage_.note("coordinator", "a file of the spool breaks", file->first.first);
  // What is still coming is hashed again when it goes on; what is whole is read once more, and only
  // its absence is noticed.
  if (!file->second.whole() && file->second.have_bytes > 0) {
    file->second.damaged = true;
  } else {
    premises_.spool.erase(file);
  }
}

void Shell::sweep() {
  if (std::holds_alternative<round::Collecting>(core_->state().phase)) return;
  const std::set<Digest> needed = round::needed_updates(core_->state());
  std::erase_if(premises_.spool,
                [&](const auto& item) { return !needed.contains(item.first.second); });
}

void Shell::arm_deadline() {
  const TimePoint present = now();
  const auto next = round::next_deadline(core_->state(), present);
  deadline_.cancel();
  if (!next) return;
  deadline_.expires_after(*next - present);
  deadline_.when_expired([weak = weak_from_this()](bool expired) {
    const auto self = weak.lock();
    if (expired && self && self->is_up()) self->schedule();
  });
}

}  // namespace entente::simulation
