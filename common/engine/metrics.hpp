// SPDX-License-Identifier: Apache-2.0
//
// What predictions are worth. Each is a value that begins empty, takes rows and takes others of its
// kind; so parts of the data, threads or participants give the figures of the whole.
//
//     ClassificationMetrics   accuracy, log-loss, perplexity           sums
//     TopK                    the label among the k most probable      counts
//     ConfusionMatrix         precision, recall, F1                    counts
//     RankedScores            ROC AUC, average precision               the scores themselves: exact
//     RegressionMetrics       RMSE, MAE, R2                            sums, moments
//
// Sums are in double, added in the caller's order: the same predictions in the same order give the
// same bits. Counts and RankedScores give the same bits in any order. A figure that the rows do not
// define (a class that is missing, targets that are all alike, no rows) is nothing rather than a
// number, but for the means of ClassificationMetrics and TopK, which are 0 for no rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace entente::engine {

struct ClassificationMetrics {
  std::uint64_t rows = 0;
  std::uint64_t correct = 0;  // the greatest probability is the label's; of equals the first counts
  double loss_sum = 0;  // nats; a probability below 1e-7 (as in Keras), or NaN, counts as that

  // probabilities [n, classes]; labels [n], below `classes`.
  void add(std::span<const float> probabilities, std::span<const std::uint32_t> labels,
           std::size_t classes);
  // One output: probabilities [n] of class 1, which is the prediction above 1/2; labels [n], 0
  // or 1.
  void add_binary(std::span<const float> probabilities, std::span<const std::uint32_t> labels);
  void add(const ClassificationMetrics& more);

  // 0 when there are no rows.
  double accuracy() const {
    return rows == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(rows);
  }
  double mean_loss() const { return rows == 0 ? 0 : loss_sum / static_cast<double>(rows); }
  // e^mean_loss: 1 for perfect predictions, the number of classes for guesses. 1 for no rows.
  double perplexity() const;
};

struct TopK {
  std::size_t k = 5;  // at least 1
  std::uint64_t rows = 0, correct = 0;

  // As above. Of equal probabilities the first class is the more probable, so k = 1 is accuracy.
  void add(std::span<const float> probabilities, std::span<const std::uint32_t> labels,
           std::size_t classes);
  void add(const TopK& more);
  double accuracy() const {
    return rows == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(rows);
  }
};

// counts[label, predicted].
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::size_t classes);

  // Precondition: both below classes().
  void add(std::uint32_t label, std::uint32_t predicted) {
    ++counts_[label * classes_ + predicted];
  }
  // The class of the greatest probability, of equals the first. As above.
  void add(std::span<const float> probabilities, std::span<const std::uint32_t> labels);
  // Precondition: as many classes.
  void add(const ConfusionMatrix& more);

  std::size_t classes() const { return classes_; }
  std::span<const std::uint64_t> counts() const { return counts_; }  // [classes, classes]
  std::uint64_t count(std::size_t label, std::size_t predicted) const {
    return counts_[label * classes_ + predicted];
  }
  std::uint64_t rows() const;
  std::optional<double> accuracy() const;

  // Of one class: right of those predicted to be it; of those that are it; their harmonic mean,
  // 2 right / (labelled + predicted). Nothing where the denominator is 0.
  std::optional<double> precision(std::size_t of_class) const;
  std::optional<double> recall(std::size_t of_class) const;
  std::optional<double> f1(std::size_t of_class) const;

  // The plain means over the classes that occur as a label or a prediction; what is nothing for one
  // of these counts as 0 (as in scikit-learn). Nothing when there are no rows.
  struct Macro {
    double precision = 0, recall = 0, f1 = 0;
  };
  std::optional<Macro> macro() const;

 private:
  std::uint64_t labelled(std::size_t of_class) const;
  std::uint64_t predicted(std::size_t of_class) const;

  std::size_t classes_;
  std::vector<std::uint64_t> counts_;
};

// Scores of rows that are positive or not; a higher score says positive. Keeps each: eight bytes a
// row.
class RankedScores {
 public:
  // [n] each; labels 0 or 1.
  void add(std::span<const float> scores, std::span<const std::uint32_t> labels);
  // Class `positive` against the rest. As above.
  void add(std::span<const float> probabilities, std::span<const std::uint32_t> labels,
           std::size_t classes, std::size_t positive);
  void add(const RankedScores& more);
  // Room for so many rows, so that it does not grow while they come.
  void reserve(std::size_t rows) { rows_.reserve(rows); }
  // Bytes that so many rows take; a figure takes as much again while it is worked out.
  static constexpr std::uint64_t bytes_of(std::uint64_t rows) { return rows * sizeof(Row); }

  std::size_t rows() const { return rows_.size(); }

  // The chance that a positive row has a higher score than a negative one, equal scores counting
  // half: the area under the ROC curve with a straight line over each run of equal scores.
  // Nothing when one of the two kinds is missing, or a score is NaN.
  std::optional<double> roc_auc() const;
  // The sum over the distinct scores, from the highest, of the recall that the rows of that score
  // add, times the precision of all rows down to and including them (no interpolation; equal scores
  // are one threshold, as in scikit-learn). Nothing when no row is positive, or a score is NaN.
  std::optional<double> average_precision() const;

 private:
  struct Row {
    float score = 0;
    std::uint32_t positive = 0;
  };
  // From the highest score; empty when one is NaN.
  std::vector<Row> sorted() const;

  std::vector<Row> rows_;
};

// One output; for several one of these each.
class RegressionMetrics {
 public:
  // [n] each.
  void add(std::span<const float> predictions, std::span<const float> targets);
  void add(const RegressionMetrics& more);

  std::uint64_t rows() const { return rows_; }
  std::optional<double> rmse() const;  // nothing without rows, as the next
  std::optional<double> mae() const;
  // 1 - squares of the errors / squares of the targets' deviations from their mean. Nothing where
  // the targets are all alike.
  std::optional<double> r2() const;

 private:
  std::uint64_t rows_ = 0;
  double squares_ = 0, absolutes_ = 0;        // of the errors
  double mean_ = 0, squared_deviations_ = 0;  // of the targets
};

}  // namespace entente::engine
