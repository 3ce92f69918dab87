// SPDX-License-Identifier: Apache-2.0
//
// What the optimiser remembers between rounds, on disk, for plans with `optimizer_state = "keep"`.
// It never leaves the house.
//
//     optimizer/<plan digest>-<round>     as it stood after that round
//
//     file := "entente-optimizer 1\n" and four zero bytes, plan byte[32], model byte[32],
//             round u64, steps u64, count u64, digest byte[32], values float32[count]
//
// all little-endian; the digest is the SHA-256 of the header before it and the values; `model` is
// the round's global model. A file appears by one rename, durably.
//
// A round begins with what the latest round before it left, so that the same round trained again
// gives the same bits; that is why two files stay. What does not fit is thrown away and the
// optimiser begins anew: a state of another plan, of a later round, of this round with another
// model (the plan's history is not the one it was trained in), of another size, or damaged. A
// damaged state of the round itself goes alone: the one before it is what the round begins with.
//
// One thread; one piece of work at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

#include "common/base/digest.hpp"
#include "common/base/result.hpp"
#include "participant/training/training.hpp"

namespace entente::participant {

// Which training a state came of.
struct TrainedRound {
  Digest plan;
  std::uint64_t round = 0;
  Digest model;  // that it began with
};

class OptimizerMemory {
 public:
  // `folder` may not be there yet.
  explicit OptimizerMemory(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // What `next` begins with: nothing when no state of `value_count` values fits. Errors: io.
  Result<std::optional<training::Remembered>> before(const TrainedRound& next,
                                                     std::uint64_t value_count) const;

  // Keeps what `done` left, and what it began with; all other states go. Errors: io.
  Result<void> keep(const TrainedRound& done, std::uint64_t steps,
                    std::span<const float> values) const;

  // All of them go, as far as they can be removed.
  void forget() const;

 private:
  std::filesystem::path path_of(const Digest& plan, std::uint64_t round) const;

  std::filesystem::path folder_;
};

}  // namespace entente::participant
