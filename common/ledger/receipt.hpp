// SPDX-License-Identifier: Apache-2.0
//
// Receipts: one entry with everything that a stranger with the verifier's key needs to check it, as
// a value and as one text file (C2SP tlog-proof; its `extra` is the entry's line):
//
//     c2sp.org/tlog-proof@v1\n
//     extra <base64 line>\n
//     index <decimal>\n
//     <base64 hash>\n ...
//     \n
//     <signed note>
//
// Pure functions. Made from a Log: log.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/ledger/entry.hpp"
#include "common/ledger/merkle.hpp"
#include "common/ledger/note.hpp"

namespace entente::ledger {

inline constexpr std::size_t receipt_max_bytes = 96U << 10U;

struct Receipt {
  std::string line;  // the entry
  std::uint64_t index = 0;
  Proof proof;
  std::string checkpoint;  // the signed note
  friend bool operator==(const Receipt&, const Receipt&) = default;
};

// Checks head, proof and line; gives the entry.
// Errors: unauthenticated - signature or proof; malformed - note or entry.
Result<Entry> check_receipt(const Receipt& receipt, const VerifierKey& key);

// The file, at most receipt_max_bytes; kept as `<name>.tlog-proof`.
std::string receipt_text(const Receipt& receipt);
// Reads what receipt_text wrote; checks nothing but the form. Errors: malformed.
Result<Receipt> parse_receipt(std::string_view text);

}  // namespace entente::ledger
