// SPDX-License-Identifier: Apache-2.0
//
// What the round core needs of a plan: how many, how long, how much. A value; it also stands in the
// ledger, in the entry that submits the plan, so that the coordinator's state can be folded from
// the ledger alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/json.hpp"
#include "common/base/result.hpp"

namespace entente::plan {

inline constexpr std::int64_t rounds_max = 1'000'000;
inline constexpr std::int64_t participants_max = 1'000;  // in one round
inline constexpr std::int64_t quorum_max = 370;          // any names of so many fit, too
inline constexpr std::size_t metrics_max = 32;
inline constexpr std::size_t metric_name_max_bytes = 64;
// What names (of a cohort), or names with their metrics, may take of one entry of the ledger.
inline constexpr std::size_t names_max_bytes = 24U << 10U;
inline constexpr std::int64_t retries_max = 1'000;
inline constexpr std::chrono::seconds wait_max{30 * 86'400};
inline constexpr std::int64_t examples_limit = std::int64_t{1} << 53U;
inline constexpr double norm_least = 1e-12;
inline constexpr double norm_limit = 1e30;

enum class Weighting { examples, uniform };

struct Rules {
  std::uint32_t rounds = 1;
  std::uint32_t quorum = 1;  // updates without which a round is not committed
  std::uint32_t cohort = 1;  // participants asked in a round; >= quorum
  std::chrono::seconds deadline{
      600};  // from the opening of a round to its abandonment without a quorum
  std::chrono::seconds grace{30};  // how long stragglers are waited for once the quorum is there
  std::uint32_t retries = 3;       // times that one round may be opened again
  Weighting weighting = Weighting::examples;
  std::uint64_t examples_max = 1'000'000'000;  // more in one update is refused
  double norm_max = 1e9;                       // an update of a larger Euclidean norm is refused
  std::uint32_t evaluation_quorum = 0;  // evaluations that are waited for (0: as many as come)
  std::chrono::seconds evaluation_deadline{300};  // 0: nobody is asked
  std::vector<std::string> metrics;               // what an evaluation reports, these and no others
  bool metrics_per_participant = false;  // whether the ledger may hold each participant's metrics
  std::uint32_t target = 0;  // updates with which a round is closed at once; 0: the cohort's
  // How long a round waits for its quorum to be there, before the plan is given up.
  std::chrono::seconds recruiting{wait_max};
  friend bool operator==(const Rules&, const Rules&) = default;
};

// Every field, durations in seconds; `target` and `recruiting`, which came later, only where they
// are not the defaults, so that older readers understand what does not use them.
json::object rules_to_json(const Rules& rules);
// The inverse. `path` names the value in errors, e.g. "entry 7: rules".
// Errors: malformed - a member missing, unknown, of the wrong type or out of range; quorum or
// evaluation_quorum > cohort.
Result<Rules> rules_from_json(const json::value& value, std::string path);

// The largest cohort of which one entry holds what the rules publish.
std::uint32_t publishable_cohort(const Rules& rules);

// What no single field shows: quorum <= target <= cohort, evaluation_quorum <= cohort; a cohort
// whose metrics, when each participant's are published, fit an entry. Errors: malformed - both
// names and both numbers.
Result<void> check_rules(const Rules& rules, std::string_view path);

}  // namespace entente::plan
