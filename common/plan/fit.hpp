// SPDX-License-Identifier: Apache-2.0
//
// Whether the parts of a plan fit each other: what no single field shows. Used by plan.cpp.
#pragma once

#include "common/base/result.hpp"
#include "common/plan/plan.hpp"

namespace entente::plan {

// Model, data, loss and metrics; the rules' numbers.
// Errors: malformed - which parts, what was expected, what was seen.
Result<void> check_fit(const Plan& plan);

}  // namespace entente::plan
