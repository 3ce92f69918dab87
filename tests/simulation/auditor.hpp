// SPDX-License-Identifier: Apache-2.0
//
// Watches a schedule and says when a promise is broken. It reads the ledger's lines as a stranger
// would and follows the rounds by rules of its own, written down here a second time: it shares no
// code with the round core's decide and apply. Besides, it folds the lines with apply, to see that
// a recovery would give the state that the coordinator has.
//
// One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/ledger/merkle.hpp"
#include "coordinator/core.hpp"
#include "coordinator/round/event.hpp"
#include "protocol/messages.hpp"
#include "tests/simulation/cast.hpp"
#include "tests/simulation/disk.hpp"
#include "tests/simulation/stage.hpp"

namespace entente::simulation {

// What a participant's own journal durably holds; asked when the ledger names an act of his.
struct JournalQuestion {
  std::string participant;
  std::string kind;  // "consent", "update", "evaluation"
  Digest subject;    // the plan, the update, the model
};

// What the ledger's lines say of plans and rounds so far.
struct AuditedPlan {
  std::uint64_t rounds = 0;
  std::uint64_t quorum = 0;
  std::uint64_t cohort = 0;
  std::uint64_t retries = 0;
  std::uint64_t examples_max = 0;
  std::uint64_t target = 0;  // 0: the cohort
  seconds deadline{0};
  seconds grace{0};
  seconds recruiting{0};
  seconds evaluation_deadline{0};
  bool by_examples = false;
  bool publishes_each = false;
  std::set<std::string> consents;
  std::optional<Digest> model;  // the latest committed, or the initial one
  std::uint64_t committed = 0;
  std::uint64_t attempts = 0;  // of the round that comes next
  TimePoint waiting_since;     // for a quorum to open the next round with
  TimePoint committed_at;      // the last round; before that, when it started
  bool running = false;
  bool ended = false;
};
struct AuditedUpdate {
  Digest update;
  std::uint64_t examples = 1;
  std::uint64_t sequence = 0;
};
struct AuditedRound {
  enum class Stage { collecting, closed, aggregated };
  Digest plan;
  std::uint64_t number = 0;
  Stage stage = Stage::collecting;
  TimePoint closes_at;  // of the collection; of the evaluation once aggregated
  std::optional<TimePoint> quorum_at;
  std::optional<TimePoint> target_at;
  std::set<std::string> cohort;
  std::set<std::string> declined;
  std::map<std::string, AuditedUpdate> accepted;
  std::optional<Digest> candidate;
};

class Auditor {
 public:
  using Journals = std::function<bool(const JournalQuestion&)>;

  // `journals`: whether the journal of that participant says so; true for those who keep none.
  Auditor(Stage& stage, Journals journals) : stage_(stage), journals_(std::move(journals)) {}

  // After each batch, and whenever something happened: reads what is new.
  void look(const coordinator::Core& core, const SimulatedDisk& disk);
  // After the ledger was opened: compares everything with what was there before. `verify`: as
  // entente-audit would, too.
  void reopened(const coordinator::Core& core, const SimulatedDisk& disk, bool verify);
  // Somebody was given this receipt.
  void given(const ledger::Receipt& receipt);
  // Somebody was given this answer.
  void answered(const coordinator::round::Event& event, const protocol::Answer& answer);
  // At the end: every receipt that was given must still prove what it proved.
  void check_receipts();

  const std::map<Digest, AuditedPlan>& plans() const { return plans_; }
  const std::set<std::string>& suspended() const { return suspended_; }
  // The round that is going on.
  const std::optional<AuditedRound>& round() const { return round_; }
  // By when it must be further, at the latest; while it is open.
  TimePoint due(const AuditedRound& round) const;
  std::uint64_t entries() const { return lines_.size(); }

 private:
  void read_lines(const SimulatedDisk& disk, std::uint64_t size);
  void check_head(const coordinator::Core& core, const ledger::Checkpoint& head);
  void check_fold(const coordinator::Core& core);
  void verify(const SimulatedDisk& disk);
  bool stands_as_before(const SimulatedDisk& disk) const;
  void begin_again();
  void take(const std::string& line);
  void follow(const ledger::Entry& entry);
  void fail(const std::string& what);
  void expect(bool holds, const std::string& what);

  // --- one for each kind of entry (auditor_rules.cpp)
  void coordinator_started(const ledger::Entry& entry);
  void plan_submitted(const ledger::Entry& entry);
  void plan_consented(const ledger::Entry& entry);
  void plan_declined(const ledger::Entry& entry);
  void plan_started(const ledger::Entry& entry);
  void plan_ended(const ledger::Entry& entry);
  void suspension(const ledger::Entry& entry);
  void round_opened(const ledger::Entry& entry);
  void update_accepted(const ledger::Entry& entry);
  void update_lost(const ledger::Entry& entry);
  void work_declined(const ledger::Entry& entry);
  void round_closed(const ledger::Entry& entry);
  void round_aggregated(const ledger::Entry& entry);
  void round_committed(const ledger::Entry& entry);
  void round_abandoned(const ledger::Entry& entry);
  AuditedPlan& plan_of(const ledger::Entry& entry);
  // The round that the entry must be about, in that stage.
  AuditedRound& round_in(const ledger::Entry& entry, AuditedRound::Stage stage);
  std::string participant_of(const ledger::Entry& entry);
  void check_statement(const ledger::Entry& entry, const Player& player, std::string_view kind);
  void check_contributors(const ledger::Entry& entry, const AuditedRound& round);
  std::size_t can_still_come(const AuditedRound& round) const;

  // What a receipt that somebody holds says.
  struct Given {
    std::uint64_t index;
    Digest leaf;
    std::uint64_t size;
    Digest root;
  };

  Stage& stage_;
  Journals journals_;
  std::vector<std::string> lines_;
  ledger::MerkleTree tree_;
  std::string note_;            // the last head seen, as it is signed
  ledger::Checkpoint head_;     // the same, read
  std::uint64_t promised_ = 0;  // entries that a head which somebody may have seen covers
  std::uint64_t checked_ = 0;   // entries whose signatures and journals were checked
  std::size_t read_bytes_ = 0;
  TimePoint last_time_;
  coordinator::round::State folded_;
  std::vector<Given> given_;

  std::map<Digest, AuditedPlan> plans_;
  std::optional<AuditedRound> round_;
  std::set<std::string> suspended_;
  AuditedPlan no_plan_;
  AuditedRound no_round_;
};

}  // namespace entente::simulation
