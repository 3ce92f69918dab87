// SPDX-License-Identifier: Apache-2.0
#include "participant/daemon.hpp"

#include <algorithm>
#include <utility>

#include "common/base/log.hpp"
#include "common/base/text.hpp"
#include "common/ledger/receipt.hpp"
#include "participant/run.hpp"

namespace entente::participant {
namespace {

constexpr std::uint32_t attempts_told_apart_max = 20;  // doublings: more than backoff_most needs

}  // namespace

std::chrono::milliseconds backoff(std::uint32_t attempt, Random& jitter) {
  const std::uint32_t doublings = std::clamp(attempt, 1U, attempts_told_apart_max) - 1;
  const auto full = std::min(backoff_least * (std::int64_t{1} << doublings), backoff_most);
  const double part = 0.5 + 0.5 * jitter.uniform();
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(static_cast<double>(full.count()) * part));
}

std::chrono::milliseconds transfer_max(std::uint64_t bytes) {
  return transfer_base +
         std::chrono::seconds(static_cast<std::int64_t>(bytes / transfer_bytes_a_second_least));
}

net::Async<void> participate(House house, Member member, Tally* tally) {
  auto journal = Journal::open(house.journal);
  if (!journal) co_return journal.error();
  if (journal->bytes_cut() > 0) {
    log_warning("journal: a line torn by a crash was cut", {{"bytes", journal->bytes_cut()}});
  }
  const net::Executor executor = co_await net::asio::this_coro::executor;
  Run run(house, std::move(member), *tally, std::move(*journal), executor);
  co_return co_await run.until_stopped();
}

net::Async<void> Run::until_stopped() {
  tasks_.spawn("rounds", connect_for_ever());
  const Result<void> joined = co_await tasks_.join();
  if (joined) co_return fatal_ ? *fatal_ : Error{Errc::closed, "the daemon ended by itself"};
  // Stopped: nothing of this run may outlive it, so this is not to be cut short.
  co_await net::asio::this_coro::reset_cancellation_state(net::asio::disable_cancellation());
  desk_.stop_work();
  tasks_.stop();
  const Result<void> ended = co_await tasks_.join();
  const Result<void> said = co_await end_session("the participant stops");
  tally_.connected = false;
  co_return Error{Errc::cancelled, "stopped"};
}

net::Async<void> Run::connect_for_ever() {
  for (std::uint32_t attempt = 1;; ++attempt) {
    session_was_good_ = false;
    const Result<void> ended = co_await session();
    tally_.connected = false;
    if (fatal_) co_return *fatal_;
    const auto stop = co_await net::asio::this_coro::cancellation_state;
    if (stop.cancelled() != net::asio::cancellation_type::none) co_return ended;
    if (session_was_good_) attempt = 1;
    const auto wait = backoff(attempt, member_.jitter);
    tally_.problem = ended.error().detail;
    log_warning("not connected", {{"reason", ended.error().detail}, {"retry_in_ms", wait.count()}});
    if (const Result<void> waited = co_await net::wait_for(wait); !waited) co_return waited;
  }
}

net::Async<void> Run::session() {
  auto connecting = house_.transport.connect();
  Result<protocol::Welcome> welcome =
      co_await net::with_deadline(connect_max, std::move(connecting));
  if (!welcome) {
    const Result<void> closed = co_await end_session("");
    co_return welcome.error();
  }
  if (const Result<void> known = check_welcome(member_.trust, *welcome); !known) {
    ++tally_.alarms;
    tally_.problem = known.error().detail;
    fatal_ = known.error();
    log_error("ALARM: this is not the ledger of the start-up kit; stopping",
              {{"reason", fatal_->detail}});
    const Result<void> closed = co_await end_session(fatal_->detail);
    co_return *fatal_;
  }
  log_info("connected", {{"federation", welcome->federation}, {"software", welcome->software}});
  ++tally_.sessions;
  tally_.connected = true;
  tally_.problem.clear();
  desk_.start_session();
  answered_plans_.clear();
  heard_ = true;
  tasks_.spawn("agenda", listen());
  const Result<void> ended = co_await attend();
  if (ended.error().code == Errc::unauthenticated) {
    ++tally_.alarms;
    log_error("ALARM: the coordinator said what is not proved", {{"reason", ended.error().detail}});
  }
  const Result<void> closed = co_await end_session(ended.error().detail);
  while (heard_) {
    const Result<void> gone = co_await listening_.wait();
    const auto stop = co_await net::asio::this_coro::cancellation_state;
    if (stop.cancelled() != net::asio::cancellation_type::none) break;
  }
  co_return ended;
}

