// SPDX-License-Identifier: Apache-2.0
//
// What the plan's model or loss does not take of the rows, told in the data's own terms: the row,
// counted from 1 as it stands in the data, and the column. Pure. Called when rows are made ready
// and where the engine refuses a batch, which it knows by the batch's order alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/base/result.hpp"
#include "common/engine/network.hpp"
#include "participant/training/training.hpp"

namespace entente::participant::training {

// "row 17", of the dataset's row 16.
std::string place_of(std::size_t row);

// Whether the plan's loss takes the targets of all rows, those held out too.
// Errors: malformed - the first row in the data's order whose target it does not take, with what
// stands there unless cells are withheld.
Result<void> check_targets(const Setting& setting, data::Cells cells);

// `error`, which the engine gave for the dataset's `rows` gathered as `batch`: where one of them is
// what it does not take, Errc::malformed with that row and column and without what stands there (it
// may go to a log); otherwise as it is.
Error in_terms_of_data(const Setting& setting, std::span<const std::uint32_t> rows,
                       const engine::Batch& batch, Error error);

}  // namespace entente::participant::training
