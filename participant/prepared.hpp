// SPDX-License-Identifier: Apache-2.0
//
// A plan made ready to run on local rows: what the daemon's workbench and the command `check`
// share.
#pragma once

#include <cstdint>
#include <memory>
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

// Reads the rows and compiles the network.
// Errors: malformed, not_found, io, invalid_argument - the data do not fit the plan or cannot be
// read.
Result<PreparedRef> prepare(std::shared_ptr<const plan::Plan> plan, const data::Source& source,
                            const std::string& participant, std::uint64_t memory_max_bytes);

Suitability suitability_of(const Prepared& prepared);

}  // namespace entente::participant
