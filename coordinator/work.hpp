// SPDX-License-Identifier: Apache-2.0
//
// The coordinator's background work over files: the first model of a plan, and the average of a
// round. Both stream: their memory depends neither on the size of the model nor on the number of
// participants. For a pool thread.
#pragma once

#include <functional>
#include <span>

#include "common/base/digest.hpp"
#include "common/base/result.hpp"
#include "common/plan/plan.hpp"
#include "common/tensor/layout.hpp"
#include "coordinator/round/transition.hpp"
#include "coordinator/store.hpp"

namespace entente::coordinator {

// Makes and stores the initial global model that the plan's seed determines; gives its digest.
// Errors: io; invalid_argument - a model that does not compile.
Result<Digest> prepare_model(const Store& store, const plan::Plan& plan);

// Folds the round's updates into the model, in order of names, and gives the result to `take`,
// block after block, from any thread, one call at a time. `layout` is that of the plan's model.
// Errors: io; not_found - a file is missing; those of `take`.
Result<void> average(const Store& store, const tensor::ParameterLayout& layout,
                     const round::Aggregate& task,
                     const std::function<Result<void>(std::span<const float>)>& take);

// The same, stored; gives the digest.
Result<Digest> aggregate(const Store& store, const tensor::ParameterLayout& layout,
                         const round::Aggregate& task);

}  // namespace entente::coordinator
