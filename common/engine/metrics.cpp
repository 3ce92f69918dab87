// SPDX-License-Identifier: Apache-2.0
#include "common/engine/metrics.hpp"

#include <algorithm>

#include "common/base/assert.hpp"
#include "common/engine/elementary.hpp"

namespace entente::engine {

void ClassificationMetrics::add(std::span<const float> probabilities,
                                std::span<const std::uint32_t> labels, std::size_t classes) {
  ENTENTE_ASSERT(probabilities.size() == labels.size() * classes, "probabilities for other rows");
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const auto of_row = probabilities.subspan(row * classes, classes);
    ENTENTE_ASSERT(labels[row] < classes, "a label that is no class");
    const auto greatest = std::max_element(of_row.begin(), of_row.end());
    if (static_cast<std::size_t>(greatest - of_row.begin()) == labels[row]) ++correct;
    loss_sum -= log_of(std::max(static_cast<double>(of_row[labels[row]]), 1e-7));
  }
  rows += labels.size();
}

void ClassificationMetrics::add(const ClassificationMetrics& more) {
  rows += more.rows;
  correct += more.correct;
  loss_sum += more.loss_sum;
}

}  // namespace entente::engine
