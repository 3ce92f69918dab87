// SPDX-License-Identifier: Apache-2.0
//
// The coordinator's background work over files: the first model of a plan, and the average of a
// round. Both stream: their memory depends neither on the size of the model nor on the number of
// participants. For a pool thread.
#pragma once

#include "common/base/digest.hpp"
#include "common/base/result.hpp"
#include "common/plan/plan.hpp"
#include "coordinator/round/transition.hpp"
#include "coordinator/store.hpp"

namespace entente::coordinator {

// Makes and stores the initial global model that the plan's seed determines; gives its digest.
// Errors: io; invalid_argument - a model that does not compile.
Result<Digest> prepare_model(const Store& store, const plan::Plan& plan);

// Folds the round's updates into the model, in order of names, and stores the result; gives its
// digest. Errors: io; not_found - a file is missing.
Result<Digest> aggregate(const Store& store, const plan::Plan& plan, const round::Aggregate& task);

}  // namespace entente::coordinator
