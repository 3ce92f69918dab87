// SPDX-License-Identifier: Apache-2.0
//
// What predictions are worth: accuracy and mean loss, as sums in double that are added in the
// caller's order. The same predictions in the same order: the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace entente::engine {

struct ClassificationMetrics {
  std::uint64_t rows = 0;
  std::uint64_t correct = 0;  // the greatest probability is the label's; of equals the first counts
  double loss_sum = 0;        // nats; a probability below 1e-7 counts as that (as in Keras)

  // probabilities [n, classes]; labels [n], below `classes`.
  void add(std::span<const float> probabilities, std::span<const std::uint32_t> labels,
           std::size_t classes);
  void add(const ClassificationMetrics& more);

  // 0 when there are no rows.
  double accuracy() const {
    return rows == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(rows);
  }
  double mean_loss() const { return rows == 0 ? 0 : loss_sum / static_cast<double>(rows); }
};

}  // namespace entente::engine
