// SPDX-License-Identifier: Apache-2.0
#include "common/engine/metrics.hpp"

#include <algorithm>
#include <cmath>

#include "common/base/assert.hpp"
#include "common/engine/elementary.hpp"

namespace entente::engine {
namespace {

constexpr double probability_least = 1e-7;

double ratio(std::uint64_t part, std::uint64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}
std::optional<double> ratio_or_none(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return std::nullopt;
  return ratio(part, whole);
}

// Calls each(probabilities of the row, label).
template <class Each>
void for_each_row(std::span<const float> probabilities, std::span<const std::uint32_t> labels,
                  std::size_t classes, const Each& each) {
  ENTENTE_ASSERT(probabilities.size() == labels.size() * classes, "probabilities for other rows");
  for (std::size_t row = 0; row < labels.size(); ++row) {
    ENTENTE_ASSERT(labels[row] < classes, "a label that is no class");
    each(probabilities.subspan(row * classes, classes), labels[row]);
  }
}

std::size_t greatest_of(std::span<const float> values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

// What is no finite number counts as the least: log_of knows none but finite ones.
double loss_of(double probability) {
  const bool known = probability >= probability_least && std::isfinite(probability);
  return -log_of(known ? probability : probability_least);
}

}  // namespace

void ClassificationMetrics::add(std::span<const float> probabilities,
                                std::span<const std::uint32_t> labels, std::size_t classes) {
  for_each_row(probabilities, labels, classes,
               [this](std::span<const float> of_row, std::uint32_t label) {
                 if (greatest_of(of_row) == label) ++correct;
                 loss_sum += loss_of(static_cast<double>(of_row[label]));
               });
  rows += labels.size();
}

void ClassificationMetrics::add_binary(std::span<const float> probabilities,
                                       std::span<const std::uint32_t> labels) {
  ENTENTE_ASSERT(probabilities.size() == labels.size(), "probabilities for other rows");
  for (std::size_t row = 0; row < labels.size(); ++row) {
    ENTENTE_ASSERT(labels[row] < 2, "a label that is no class");
    const auto probability = static_cast<double>(probabilities[row]);
    if ((probability > 0.5) == (labels[row] == 1)) ++correct;
    loss_sum += loss_of(labels[row] == 1 ? probability : 1 - probability);
  }
  rows += labels.size();
}

void ClassificationMetrics::add(const ClassificationMetrics& more) {
  rows += more.rows;
  correct += more.correct;
  loss_sum += more.loss_sum;
}

double ClassificationMetrics::perplexity() const {
  return exp_of(mean_loss());
}

void TopK::add(std::span<const float> probabilities, std::span<const std::uint32_t> labels,
               std::size_t classes) {
  for_each_row(probabilities, labels, classes,
               [this](std::span<const float> of_row, std::uint32_t label) {
                 // A label's own NaN is before nothing and behind nothing: it is not among them.
                 std::size_t before = of_row[label] == of_row[label] ? 0 : k;
                 for (std::size_t i = 0; i < of_row.size(); ++i) {
                   const bool first = of_row[i] == of_row[label] && i < label;
                   if (of_row[i] > of_row[label] || first) ++before;
                 }
                 if (before < k) ++correct;
               });
  rows += labels.size();
}

void TopK::add(const TopK& more) {
  ENTENTE_ASSERT(k == more.k, "two different k");
  rows += more.rows;
  correct += more.correct;
}

ConfusionMatrix::ConfusionMatrix(std::size_t classes)
    : classes_(classes), counts_(classes * classes) {}

void ConfusionMatrix::add(std::span<const float> probabilities,
                          std::span<const std::uint32_t> labels) {
  for_each_row(probabilities, labels, classes_,
               [this](std::span<const float> of_row, std::uint32_t label) {
                 add(label, static_cast<std::uint32_t>(greatest_of(of_row)));
               });
}

void ConfusionMatrix::add(const ConfusionMatrix& more) {
  ENTENTE_ASSERT(classes_ == more.classes_, "matrices of different classes");
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += more.counts_[i];
}

std::uint64_t ConfusionMatrix::rows() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t cell : counts_) sum += cell;
  return sum;
}

std::uint64_t ConfusionMatrix::labelled(std::size_t of_class) const {
  std::uint64_t sum = 0;
  for (std::size_t other = 0; other < classes_; ++other) sum += count(of_class, other);
  return sum;
}

std::uint64_t ConfusionMatrix::predicted(std::size_t of_class) const {
  std::uint64_t sum = 0;
  for (std::size_t other = 0; other < classes_; ++other) sum += count(other, of_class);
  return sum;
}

std::optional<double> ConfusionMatrix::accuracy() const {
  std::uint64_t right = 0;
  for (std::size_t each = 0; each < classes_; ++each) right += count(each, each);
  return ratio_or_none(right, rows());
}

std::optional<double> ConfusionMatrix::precision(std::size_t of_class) const {
  return ratio_or_none(count(of_class, of_class), predicted(of_class));
}

std::optional<double> ConfusionMatrix::recall(std::size_t of_class) const {
  return ratio_or_none(count(of_class, of_class), labelled(of_class));
}

