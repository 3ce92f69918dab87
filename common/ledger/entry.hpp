// SPDX-License-Identifier: Apache-2.0
//
// One entry of the ledger: the envelope that every decision has, and its one line of canonical
// JSON.
//
//     {"actor":"spiffe://...","federation":"...","kind":"round.opened","outcome":"ok", ... ,"v":1}
//
// What a kind means and which details it has: coordinator/round/entries.hpp (docs/ledger.md lists
// them all). Never data, never a participant's raw metrics unless the plan publishes them. Pure
// functions.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.hpp"
#include "common/base/digest.hpp"
#include "common/base/result.hpp"

namespace entente::ledger {

inline constexpr std::size_t line_max_bytes = 32U << 10U;
inline constexpr std::size_t kind_max_bytes = 64;
inline constexpr std::int64_t entry_version = 1;

struct Entry {
  std::uint64_t sequence = 0;  // the leaf's index in the tree; the first is 0
  TimePoint time;              // never before the entry before it
  std::string kind;            // "round.committed": [a-z0-9._-], at most kind_max_bytes
  std::string federation;
  std::string actor;  // the SPIFFE id of whom this entry is about or from
  std::optional<Digest> plan;
  std::optional<std::uint64_t> round;
  std::map<std::string, Digest> subjects;  // "model", "update", ...: what it speaks of, by digest
  std::string outcome = "ok";              // "ok" or "refused" or "failed"
  std::string reason;           // one line for people; empty when there is nothing to say
  std::string software;         // version of the program that wrote it
  boost::json::object details;  // per kind; absent members are not written

  friend bool operator==(const Entry&, const Entry&) = default;
};

// The canonical line, without a newline; whatever this gives, decode_entry takes.
// Errors: invalid_argument - longer than line_max_bytes, a text that is not UTF-8, a number that
// canonical JSON cannot say, a member that breaks its rule.
Result<std::string> encode_entry(const Entry& entry);

// Errors: malformed - not canonical JSON, a member missing, unknown or of the wrong type, an
// unknown version, an empty member that should be absent.
Result<Entry> decode_entry(std::string_view line);

}  // namespace entente::ledger