net::Async<void> Run::end_session(std::string goodbye) {
  auto closing = house_.transport.close(escaped(goodbye, told_max_bytes));
  co_return co_await net::with_deadline(goodbye_max, std::move(closing));
}

net::Async<void> Run::listen() {
  for (;;) {
    Result<protocol::Agenda> agenda = co_await house_.transport.next_agenda();
    if (!agenda) {
      desk_.end_session(agenda.error());
      break;
    }
    desk_.put(std::move(*agenda));
  }
  heard_ = false;
  listening_.cancel();
  co_return ok();
}

// Never succeeds: says why the session is over.
net::Async<void> Run::attend() {
  std::uint64_t seen = 0;
  again_at_.reset();
  work_again_ = false;
  for (;;) {
    const net::Instant until = again_at_.value_or(net::Timer::never);
    if (const Result<void> waited = co_await desk_.wait(seen, until); !waited) co_return waited;
    if (desk_.ended()) co_return *desk_.ended();
    const bool fresh = desk_.version() != seen;
    seen = desk_.version();
    again_at_.reset();
    if (const Result<void> looked = co_await look_at_agenda(fresh); !looked) co_return looked;
    session_was_good_ = true;
  }
}

net::Async<void> Run::look_at_agenda(bool fresh) {
  const std::uint64_t version = desk_.version();
  const protocol::Agenda agenda = desk_.agenda();
  for (const protocol::PlanToConsider& plan : agenda.plans) {
    if (answered_plans_.contains(plan.plan)) continue;
    const Result<Next> next = co_await consider_plan(plan);
    if (!next) co_return next.error();
    if (*next == Next::settled) answered_plans_.insert(plan.plan);
  }
  // A newer agenda may ask for other work: it is looked at first.
  if (desk_.version() != version || !(fresh || work_again_)) co_return ok();
  co_return co_await look_at_work(agenda);
}

net::Async<void> Run::look_at_work(protocol::Agenda agenda) {
  work_again_ = false;
  Result<Next> next = Next::settled;
  if (const auto* train = std::get_if<protocol::Train>(&agenda.work)) {
    next = co_await do_train(*train);
  } else if (const auto* evaluate = std::get_if<protocol::Evaluate>(&agenda.work)) {
    next = co_await do_evaluate(*evaluate);
  }
  if (!next) co_return next.error();
  if (*next == Next::try_again) {
    work_again_ = true;
    again_in(retry_after);
  }
  co_return ok();
}

net::Async<protocol::Answer> Run::ask(protocol::Message message) {
  auto asking = house_.transport.request(std::move(message));
  co_return co_await net::with_deadline(answer_max, std::move(asking));
}

net::Async<void> Run::fetch(Digest digest, std::uint64_t size_bytes,
                            std::filesystem::path destination) {
  auto fetching = house_.transport.fetch(digest, size_bytes, std::move(destination));
  Result<void> fetched = co_await net::with_deadline(transfer_max(size_bytes), std::move(fetching));
  // Not a refusal of ours, which `rejected` stands for in what follows.
  if (!fetched && fetched.error().code == Errc::rejected) {
    co_return Error{Errc::not_found, fetched.error().detail};
  }
  co_return fetched;
}

Result<void> Run::write_down(const Record& record) {
  auto written = journal_.append(record, member_.utc_clock());
  if (written) return ok();
  log_error("the journal cannot be written: nothing is sent", {{"reason", written.error().detail}});
  return Error{Errc::io, written.error().detail};
}

void Run::keep_receipt(ReceiptKept kept, const ledger::Receipt& receipt) {
  kept.index = receipt.index;
  auto stored = house_.receipts.replace(kept.file, as_bytes(ledger::receipt_text(receipt)));
  if (stored) stored = write_down(kept);
  if (!stored) {
    log_error("a receipt cannot be kept", {{"file", kept.file}, {"reason", stored.error().detail}});
  }
}

void Run::again_in(std::chrono::milliseconds wait) {
  const net::Instant at = net::now() + wait;
  if (!again_at_ || at < *again_at_) again_at_ = at;
}

}  // namespace entente::participant
