// SPDX-License-Identifier: Apache-2.0
#include "common/plan/metrics.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace entente::plan {
namespace {

using For = Metric::For;
using Mean = Metric::Mean;

// Rows of texts without a single token define none of the figures of classes.
constexpr std::array<Metric, 13> metrics{{
    {"accuracy", For::classes, Mean::plain, true},
    {"loss", For::any, Mean::plain, true},
    {"log_loss", For::classes, Mean::plain, true},
    {"perplexity", For::classes, Mean::of_logarithms, true},
    {"top_k_accuracy", For::classes, Mean::plain, true},
    {"precision", For::classes, Mean::plain, true, confusion_classes_max},
    {"recall", For::classes, Mean::plain, true, confusion_classes_max},
    {"f1", For::classes, Mean::plain, true, confusion_classes_max},
    {"roc_auc", For::classes, Mean::plain, true, ranked_classes_max},
    {"average_precision", For::classes, Mean::plain, true, ranked_classes_max},
    {"rmse", For::numbers, Mean::of_squares},
    {"mae", For::numbers},
    {"r2", For::numbers, Mean::plain, true},
}};

constexpr std::string_view top_begin = "top_", top_end = "_accuracy";

}  // namespace

std::optional<std::size_t> top_k_of(std::string_view name) {
  if (!name.starts_with(top_begin) || !name.ends_with(top_end) ||
      name.size() <= top_begin.size() + top_end.size())
    return std::nullopt;
  name.remove_prefix(top_begin.size());
  name.remove_suffix(top_end.size());
  std::size_t k = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), k);
  const bool whole = read.ec == std::errc() && read.ptr == name.data() + name.size();
  if (!whole || k < 2 || k > top_k_max || name.front() == '0') return std::nullopt;
  return k;
}

const Metric* find_metric(std::string_view name) {
  for (const Metric& metric : metrics) {
    if (metric.name == "top_k_accuracy" ? top_k_of(name).has_value() : metric.name == name)
      return &metric;
  }
  return nullptr;
}

std::string metric_names() {
  std::string names;
  for (const Metric& metric : metrics) {
    if (!names.empty()) names += ", ";
    names += metric.name == "top_k_accuracy" ? "top_5_accuracy (2 to 100)" : metric.name;
  }
  return names;
}

double to_averaged(Metric::Mean mean, double value) {
  if (mean == Mean::of_squares) return value * value;
  return mean == Mean::of_logarithms ? std::log(value) : value;
}

double from_averaged(Metric::Mean mean, double averaged) {
  if (mean == Mean::of_squares) return std::sqrt(averaged);
  return mean == Mean::of_logarithms ? std::exp(averaged) : averaged;
}

}  // namespace entente::plan
