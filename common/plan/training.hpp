// SPDX-License-Identifier: Apache-2.0
//
// What each participant does in a round: the plan's table `[training]`, as the programs use it.
//
// Every field and its default: docs/plan.md. A field of another optimiser, schedule or loss than
// the plan's own is an error, not passed over.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/json.hpp"
#include "common/base/result.hpp"
#include "common/engine/loss.hpp"
#include "common/engine/optimizer.hpp"

namespace entente::plan {

inline constexpr std::int64_t local_epochs_max = 1'000;
inline constexpr std::int64_t batch_size_max = 65'536;
inline constexpr std::int64_t schedule_length_max = 1'000'000'000;

// Whether the optimiser's state (momentum, moments, steps made) is forgotten when a round begins,
// or stays at the participant from round to round.
enum class OptimizerState { reset, keep };

// What a learning rate's schedule counts.
enum class ScheduleBy { step, round };

struct Training {
  std::string optimizer = "sgd";     // sgd, adam, adamw, adagrad, rmsprop
  double learning_rate = 0;          // > 0
  double momentum = 0;               // sgd, rmsprop; [0, 1)
  bool nesterov = false;             // sgd
  double beta_1 = 0.9;               // adam, adamw; [0, 1)
  double beta_2 = 0.999;             // adam, adamw; [0, 1)
  double rho = 0.9;                  // rmsprop; [0, 1)
  bool centered = false;             // rmsprop
  double initial_accumulator = 0.1;  // adagrad
  double epsilon = 1e-7;             // all but sgd
  engine::WeightDecay weight_decay;
  engine::Clipping clipping;
  engine::Schedule schedule;
  ScheduleBy schedule_by = ScheduleBy::step;
  OptimizerState optimizer_state = OptimizerState::reset;
  std::uint32_t local_epochs = 1;  // 1 .. local_epochs_max
  std::uint32_t batch_size = 32;   // 1 .. batch_size_max
  std::uint32_t micro_batch = 0;   // rows at once, where fewer than the batch; 0: all of it
  bool recompute = false;          // engine::Saving
  engine::LossSpec loss;
  std::uint64_t seed = 0;  // 0 .. 2^53
};

// The members of `[training]`.
// Errors: malformed - what was expected of which field and what was seen; an unknown field.
Result<Training> read_training(JsonReader& reader);

// What the engine makes of it in round `round` (from 1).
engine::OptimizerSpec optimizer_of(const Training& training, std::uint64_t round);

}  // namespace entente::plan
