// SPDX-License-Identifier: Apache-2.0
//
// How a request to the coordinator ended: what the round core decides, the wire carries and the
// ledger records.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/result.hpp"

namespace entente {

enum class Verdict : std::uint8_t {
  accepted = 1,
  repeated = 2,     // the same thing was accepted before; nothing was done again
  not_now = 3,      // does not belong to what is open
  not_allowed = 4,  // your role may not ask this
  not_in_cohort = 5,
  too_late = 6,
  already_received = 7,  // another update of yours was accepted for this round
  malformed = 8,         // wrong shape, wrong size, not the layout
  not_finite = 9,        // NaN or infinity
  norm_over_limit = 10,
  examples_over_limit = 11,
  digest_mismatch = 12,
  unknown = 13,  // no such plan, participant or blob
  busy = 14,     // try again later (disk full, stopping)
  bad_signature = 15,
  suspended = 16,
};

// "too late", as answers and the ledger say it.
std::string_view to_string(Verdict verdict);
// Errors: malformed - none of the texts above.
Result<Verdict> parse_verdict(std::string_view text);

constexpr bool is_success(Verdict verdict) {
  return verdict == Verdict::accepted || verdict == Verdict::repeated;
}

}  // namespace entente