std::optional<double> ConfusionMatrix::f1(std::size_t of_class) const {
  return ratio_or_none(2 * count(of_class, of_class), labelled(of_class) + predicted(of_class));
}

std::optional<ConfusionMatrix::Macro> ConfusionMatrix::macro() const {
  Macro sums;
  std::uint64_t occurring = 0;
  for (std::size_t each = 0; each < classes_; ++each) {
    const auto of_class = f1(each);
    if (!of_class) continue;
    ++occurring;
    sums.precision += precision(each).value_or(0);
    sums.recall += recall(each).value_or(0);
    sums.f1 += *of_class;
  }
  if (occurring == 0) return std::nullopt;
  const auto classes = static_cast<double>(occurring);
  return Macro{sums.precision / classes, sums.recall / classes, sums.f1 / classes};
}

void RankedScores::add(std::span<const float> scores, std::span<const std::uint32_t> labels) {
  ENTENTE_ASSERT(scores.size() == labels.size(), "scores for other rows");
  for (std::size_t row = 0; row < scores.size(); ++row) {
    ENTENTE_ASSERT(labels[row] < 2, "a label that is no class");
    rows_.push_back({scores[row], labels[row]});
  }
}

void RankedScores::add(std::span<const float> probabilities, std::span<const std::uint32_t> labels,
                       std::size_t classes, std::size_t positive) {
  ENTENTE_ASSERT(positive < classes, "a class that is none");
  for_each_row(probabilities, labels, classes,
               [&](std::span<const float> of_row, std::uint32_t label) {
                 rows_.push_back({of_row[positive], label == positive ? 1U : 0U});
               });
}

void RankedScores::add(const RankedScores& more) {
  const std::vector<Row> copy = more.rows_;  // `more` may be this
  rows_.insert(rows_.end(), copy.begin(), copy.end());
}

std::vector<RankedScores::Row> RankedScores::sorted() const {
  std::vector<Row> rows = rows_;
  if (std::ranges::any_of(rows, [](const Row& row) { return std::isnan(row.score); })) return {};
  std::ranges::sort(rows, [](const Row& a, const Row& b) { return a.score > b.score; });
  return rows;
}

std::optional<double> RankedScores::roc_auc() const {
  const std::vector<Row> rows = sorted();
  std::uint64_t positives = 0, negatives = 0;  // so far
  std::uint64_t twice_won = 0;  // pairs: 2 where the positive is above, 1 where both are equal
  for (std::size_t i = 0; i < rows.size();) {
    const float score = rows[i].score;
    std::uint64_t here[2] = {};
    for (; i < rows.size() && rows[i].score == score; ++i) ++here[rows[i].positive];
    twice_won += here[0] * (2 * positives + here[1]);
    positives += here[1];
    negatives += here[0];
  }
  if (positives == 0 || negatives == 0) return std::nullopt;
  return static_cast<double>(twice_won) /
         (2.0 * static_cast<double>(positives) * static_cast<double>(negatives));
}

std::optional<double> RankedScores::average_precision() const {
  const std::vector<Row> rows = sorted();
  std::uint64_t all = 0;
  for (const Row& row : rows) all += row.positive;
  if (all == 0) return std::nullopt;
  double sum = 0;
  std::uint64_t positives = 0;
  for (std::size_t i = 0; i < rows.size();) {
    const float score = rows[i].score;
    const std::uint64_t before = positives;
    for (; i < rows.size() && rows[i].score == score; ++i) positives += rows[i].positive;
    sum += ratio(positives - before, all) * ratio(positives, i);
  }
  return sum;
}

void RegressionMetrics::add(std::span<const float> predictions, std::span<const float> targets) {
  ENTENTE_ASSERT(predictions.size() == targets.size(), "predictions for other rows");
  for (std::size_t row = 0; row < targets.size(); ++row) {
    const auto target = static_cast<double>(targets[row]);
    const double error = static_cast<double>(predictions[row]) - target;
    squares_ += error * error;
    absolutes_ += std::abs(error);
    // Welford: no difference of two large sums.
    ++rows_;
    const double from_mean = target - mean_;
    mean_ += from_mean / static_cast<double>(rows_);
    squared_deviations_ += from_mean * (target - mean_);
  }
}

void RegressionMetrics::add(const RegressionMetrics& more) {
  if (more.rows_ == 0) return;
  const auto here = static_cast<double>(rows_), there = static_cast<double>(more.rows_);
  const double apart = more.mean_ - mean_;
  squared_deviations_ += more.squared_deviations_ + apart * apart * (here * there / (here + there));
  mean_ += apart * (there / (here + there));
  rows_ += more.rows_;
  squares_ += more.squares_;
  absolutes_ += more.absolutes_;
}

std::optional<double> RegressionMetrics::rmse() const {
  if (rows_ == 0) return std::nullopt;
  return std::sqrt(squares_ / static_cast<double>(rows_));
}

std::optional<double> RegressionMetrics::mae() const {
  if (rows_ == 0) return std::nullopt;
  return absolutes_ / static_cast<double>(rows_);
}

std::optional<double> RegressionMetrics::r2() const {
  if (!(squared_deviations_ > 0)) return std::nullopt;
  return 1 - squares_ / squared_deviations_;
}

}  // namespace entente::engine
