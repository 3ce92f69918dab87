// SPDX-License-Identifier: Apache-2.0
//
// Training and evaluation: what the daemon does with a task of the agenda.
#include <utility>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "participant/run.hpp"

namespace entente::participant {
namespace {

// Verdicts that the same bits would meet again, so that waiting for them is in vain.
bool is_final(Verdict verdict) {
  return verdict == Verdict::malformed || verdict == Verdict::not_finite ||
         verdict == Verdict::norm_over_limit || verdict == Verdict::examples_over_limit;
}

// What the plan has told of the number of rows: nothing when all weigh the same.
std::optional<std::uint64_t> examples_told(const plan::Plan& plan, std::uint64_t examples) {
  if (plan.rules.weighting != plan::Weighting::examples) return std::nullopt;
  return examples;
}

}  // namespace

net::Async<Next> Run::do_train(protocol::Train task) {
  const std::uint64_t entry = task.opening.index;
  if (settled_entries_.contains(entry)) co_return Next::settled;
  if (auto proved = check_opening(member_.trust, task); !proved) {
    co_return in_context("the opening of round " + std::to_string(task.round), proved.error());
  }
  const WorkName work{task.plan, task.round, task.model};
  log_info("round received", {{"plan", task.plan.hex()},
                              {"round", task.round},
                              {"model", task.model.hex()},
                              {"entry", entry},
                              {"closes_in_ms", task.closes_in.count()}});
  const Result<PlanRef> plan = co_await plan_of_task(work, task.model_size_bytes);
  if (!plan) co_return co_await after_failure(work, entry, plan.error());
  Result<std::optional<FinishedUpdate>> finished = co_await find_update(work);
  if (!finished) co_return co_await after_failure(work, entry, finished.error());
  if (*finished) co_return co_await send_update(**finished, entry);

  const Result<void> model = co_await obtain_model(task.model, task.model_size_bytes);
  if (!model) co_return co_await after_failure(work, entry, model.error());
  WorkOrder order(*plan, task.round, task.model);
  order.time_max = member_.policy.ceilings.time_max;
  desk_.start_work(true, work, order.stop);
  const Result<FinishedUpdate> made = co_await make_update(std::move(order));
  desk_.finish_work();
  if (!made) co_return co_await after_failure(work, entry, made.error());
  made_ = *made;
  co_return co_await send_update(*made, entry);
}

net::Async<PlanRef> Run::plan_of_task(WorkName work, std::uint64_t model_size_bytes) {
  const Consent* given = journal_.consent(work.plan);
  if (given == nullptr) {
    co_return Error{Errc::rejected, "this institution has not consented to the plan"};
  }
  if (auto known = check_operator(member_.policy, given->operator_name); !known) {
    co_return known.error();
  }
  const Result<PlanRef> plan = co_await obtain_plan(work.plan, given->size_bytes);
  if (!plan) co_return plan.error();
  if (suitable_plan_ != work.plan) {
    const Result<void> fits = co_await check_here(*plan);
    if (!fits) co_return fits.error();
  }
  if (work.round < 1 || work.round > (*plan)->rules.rounds) {
    co_return Error{Errc::malformed, "round " + std::to_string(work.round) + " of a plan with " +
                                         std::to_string((*plan)->rules.rounds)};
  }
  if (model_size_bytes != suitability_.model_bytes) {
    co_return Error{Errc::malformed, "a model of " + std::to_string(model_size_bytes) +
                                         " bytes, expected " +
                                         std::to_string(suitability_.model_bytes)};
  }
  co_return *plan;
}

net::Async<std::optional<FinishedUpdate>> Run::find_update(WorkName work) {
  std::optional<FinishedUpdate> found;
  if (const FinishedUpdate* written = journal_.update(work)) {
    found = *written;
  } else if (made_ && made_->work == work) {
    found = *made_;
  } else {
    co_return found;
  }
  const Result<bool> there = co_await house_.workbench.has_update(found->update, found->size_bytes);
  if (!there) co_return there.error();
  if (!*there) found.reset();
  co_return found;
}

net::Async<void> Run::obtain_model(Digest model, std::uint64_t size_bytes) {
  const Result<bool> there = house_.workbench.has_model(model, size_bytes);
  if (!there) co_return there.error();
  if (*there) co_return ok();
  co_return co_await fetch(model, size_bytes, house_.workbench.model_file(model));
}

net::Async<FinishedUpdate> Run::make_update(WorkOrder order) {
  const PlanRef plan = order.plan;
  const WorkName work{plan->digest, order.round, order.model};
  const Result<TrainedUpdate> trained = co_await house_.workbench.train(std::move(order));
  if (!trained && trained.error().code == Errc::timed_out) {
    co_return Error{Errc::rejected, "training took longer than this institution allows"};
  }
  if (!trained) co_return trained.error();
  ++tally_.rounds_trained;
  tally_.last_loss = trained->loss;
  tally_.training_seconds += static_cast<double>(trained->took.count()) / 1000;
  log_info("trained", {{"plan", work.plan.hex()},
                       {"round", work.round},
                       {"loss", trained->loss},
                       {"seconds", static_cast<double>(trained->took.count()) / 1000},
                       {"norm", trained->norm},
                       {"update", trained->digest.hex()}});
  FinishedUpdate made;
  made.work = work;
  made.update = trained->digest;
  made.size_bytes = trained->size_bytes;
  made.examples = examples_told(*plan, trained->examples);
  made.norm = trained->norm;
  made.tensors = trained->tensors;
  co_return made;
}

net::Async<Next> Run::send_update(FinishedUpdate finished, std::uint64_t opening) {
  const WorkName work = finished.work;
  if (journal_.update(work) == nullptr || journal_.update(work)->update != finished.update) {
    if (!write_down(finished)) co_return Next::try_again;
  }
  protocol::OfferUpdate offer;
  offer.plan = work.plan;
  offer.round = work.round;
  offer.update = finished.update;
  offer.size_bytes = finished.size_bytes;
  offer.examples = finished.examples.value_or(1);
  auto uploading = house_.transport.upload(offer, house_.workbench.update_file(finished.update));
  const Result<protocol::Answer> answer =
      co_await net::with_deadline(transfer_max(finished.size_bytes), std::move(uploading));
  if (!answer) co_return answer.error();
  if (!is_success(answer->verdict)) {
    ++tally_.updates_refused;
    log_warning("the update was refused", {{"plan", work.plan.hex()},
                                           {"round", work.round},
                                           {"update", finished.update.hex()},
                                           {"verdict", to_string(answer->verdict)},
                                           {"reason", answer->reason}});
    if (may_pass_later(answer->verdict)) co_return Next::try_again;
    if (is_final(answer->verdict)) {
      co_return co_await decline_work(
          work, opening, "the update was refused: " + std::string(to_string(answer->verdict)));
    }
    settled_entries_.insert(opening);
    co_return Next::settled;
  }
  log_info("sent", {{"plan", work.plan.hex()},
                    {"round", work.round},
                    {"bytes", finished.size_bytes},
                    {"update", finished.update.hex()},
                    {"verdict", to_string(answer->verdict)}});
  if (auto proved = take_update_receipt(offer, *answer); !proved) {
    co_return in_context("the receipt of an update", proved.error());
  }
  tidy(work);
  co_return Next::settled;
}

Result<void> Run::take_update_receipt(const protocol::OfferUpdate& offer,
                                      const protocol::Answer& answer) {
  if (auto proved = check_update_receipt(member_.trust, offer, answer); !proved) return proved;
  ++tally_.receipts_checked;
  log_info("receipt checked",
           {{"plan", offer.plan.hex()}, {"round", offer.round}, {"entry", answer.receipt->index}});
  if (journal_.has_receipt(offer.update)) return ok();
  ++tally_.updates_accepted;
  tally_.update_bytes += offer.size_bytes;
  ReceiptKept kept;
  kept.plan = offer.plan;
  kept.round = offer.round;
  kept.update = offer.update;
  kept.file = "update-" + offer.update.hex() + ".tlog-proof";
  keep_receipt(std::move(kept), *answer.receipt);
  return ok();
}

net::Async<Next> Run::do_evaluate(protocol::Evaluate task) {
  const std::uint64_t entry = task.aggregation.index;
  if (settled_entries_.contains(entry)) co_return Next::settled;
  if (auto proved = check_aggregation(member_.trust, task); !proved) {
    co_return in_context("the candidate of round " + std::to_string(task.round), proved.error());
  }
  const WorkName work{task.plan, task.round, task.model};
  const Result<PlanRef> plan = co_await plan_of_task(work, task.model_size_bytes);
  if (!plan) co_return co_await after_failure(work, entry, plan.error());
  if (const FinishedEvaluation* told = journal_.evaluation(work)) {
    co_return co_await send_evaluation(*told, entry);
  }
  const Result<void> model = co_await obtain_model(task.model, task.model_size_bytes);
  if (!model) co_return co_await after_failure(work, entry, model.error());
  WorkOrder order(*plan, task.round, task.model);
  order.time_max = member_.policy.ceilings.time_max;
  desk_.start_work(false, work, order.stop);
  const Result<FinishedEvaluation> made = co_await make_evaluation(std::move(order));
  desk_.finish_work();
  if (!made) co_return co_await after_failure(work, entry, made.error());
  co_return co_await send_evaluation(*made, entry);
}

net::Async<FinishedEvaluation> Run::make_evaluation(WorkOrder order) {
  const PlanRef plan = order.plan;
  FinishedEvaluation made;
  made.work = WorkName{plan->digest, order.round, order.model};
  const Result<EvaluatedModel> evaluated = co_await house_.workbench.evaluate(std::move(order));
  if (!evaluated && evaluated.error().code == Errc::timed_out) {
    co_return Error{Errc::rejected, "evaluation took longer than this institution allows"};
  }
  if (!evaluated) co_return evaluated.error();
  made.examples = examples_told(*plan, evaluated->examples);
  made.metrics = evaluated->metrics;
  co_return made;
}

net::Async<Next> Run::send_evaluation(FinishedEvaluation finished, std::uint64_t entry) {
  const WorkName work = finished.work;
  if (journal_.evaluation(work) == nullptr && !write_down(finished)) co_return Next::try_again;
  protocol::ReportEvaluation report;
  report.plan = work.plan;
  report.round = work.round;
  report.model = work.model;
  report.examples = finished.examples.value_or(1);
  report.metrics = finished.metrics;
  protocol::Message message = std::move(report);
  const Result<protocol::Answer> answer = co_await ask(std::move(message));
  if (!answer) co_return answer.error();
  if (!is_success(answer->verdict)) {
    log_warning("the evaluation was not taken", {{"plan", work.plan.hex()},
                                                 {"round", work.round},
                                                 {"verdict", to_string(answer->verdict)},
                                                 {"reason", answer->reason}});
    if (may_pass_later(answer->verdict)) co_return Next::try_again;
    settled_entries_.insert(entry);
    co_return Next::settled;
  }
  ++tally_.evaluations;
  log_info("evaluated", {{"plan", work.plan.hex()}, {"round", work.round}});
  tidy(work);
  co_return Next::settled;
}

net::Async<Next> Run::after_failure(WorkName work, std::uint64_t entry, Error failure) {
  switch (failure.code) {
    case Errc::rejected:
      co_return co_await decline_work(work, entry, failure.detail);
    case Errc::cancelled: {
      const auto stop = co_await net::asio::this_coro::cancellation_state;
      if (stop.cancelled() != net::asio::cancellation_type::none) co_return failure;
      log_info("stopped: the coordinator no longer asks for this work",
               {{"plan", work.plan.hex()}, {"round", work.round}});
      co_return Next::settled;
    }
    case Errc::io:
    case Errc::corrupt:
    case Errc::not_found:
      log_warning("the work cannot be done yet",
                  {{"plan", work.plan.hex()}, {"round", work.round}, {"reason", failure.detail}});
      co_return Next::try_again;
    default:
      co_return failure;
  }
}

net::Async<Next> Run::decline_work(WorkName work, std::uint64_t entry, std::string reason) {
  reason = escaped(reason, told_max_bytes);
  log_warning("work is declined",
              {{"plan", work.plan.hex()}, {"round", work.round}, {"reason", reason}});
  const Decline declined{work.plan, work.round, reason};
  if (!write_down(declined)) co_return Next::try_again;
  settled_entries_.insert(entry);
  protocol::DeclineWork decline;
  decline.plan = work.plan;
  decline.round = work.round;
  decline.reason = std::move(reason);
  protocol::Message message = std::move(decline);
  const Result<protocol::Answer> told = co_await ask(std::move(message));
  if (!told) co_return told.error();
  co_return Next::settled;
}

// The last two rounds' files stay: the round may be opened again.
void Run::tidy(const WorkName& work) {
  constexpr std::size_t rounds_kept = 2;
  std::set<Digest> models{work.model};
  std::set<Digest> updates;
  const auto& finished = journal_.updates();
  for (std::size_t i = 0; i < finished.size() && i < rounds_kept; ++i) {
    const FinishedUpdate& recent = finished[finished.size() - 1 - i];
    models.insert(recent.work.model);
    updates.insert(recent.update);
  }
  house_.workbench.keep_only(models, updates);
}

}  // namespace entente::participant
