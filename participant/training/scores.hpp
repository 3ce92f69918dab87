// SPDX-License-Identifier: Apache-2.0
//
// A plan's metrics (plan/metrics.hpp) over rows that come in parts, added in the caller's order.
// One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/data/dataset.hpp"
#include "common/engine/loss.hpp"
#include "common/engine/metrics.hpp"
#include "common/plan/plan.hpp"

namespace entente::participant::training {

class Scores {
 public:
  // For up to `positions` of them; more only take more time.
  explicit Scores(const plan::Plan& plan, std::size_t positions = 0);
  // Bytes at the peak for so many positions.
  static std::uint64_t memory_bytes(const plan::Plan& plan, std::uint64_t positions);

  // k = outputs of a position. Positions whose label is data::no_label do not count.
  //   predictions  [n, k]
  //   labels       [n], where the plan's targets are classes; else none
  //   values       [n, k], where they are numbers; else none
  void add(std::span<const float> predictions, std::span<const std::uint32_t> labels,
           std::span<const float> values);

  // Those of the plan's metrics that the rows define.
  std::map<std::string, double> figures() const;
  // Null where the targets are numbers, or more than plan::confusion_classes_max classes.
  const engine::ConfusionMatrix* confusion() const { return confusion_ ? &*confusion_ : nullptr; }

 private:
  void add_classes(std::span<const float> predictions, std::span<const std::uint32_t> labels);
  void add_numbers(std::span<const float> predictions, std::span<const float> values);
  std::optional<double> figure(const std::string& metric) const;
  std::optional<double> of_classes(const std::string& metric) const;
  std::optional<double> of_numbers(const std::string& metric) const;

  std::vector<std::string> metrics_;
  data::Target target_;
  bool binary_ = false;        // two classes, one output
  bool distribution_ = false;  // numbers that are a distribution over the outputs
  std::size_t outputs_ = 0;
  engine::ClassificationMetrics sums_;
  std::vector<engine::TopK> tops_;
  std::optional<engine::ConfusionMatrix> confusion_;
  std::vector<engine::RankedScores> ranked_;            // of each class, or of the second of two
  std::vector<engine::RegressionMetrics> regressions_;  // of each number
  std::optional<engine::Loss> loss_;                    // of numbers
  double loss_sum_ = 0;
  std::uint64_t rows_ = 0;
  std::vector<float> kept_, scratch_, losses_;
  std::vector<std::uint32_t> kept_labels_;
};

}  // namespace entente::participant::training
