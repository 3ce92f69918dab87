// SPDX-License-Identifier: Apache-2.0
#include "coordinator/aggregation/aggregation.hpp"

#include <numeric>

#include "common/base/assert.hpp"

namespace entente::coordinator::aggregation {

std::vector<double> weights_of(std::span<const std::uint64_t> examples) {
  const std::uint64_t total = std::accumulate(examples.begin(), examples.end(), std::uint64_t{0});
  ENTENTE_ASSERT(total > 0, "an average of nothing");
  std::vector<double> weights;
  weights.reserve(examples.size());
  for (const std::uint64_t count : examples) {
    weights.push_back(static_cast<double>(count) / static_cast<double>(total));
  }
  return weights;
}

void add_weighted(std::span<const float> update, double weight, std::span<double> sum) {
  ENTENTE_ASSERT(update.size() == sum.size(), "blocks of different sizes");
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += weight * static_cast<double>(update[i]);
}

void finish(std::span<const double> sum, std::span<float> model) {
  ENTENTE_ASSERT(sum.size() == model.size(), "blocks of different sizes");
  for (std::size_t i = 0; i < sum.size(); ++i) {
    model[i] = static_cast<float>(static_cast<double>(model[i]) + sum[i]);
  }
}

}  // namespace entente::coordinator::aggregation
