// SPDX-License-Identifier: Apache-2.0
//
// The institution's own record of what left the house and what was consented to: one line of
// canonical JSON each, appended to `journal.jsonl` and durable before the first byte is sent.
//
//     {"bytes":318648,"examples":4000,"kind":"update","model":"...","norm":1.25,"plan":"...",
//      "round":3,"tensors":8,"time":"2026-11-23T16:00:00.123456Z","update":"...","v":1}
//
// Read back at the start, so that a restart knows its consents and finds a finished update again
// instead of training it again. A last line torn by a crash was never acted upon: it is cut. Damage
// before it is refused with its line. One thread. For readers: docs/participant.md.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/bytes.hpp"
#include "common/base/clock.hpp"
#include "common/base/digest.hpp"
#include "common/base/result.hpp"
#include "common/base/storage.hpp"

namespace entente::participant {

inline constexpr std::string_view journal_file = "journal.jsonl";
inline constexpr std::size_t journal_line_max_bytes = 32U << 10U;
// Of each kind of finished work the latest so many are found again.
inline constexpr std::size_t finished_kept_max = 16;

// Which piece of work: the same three give the same bits.
struct WorkName {
  Digest plan;
  std::uint64_t round = 0;
  Digest model;
  friend auto operator<=>(const WorkName&, const WorkName&) = default;
};

// "consent": this institution agreed to the plan.
struct Consent {
  Digest plan;
  std::uint64_t size_bytes = 0;  // of the plan's canonical form
  std::string plan_name;
  std::string operator_name;
  Bytes signature;  // over ledger::statement("plan consented", ...)
  friend bool operator==(const Consent&, const Consent&) = default;
};
// "decline": it told the coordinator that it will not; without a round, of the plan as a whole.
struct Decline {
  Digest plan;
  std::optional<std::uint64_t> round;
  std::string reason;
  friend bool operator==(const Decline&, const Decline&) = default;
};
// "update": a finished update that is about to be sent.
struct FinishedUpdate {
  WorkName work;
  Digest update;
  std::uint64_t size_bytes = 0;
  std::optional<std::uint64_t> examples;  // when the plan has it told
  double norm = 0;
  std::uint64_t tensors = 0;
  friend bool operator==(const FinishedUpdate&, const FinishedUpdate&) = default;
};
// "evaluation": figures that are about to be told.
struct FinishedEvaluation {
  WorkName work;
  std::optional<std::uint64_t> examples;  // when the plan has it told
  std::map<std::string, double> metrics;
  friend bool operator==(const FinishedEvaluation&, const FinishedEvaluation&) = default;
};
// "receipt": the ledger's proof that it took the consent, or the update of a round.
struct ReceiptKept {
  Digest plan;
  std::optional<std::uint64_t> round;
  std::optional<Digest> update;
  std::uint64_t index = 0;  // of the ledger's entry
  std::string file;         // in receipts/
  friend bool operator==(const ReceiptKept&, const ReceiptKept&) = default;
};
using Record = std::variant<Consent, Decline, FinishedUpdate, FinishedEvaluation, ReceiptKept>;

// The canonical line, without a newline. Errors: invalid_argument - a number that JSON cannot say,
// longer than journal_line_max_bytes.
Result<std::string> encode_record(const Record& record, TimePoint time);
// Errors: malformed.
Result<Record> decode_record(std::string_view line);

class Journal {
 public:
  // Reads what is there and makes it durable. `storage` must outlive the Journal.
  // Errors: corrupt - "journal.jsonl:17: ..."; io.
  static Result<Journal> open(Storage& storage);

  // Makes the record durable. Errors: io - nothing may be sent; a later call tries anew;
  // invalid_argument - as encode_record.
  Result<void> append(const Record& record, TimePoint now);

  // What stands in the journal; nullptr when nothing does. Valid until the next append.
  const Consent* consent(const Digest& plan) const;
  const FinishedUpdate* update(const WorkName& work) const;
  const FinishedEvaluation* evaluation(const WorkName& work) const;
  // Whether the receipt of this update is kept.
  bool has_receipt(const Digest& update) const;
  // The latest finished updates, the oldest first; at most finished_kept_max.
  const std::deque<FinishedUpdate>& updates() const { return updates_; }

  std::uint64_t records() const { return records_; }
  // Bytes of a torn last line that opening cut.
  std::uint64_t bytes_cut() const { return bytes_cut_; }

 private:
  explicit Journal(Storage& storage) : storage_(&storage) {}
  Result<void> read_back();
  Result<void> settle(std::uint64_t file_bytes);
  void remember(const Record& record);

  Storage* storage_;
  std::uint64_t good_bytes_ = 0;  // whole lines
  bool tail_unknown_ = false;     // a failed append may have left a part behind them
  std::uint64_t records_ = 0;
  std::uint64_t bytes_cut_ = 0;
  std::map<Digest, Consent> consents_;
  std::deque<FinishedUpdate> updates_;
  std::deque<FinishedEvaluation> evaluations_;
  std::deque<Digest> receipts_;  // of updates
};

}  // namespace entente::participant
