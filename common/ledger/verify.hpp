// SPDX-License-Identifier: Apache-2.0
//
// Checks a ledger that somebody else wrote, from its files alone. Reads only; may run beside the
// writer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/storage.hpp"
#include "common/ledger/log.hpp"
#include "common/ledger/note.hpp"

namespace entente::ledger {

// What reading a whole ledger found.
struct Verification {
  std::uint64_t entries = 0;              // covered by the head
  std::uint64_t entries_behind_head = 0;  // whole lines that no head covers yet
  bool torn_tail = false;   // something else behind those: an unfinished line, as a rule
  std::string torn_reason;  // what it is, with its place
  Checkpoint head;
};

// Reads every entry in order, checks form, order of sequence and time, and the root against the
// head; with a key, the head's signature too. `sink` gets the entries that the head covers and no
// others. Errors: corrupt, unauthenticated - with the place; not_found - there is no checkpoint;
// io; those of `sink`.
Result<Verification> verify_ledger(Storage& storage, const std::optional<VerifierKey>& key,
                                   const EntrySink& sink);

// The verifier's key that the ledger's folder holds: anybody may have put it there.
// Errors: not_found; malformed; io.
Result<VerifierKey> read_verifier_key(Storage& storage);

}  // namespace entente::ledger
