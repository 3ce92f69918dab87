// SPDX-License-Identifier: Apache-2.0
//
// What the institution consents to: its own rules, from its own configuration, enforced on its own
// side before a plan is agreed to and again before each round. Pure.
//
// Every refusal is a reason in words that may be told to the coordinator (and stands in the ledger
// then): it speaks of the plan and of the ceilings, never of the data.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "common/base/digest.hpp"
#include "common/base/json.hpp"
#include "common/base/result.hpp"
#include "common/plan/plan.hpp"

namespace entente::participant {

// A plan beyond any of these is refused.
struct Ceilings {
  std::uint64_t model_max_bytes = std::uint64_t{4} << 30U;    // of the model's file
  std::uint32_t epochs_max = 100;                             // local epochs of one round
  std::uint32_t rounds_max = 10'000;                          // of one plan
  std::uint64_t rows_min = 10;                                // training rows, without the hold-out
  std::uint64_t memory_max_bytes = std::uint64_t{16} << 30U;  // at the peak
  std::chrono::seconds time_max{3600};  // training of one round; longer is stopped
  friend bool operator==(const Ceilings&, const Ceilings&) = default;
};

// Which plans of an accepted operator are consented to.
enum class Acceptance {
  approved,            // those that a person here approved, one by one
  signed_by_operator,  // all that stay within the ceilings
};

struct Policy {
  std::set<std::string> operators;  // names; nobody else's plan is looked at
  Acceptance accept = Acceptance::approved;
  std::set<Digest> approved;  // in the configuration; others by `entente-participant approve`
  Ceilings ceilings;
  friend bool operator==(const Policy&, const Policy&) = default;
};

// What running a plan here would take, measured by whoever has the data.
struct Suitability {
  std::uint64_t training_rows = 0;
  std::uint64_t holdout_rows = 0;
  std::uint64_t parameters = 0;
  std::uint64_t model_bytes = 0;   // of a model's file, and of an update's
  std::uint64_t memory_bytes = 0;  // at the peak of training or evaluating
};

// The `policy` member of the configuration. `path` names it in errors.
// Errors: malformed - what was expected of which field and what was seen.
Result<Policy> parse_policy(const json::value& value, std::string path);

// Whether the policy allows the plan, by what the plan says alone.
// Errors: rejected - the ceiling that it breaks.
Result<void> check_plan(const Policy& policy, const plan::Plan& plan);
// Whether it allows plans of this operator. Errors: rejected.
Result<void> check_operator(const Policy& policy, std::string_view operator_name);
// Whether the plan can be run here within the ceilings.
// Errors: rejected - the ceiling that it breaks, without any number of the data's.
Result<void> check_suitability(const Policy& policy, const plan::Plan& plan,
                               const Suitability& suitability);

// Whether a plan that passes the checks still needs a person's word.
bool needs_approval(const Policy& policy, const Digest& plan);

}  // namespace entente::participant
