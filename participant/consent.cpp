// SPDX-License-Identifier: Apache-2.0
//
// Plans: what the daemon does with one that the coordinator offers.
#include <utility>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/ledger/statement.hpp"
#include "participant/run.hpp"

namespace entente::participant {
namespace {

// A passing trouble of this machine: neither a refusal nor the coordinator's fault.
bool is_passing(const Error& error) {
  return error.code == Errc::io || error.code == Errc::not_found;
}

}  // namespace

net::Async<Next> Run::consider_plan(protocol::PlanToConsider offered) {
  const Digest digest = offered.plan;
  if (waiting_for_approval_.contains(digest) && !house_.workbench.is_approved(digest)) {
    again_in(approval_poll);
    co_return Next::try_again;
  }
  const auto operator_name = check_operator_signature(member_.trust, offered, member_.utc_clock());
  if (!operator_name) {
    ++tally_.alarms;
    log_error("ALARM: a plan that no operator signed",
              {{"plan", digest.hex()}, {"reason", operator_name.error().detail}});
    co_return co_await decline_plan(digest, operator_name.error().detail);
  }
  if (const auto known = check_operator(member_.policy, *operator_name); !known) {
    co_return co_await decline_plan(digest, known.error().detail);
  }
  const Result<PlanRef> plan = co_await obtain_plan(digest, offered.size_bytes);
  if (!plan && plan.error().code == Errc::rejected) {
    co_return co_await decline_plan(digest, plan.error().detail);
  }
  if (!plan && is_passing(plan.error())) {
    log_warning("the plan cannot be had yet",
                {{"plan", digest.hex()}, {"reason", plan.error().detail}});
    again_in(retry_after);
    co_return Next::try_again;
  }
  if (!plan) co_return plan.error();
  const bool consented_before = journal_.consent(digest) != nullptr;
  if (!consented_before && needs_approval(member_.policy, digest) &&
      !house_.workbench.is_approved(digest)) {
    if (const auto fits = check_plan(member_.policy, **plan); !fits) {
      co_return co_await decline_plan(digest, fits.error().detail);
    }
    log_warning("a plan waits for approval: entente-participant approve " + digest.hex(),
                {{"plan", digest.hex()}, {"name", (*plan)->name}, {"operator", *operator_name}});
    waiting_for_approval_.insert(digest);
    again_in(approval_poll);
    co_return Next::try_again;
  }
  const Result<void> fits = co_await check_here(*plan);
  if (!fits && fits.error().code == Errc::rejected) {
    co_return co_await decline_plan(digest, fits.error().detail);
  }
  if (!fits && is_passing(fits.error())) {
    // A disk that is not mounted yet: nothing that a plan should be declined for.
    log_warning("the data cannot be read yet",
                {{"plan", digest.hex()}, {"reason", fits.error().detail}});
    again_in(retry_after);
    co_return Next::try_again;
  }
  if (!fits) co_return fits.error();
  co_return co_await consent(std::move(offered), *plan, *operator_name);
}

net::Async<PlanRef> Run::obtain_plan(Digest digest, std::uint64_t size_bytes) {
  if (const auto known = plans_.find(digest); known != plans_.end()) co_return known->second;
  if (size_bytes > plan::plan_max_bytes) {
    co_return Error{Errc::rejected, "a plan of " + std::to_string(size_bytes) +
                                        " bytes, expected at most " +
                                        std::to_string(plan::plan_max_bytes)};
  }
  Result<std::string> bytes = house_.workbench.read_plan(digest);
  if (!bytes && bytes.error().code == Errc::not_found) {
    const Result<void> fetched =
        co_await fetch(digest, size_bytes, house_.workbench.plan_file(digest));
    if (!fetched) co_return fetched.error();
    bytes = house_.workbench.read_plan(digest);
  }
  if (!bytes) co_return bytes.error();
  auto parsed = plan::parse_plan(*bytes);
  if (!parsed) {
    co_return Error{Errc::rejected, "the plan cannot be read: " + parsed.error().detail};
  }
  if (parsed->digest != digest) {
    co_return Error{Errc::rejected, "the plan has another digest than the one signed"};
  }
  auto plan = std::make_shared<const plan::Plan>(std::move(*parsed));
  plans_.clear();  // one is in use at a time
  plans_.emplace(digest, plan);
  co_return plan;
}

net::Async<void> Run::check_here(PlanRef plan) {
  if (const auto fits = check_plan(member_.policy, *plan); !fits) co_return fits;
  suitable_plan_.reset();
  const Result<Suitability> suitability = co_await house_.workbench.consider(plan);
  if (!suitability &&
      (suitability.error().code == Errc::cancelled || suitability.error().code == Errc::rejected ||
       is_passing(suitability.error()))) {
    co_return suitability.error();
  }
  if (!suitability) {
    // The reason names a place in the data, not what stands there, and stays in the house.
    log_warning("the data here do not fit the plan",
                {{"plan", plan->digest.hex()}, {"reason", suitability.error().detail}});
    co_return Error{Errc::rejected, "the data here do not fit the plan"};
  }
  if (const auto fits = check_suitability(member_.policy, *plan, *suitability); !fits) {
    co_return fits;
  }
  suitable_plan_ = plan->digest;
  suitability_ = *suitability;
  co_return ok();
}

net::Async<Next> Run::consent(protocol::PlanToConsider offered, PlanRef plan,
                              std::string operator_name) {
  const Digest digest = offered.plan;
  protocol::AnswerPlan answer;
  answer.plan = digest;
  answer.consents = true;
  if (const Consent* before = journal_.consent(digest)) {
    answer.signature = before->signature;
  } else {
    auto signature = member_.key.sign(
        as_bytes(ledger::statement(ledger::plan_consented, member_.trust.self.federation, digest)));
    if (!signature) co_return signature.error();
    answer.signature = *signature;
    const Consent given{digest, offered.size_bytes, plan->name, operator_name,
                        std::move(*signature)};
    if (!write_down(given)) {
      again_in(retry_after);
      co_return Next::try_again;
    }
    ++tally_.plans_consented;
  }
  waiting_for_approval_.erase(digest);
  protocol::Message message = std::move(answer);
  const Result<protocol::Answer> told = co_await ask(std::move(message));
  if (!told) co_return told.error();
  if (!is_success(told->verdict)) {
    log_warning(
        "the consent was not taken",
        {{"plan", digest.hex()}, {"verdict", to_string(told->verdict)}, {"reason", told->reason}});
    if (!may_pass_later(told->verdict)) co_return Next::settled;
    again_in(retry_after);
    co_return Next::try_again;
  }
  if (auto proved = check_consent_receipt(member_.trust, digest, *told); !proved) {
    co_return in_context("the receipt of a consent", proved.error());
  }
  ++tally_.receipts_checked;
  const ReceiptKept kept{digest, std::nullopt, std::nullopt, 0,
                         "consent-" + digest.hex() + ".tlog-proof"};
  keep_receipt(kept, *told->receipt);
  log_info("consented to a plan", {{"plan", digest.hex()},
                                   {"name", plan->name},
                                   {"operator", operator_name},
                                   {"entry", told->receipt->index}});
  co_return Next::settled;
}

net::Async<Next> Run::decline_plan(Digest plan, std::string reason) {
  reason = escaped(reason, told_max_bytes);
  log_warning("a plan is declined", {{"plan", plan.hex()}, {"reason", reason}});
  const Decline declined{plan, std::nullopt, reason};
  if (!write_down(declined)) {
    again_in(retry_after);
    co_return Next::try_again;
  }
  ++tally_.plans_declined;
  waiting_for_approval_.erase(plan);
  protocol::AnswerPlan answer;
  answer.plan = plan;
  answer.reason = std::move(reason);
  protocol::Message message = std::move(answer);
  const Result<protocol::Answer> told = co_await ask(std::move(message));
  if (!told) co_return told.error();
  if (may_pass_later(told->verdict)) {
    again_in(retry_after);
    co_return Next::try_again;
  }
  co_return Next::settled;
}

}  // namespace entente::participant
