// SPDX-License-Identifier: Apache-2.0
//
// Reading a ledger from its first line to its last: form, order and root checked on the way. Both
// opening (log.cpp) and verifying (verify.cpp) are this walk. For the .cpp files of this room.
//
// Memory: one chunk of a file and the tree's frontier, whatever the ledger's length. Writes
// nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/storage.hpp"
#include "common/ledger/entry.hpp"
#include "common/ledger/note.hpp"

namespace entente::ledger {

inline constexpr std::string_view checkpoint_name = "checkpoint";
inline constexpr std::string_view key_name = "key";

// Where a line stands. 16 bytes: a log keeps one for each entry.
struct Place {
  std::uint64_t offset = 0;
  std::uint32_t segment = 0;
  std::uint32_t size_bytes = 0;  // of the line, without its newline
};
static_assert(sizeof(Place) == 16);

// "entries-000000.jsonl"
std::string segment_name(std::uint32_t segment);

// The segments in `storage`. Errors: corrupt - one before the last is missing; io.
Result<std::uint32_t> count_segments(Storage& storage);

// A small file as text. Errors: not_found; malformed - longer than `size_max_bytes`; io.
Result<std::string> read_small(Storage& storage, std::string_view name, std::size_t size_max_bytes);

// One good line. The views last until the visit returns.
struct Visited {
  const Entry& entry;
  std::string_view line;
  const Digest& leaf;
  const Place& place;
};
// An error ends the walk and is passed on with the line's place.
using Visit = std::function<Result<void>(const Visited&)>;

struct Walk {
  std::uint64_t entries = 0;  // good lines, in order, from the first
  Place end;                  // where they end
  TimePoint last_time;        // of the last of them
  std::uint32_t segments = 0;
  std::optional<Error> broken;  // what stands there, behind the head, instead of another good line
};

// Visits the good lines in order. The root is checked when the last line that `head` covers has
// been read and before it is visited: what was visited earlier stands only when the whole walk
// succeeds. Errors: corrupt - a line that `head` covers is missing or not good (with its file and
// number), or their root is not the head's; io; those of `visit`.
Result<Walk> walk_ledger(Storage& storage, const Checkpoint& head, const Visit& visit);

}  // namespace entente::ledger
