// SPDX-License-Identifier: Apache-2.0
//
// The figures that an evaluation may report, by name, and how institutions' figures become one.
// What each means: docs/plan.md; how it is computed: engine/metrics.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace entente::plan {

inline constexpr std::size_t top_k_max = 100;
// More classes than these have no ranked metrics (each class keeps a score a row), and none of a
// confusion matrix (its size is their square).
inline constexpr std::size_t ranked_classes_max = 100;
inline constexpr std::size_t confusion_classes_max = 1'000;

struct Metric {
  // Targets that it is for.
  enum class For { any, classes, numbers };
  // What is averaged, weighted by examples, and turned back: so the mean of RMSE is the RMSE of all
  // rows together, and that of perplexity their perplexity.
  enum class Mean { plain, of_squares, of_logarithms };

  std::string_view name;
  For targets = For::any;
  Mean mean = Mean::plain;
  // Some rows do not define it (a class is missing, targets are all alike, no position has a
  // label): it is then left out of the report. Others are always there.
  bool may_be_undefined = false;
  std::size_t classes_max = 0;  // that it is for; 0: any number
};

// "top_5_accuracy" is found as "top_k_accuracy". Null: no such metric.
const Metric* find_metric(std::string_view name);
// The k of such a name, from 2 to top_k_max.
std::optional<std::size_t> top_k_of(std::string_view name);
// All names, for an error.
std::string metric_names();

// What is averaged instead of `value`, and the way back.
double to_averaged(Metric::Mean mean, double value);
double from_averaged(Metric::Mean mean, double averaged);

}  // namespace entente::plan
