// SPDX-License-Identifier: Apache-2.0
//
// A plan made ready to run on local rows: what the daemon's workbench and the command `check`
// share.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <string>

#include "common/data/dataset.hpp"
#include "common/engine/network.hpp"
#include "common/plan/plan.hpp"
#include "participant/policy.hpp"
#include "participant/training/training.hpp"

namespace entente::participant {

// Immutable once made; any thread.
struct Prepared {
  std::shared_ptr<const plan::Plan> plan;
  std::string participant;
  engine::Network network;
  data::Dataset dataset;
  data::Split split;

  training::Setting setting() const { return {*plan, network, dataset, participant}; }
};
using PreparedRef = std::shared_ptr<const Prepared>;

// Reads the rows, looks at all their targets, and compiles the network. `cells`: withheld where the
// error may go to a log.
// Errors: malformed, not_found, io, invalid_argument - the data do not fit the plan or cannot be
// read; rejected - there is no memory for them.
Result<PreparedRef> prepare(std::shared_ptr<const plan::Plan> plan, const data::Source& source,
                            const std::string& participant, std::uint64_t memory_max_bytes,
                            data::Cells cells);

Suitability suitability_of(const Prepared& prepared);

// Why work on these rows ends when memory cannot be had: "needs 3051.2 MiB (...)", with what helps.
// Errc::rejected; the text tells of the rows' memory and is for this house alone.
Error too_large(const Prepared& prepared);

// `work()`, a Result, with too_large in the place of the std::bad_alloc that may end it: the
// buffers of a model, an optimiser and a workspace are as large as the plan asks for.
template <class Work>
auto within_memory(const Prepared& prepared, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return too_large(prepared);
  }
}

// "3051.2 MiB", "1.5 KiB".
std::string in_units(std::uint64_t bytes);

}  // namespace entente::participant
