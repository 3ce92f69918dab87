// SPDX-License-Identifier: Apache-2.0
//
// Randomness that repeats: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011), a function from (key, counter) to 128 bits, so that any block of a stream can be
// made alone, on any thread.
//
// For seeds, shuffles, initial weights and simulation. Never for secrets: those come from
// crypto/random.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace entente {

// The Philox4x32-10 function.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 2> key,
                                    std::array<std::uint32_t, 4> counter);

// A stream of numbers named by (seed, stream). Copyable: a copy goes on from the same place.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0);
  std::uint32_t next32();
  std::uint64_t next64();
  // Uniform in [0, bound), without bias. Precondition: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1), 53 bits.
  double uniform();
  // True with probability `p`.
  bool chance(double p) { return uniform() < p; }

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  std::size_t used_ = 4;
};

// Fisher-Yates with `random`; the same order on every machine.
template <class T>
void shuffle(std::span<T> items, Random& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

}  // namespace entente
