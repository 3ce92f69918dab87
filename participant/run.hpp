// SPDX-License-Identifier: Apache-2.0
//
// One run of the daemon, for its own .cpp files: daemon.cpp (sessions), consent.cpp (plans),
// work.cpp (training and evaluation). Nobody else includes it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/net/task_group.hpp"
#include "participant/daemon.hpp"
#include "participant/desk.hpp"
#include "participant/journal.hpp"
#include "protocol/limits.hpp"

namespace entente::participant {

// What to do after one item of the agenda. An Error instead ends the session.
enum class Next {
  settled,    // done, or refused for good
  try_again,  // for a passing reason; see Run::again_at_
};

// Whether the same request may be taken later though this side changes nothing.
constexpr bool may_pass_later(Verdict verdict) {
  return verdict == Verdict::busy || verdict == Verdict::suspended;
}

// Of a reason that is told: short enough for the message's limit when escaped.
inline constexpr std::size_t told_max_bytes = 900;
static_assert(told_max_bytes + 16 <= protocol::text_max_bytes);

// Shorter than net::stop_grace_default, so that the daemon ends before it is aborted.
inline constexpr std::chrono::milliseconds stop_grace{1'000};

using PlanRef = std::shared_ptr<const plan::Plan>;

class Run {
 public:
  Run(House house, Member member, Tally& tally, Journal journal, net::Executor executor)
      : house_(house),
        member_(std::move(member)),
        tally_(tally),
        journal_(std::move(journal)),
        executor_(executor),
        desk_(executor),
        listening_(executor),
        tasks_(executor, stop_grace) {}

  // Everything, until stopped (cancelled) or until it must not go on.
  net::Async<void> until_stopped();

 private:
  // --- daemon.cpp
  net::Async<void> connect_for_ever();
  net::Async<void> session();
  net::Async<void> attend();
  net::Async<void> listen();
  net::Async<void> look_at_agenda(bool fresh);
  net::Async<void> look_at_work(protocol::Agenda agenda);
  net::Async<void> end_session(std::string goodbye);
  net::Async<protocol::Answer> ask(protocol::Message message);
  // Gets the blob into `destination` unless the session ends first.
  net::Async<void> fetch(Digest digest, std::uint64_t size_bytes,
                         std::filesystem::path destination);
  // Makes the record durable. Errors: io - then nothing may be sent.
  Result<void> write_down(const Record& record);
  // Checks nothing. A receipt that cannot be written is told in the log.
  void keep_receipt(ReceiptKept kept, const ledger::Receipt& receipt);
  void again_in(std::chrono::milliseconds wait);

  // --- consent.cpp
  net::Async<Next> consider_plan(protocol::PlanToConsider offered);
  net::Async<PlanRef> obtain_plan(Digest digest, std::uint64_t size_bytes);
  net::Async<void> check_here(PlanRef plan);
  net::Async<Next> consent(protocol::PlanToConsider offered, PlanRef plan,
                           std::string operator_name);
  net::Async<Next> decline_plan(Digest plan, std::string reason);

  // --- work.cpp
  net::Async<Next> do_train(protocol::Train task);
  net::Async<Next> do_evaluate(protocol::Evaluate task);
  // The plan of a task, when there is consent and everything still fits; otherwise Errc::rejected
  // with a reason that may be told.
  net::Async<PlanRef> plan_of_task(WorkName work, std::uint64_t model_size_bytes);
  net::Async<void> obtain_model(Digest model, std::uint64_t size_bytes);
  net::Async<std::optional<FinishedUpdate>> find_update(WorkName work);
  net::Async<FinishedUpdate> make_update(WorkOrder order);
  net::Async<FinishedEvaluation> make_evaluation(WorkOrder order);
  net::Async<Next> send_update(FinishedUpdate finished, std::uint64_t opening);
  Result<void> take_update_receipt(const protocol::OfferUpdate& offer,
                                   const protocol::Answer& answer);
  net::Async<Next> send_evaluation(FinishedEvaluation finished, std::uint64_t entry);
  // What follows from work that failed: settled, try_again, a decline, or the session's end.
  net::Async<Next> after_failure(WorkName work, std::uint64_t entry, Error failure);
  net::Async<Next> decline_work(WorkName work, std::uint64_t entry, std::string reason);
  void tidy(const WorkName& work);

  House house_;
  Member member_;
  Tally& tally_;
  Journal journal_;
  net::Executor executor_;
  Desk desk_;
  bool heard_ = false;    // this session's listener still runs
  net::Timer listening_;  // cancelled when it ends
  net::TaskGroup tasks_;
  std::optional<Error> fatal_;
  bool session_was_good_ = false;
  std::optional<net::Instant> again_at_;
  bool work_again_ = false;  // the agenda's work failed for a passing reason

  std::set<Digest> answered_plans_;          // in this session
  std::set<Digest> waiting_for_approval_;    // told in the log already
  std::set<std::uint64_t> settled_entries_;  // openings and aggregations refused or declined
  std::optional<FinishedUpdate> made_;       // the last update, journaled or not
  std::map<Digest, PlanRef> plans_;          // parsed; the one in use
  std::optional<Digest> suitable_plan_;      // whose check_here succeeded last
  Suitability suitability_;                  // of that plan
};

}  // namespace entente::participant
