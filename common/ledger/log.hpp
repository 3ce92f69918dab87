// SPDX-License-Identifier: Apache-2.0
//
// The ledger on disk: entries-000000.jsonl, entries-000001.jsonl, ... (one line an entry),
// `checkpoint` (the latest signed head) and `key` (the verifier's key as vkey text).
//
// An entry is durable before a head over it is signed. On opening, a tail that a crash tore (behind
// the last signed head) is cut; damage anywhere else is refused with its place, and so is a ledger
// shorter than its head, or without one. One thread. Checking a ledger without its private key:
// verify.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/base/storage.hpp"
#include "common/crypto/key.hpp"
#include "common/ledger/entry.hpp"
#include "common/ledger/merkle.hpp"
#include "common/ledger/note.hpp"
#include "common/ledger/receipt.hpp"

namespace entente::ledger {

inline constexpr std::uint64_t segment_max_bytes = 64U << 20U;

// Called for each entry in order while a ledger is opened or verified. `line` lasts until it
// returns. An error returned stops the reading and is passed on with the entry's place. The
// entries' root is known to be the signed one only when open (or verify) has succeeded: until then,
// what a sink has built is provisional.
using EntrySink = std::function<Result<void>(const Entry& entry, std::string_view line)>;

// What opening found behind the last signed head: the traces of a crash.
struct Recovery {
  std::uint64_t entries_kept = 0;  // whole lines, now covered by a new head
  std::uint64_t bytes_cut = 0;     // from the first line that was not whole
  std::string reason;  // why that one was not, with its place; empty when nothing was cut
};

// Whether the head over new entries is stored with them, or by store_head.
enum class StoreHead { now, later };

class Log {
 public:
  // Opens or begins the ledger in `storage`, giving every entry that stands to `sink`, and signs a
  // head over whole entries that had none yet. A new ledger begins with a head over nothing, so
  // that entries without any head are never the trace of a crash. Also writes `key` when missing.
  // `storage` must outlive the Log. `origin`: ledger_origin(federation). `key`: Ed25519.
  // `segment_bytes`: size beyond which a segment is not continued (tests make it small).
  // Errors: corrupt - with file and line; unauthenticated - the head or `key` is another key's; io;
  // those of `sink`.
  static Result<Log> open(Storage& storage, std::string origin, crypto::PrivateKey key,
                          EntrySink sink, std::uint64_t segment_bytes = segment_max_bytes);

  // Makes the entries durable with one sync (one more for each segment begun), then signs the head
  // over them. A head that a crash keeps from being stored is none the less one of this ledger: the
  // entries stand, and opening signs a head over them again. Preconditions: sequences go on from
  // size(), times from the last entry's, the federation is the origin's. An empty span does
  // nothing. Errors: invalid_argument - an entry that encode_entry refuses: nothing was written,
  // the log goes on; io - nothing can be said of what is on disk: every later call fails until the
  // ledger is opened again.
  Result<void> append(std::span<const Entry> entries, StoreHead head = StoreHead::now);
  // Stores the latest head, unless it is. Errors: io - it is not, or not durably; the log goes on.
  Result<void> store_head();
  bool head_is_stored() const;

  // Entries that the head covers.
  std::uint64_t size() const;
  // The latest signed note.
  const std::string& checkpoint() const;
  const Checkpoint& head() const;
  // Proof for the head: that entry `sequence` is in it. Precondition: sequence < size().
  Proof inclusion_proof(std::uint64_t sequence) const;
  // That the head extends that of `old_size` entries. Precondition: old_size <= size().
  Proof consistency_proof(std::uint64_t old_size) const;
  // The line of an entry, read back from disk.
  // Errors: not_found; corrupt - it is no longer what was written; io.
  Result<std::string> line(std::uint64_t sequence) const;
  VerifierKey verifier_key() const;
  const Recovery& recovery() const;

  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;
  ~Log();

 private:
  struct State;
  explicit Log(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The receipt of entry `sequence` of `log` under its latest head. Errors: as Log::line.
Result<Receipt> make_receipt(const Log& log, std::uint64_t sequence);

}  // namespace entente::ledger
