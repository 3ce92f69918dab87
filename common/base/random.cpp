// SPDX-License-Identifier: Apache-2.0
#include "common/base/random.hpp"

#include "common/base/assert.hpp"

namespace entente {
namespace {

constexpr int rounds = 10;
constexpr std::uint64_t multiplier_0 = 0xD2511F53;
constexpr std::uint64_t multiplier_1 = 0xCD9E8D57;
constexpr std::uint32_t weyl_0 = 0x9E3779B9;  // golden ratio
constexpr std::uint32_t weyl_1 = 0xBB67AE85;  // sqrt(3) - 1

std::uint32_t low(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}
std::uint32_t high(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32U);
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 2> key,
                                    std::array<std::uint32_t, 4> counter) {
  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t product_0 = multiplier_0 * counter[0];
    const std::uint64_t product_1 = multiplier_1 * counter[2];
    counter = {high(product_1) ^ counter[1] ^ key[0], low(product_1),
               high(product_0) ^ counter[3] ^ key[1], low(product_0)};
    key[0] += weyl_0;
    key[1] += weyl_1;
  }
  return counter;
}

Random::Random(std::uint64_t seed, std::uint64_t stream)
    : key_{low(seed), high(seed)}, counter_{0, 0, low(stream), high(stream)} {}

std::uint32_t Random::next32() {
  if (used_ == block_.size()) {
    block_ = philox(key_, counter_);
    used_ = 0;
    if (++counter_[0] == 0) ++counter_[1];
  }
  return block_[used_++];
}

std::uint64_t Random::next64() {
  const std::uint64_t first = next32();
  return first | static_cast<std::uint64_t>(next32()) << 32U;
}

std::uint64_t Random::below(std::uint64_t bound) {
  ENTENTE_ASSERT(bound > 0, "nothing is below 0");
  // The lowest 2^64 mod bound numbers would favour the small remainders.
  const std::uint64_t biased = (0 - bound) % bound;
  std::uint64_t number = next64();
  while (number < biased) number = next64();
  return number % bound;
}

double Random::uniform() {
  return static_cast<double>(next64() >> 11U) * 0x1.0p-53;
}

}  // namespace entente
