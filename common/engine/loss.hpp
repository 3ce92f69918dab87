// SPDX-License-Identifier: Apache-2.0
//
// Losses: from a model's outputs and the targets to a number and its gradient by the outputs.
//
// A row is one example, or one position of one where the model gives outputs for each (the
// positions of all examples are then rows beside each other). Letters: n = rows, k = outputs of a
// row, z = outputs, y = targets.
//
//     categorical cross-entropy  w * -sum_j y'_j log softmax(z)_j
//                                y' = (1 - smoothing) * y + smoothing / k;  w = the label's weight
//     binary cross-entropy       mean over j of w_j * -(y' log p + (1 - y') log(1 - p)),
//                                p = sigmoid(z_j),  y' = (1 - smoothing) * y_j + smoothing / 2,
//                                w_j = y_j * weight of class 1 + (1 - y_j) * weight of class 0
//     squared, absolute error    mean over j of (z - y)^2, of |z - y|
//     Huber                      mean over j of e^2 / 2 where |e| <= delta, delta * (|e| - delta /
//     2)
//                                beyond; e = z - y
//     quantile (pinball)         mean over j of max(level * e, (level - 1) * e), e = y - z
//
// A batch's loss is the mean over its rows (those that are not masked), weighted rows included, as
// in Keras. Where |e| has no derivative the gradient is 0.
//
// How a network's head uses it: the cross-entropies take the values before the last activation
// (taken_by() names it), so that activation and loss are one step without a logarithm of zero; then
// the head leaves that activation out in training, calls row() for each row of its block with scale
// = 1 / rows counted, and has the gradient by the layer's output before its activation. The other
// losses take the activation's result and give the gradient by that. Row losses are kept and added
// in the rows' order, in double: then neither blocks nor threads change a bit. `mean_and_gradient`
// does all of it for a whole batch.
//
// Immutable; any thread; nothing is allocated after make(). float64 runs the same code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/base/result.hpp"
#include "common/engine/isa.hpp"

namespace entente::engine {

struct CategoricalCrossEntropy {
  double label_smoothing = 0;         // in [0, 1)
  std::vector<double> class_weights;  // one a class, at least 0; none: all 1
  friend bool operator==(const CategoricalCrossEntropy&, const CategoricalCrossEntropy&) = default;
};
struct BinaryCrossEntropy {
  double label_smoothing = 0;         // in [0, 1)
  std::vector<double> class_weights;  // of class 0 and class 1, at least 0; none: both 1
  friend bool operator==(const BinaryCrossEntropy&, const BinaryCrossEntropy&) = default;
};
struct SquaredError {
  friend bool operator==(const SquaredError&, const SquaredError&) = default;
};
struct AbsoluteError {
  friend bool operator==(const AbsoluteError&, const AbsoluteError&) = default;
};
struct Huber {
  double delta = 1;  // above 0
  friend bool operator==(const Huber&, const Huber&) = default;
};
struct Quantile {
  double level = 0.5;  // in (0, 1)
  friend bool operator==(const Quantile&, const Quantile&) = default;
};
using LossSpec = std::variant<CategoricalCrossEntropy, BinaryCrossEntropy, SquaredError,
                              AbsoluteError, Huber, Quantile>;

// What a loss takes as outputs.
enum class LossInput { softmax_logits, sigmoid_logits, predictions };
LossInput taken_by(const LossSpec& loss);

// One of the two. Labels are one a row: the class (categorical), or 0 and 1 (binary, one output).
// Values are [n, k]: a distribution over the classes such as one-hot (categorical), 0 to 1
// (binary), finite numbers (the others).
template <class S>
struct BasicTargets {
  std::span<const std::uint32_t> labels;
  std::span<const S> values;
};
using Targets = BasicTargets<float>;
using Targets64 = BasicTargets<double>;

// Why a loss does not take a row's target of numbers [k].
struct TargetFault {
  std::optional<std::size_t> value;  // which of them; none: all together, whose sum it is
  std::string expected;              // "0 to 1"
  double seen = 0;
};
// Nothing where it takes them.
template <class S>
std::optional<TargetFault> fault_of(const LossSpec& loss, std::span<const S> values);

template <class S>
class BasicLoss {
 public:
  // For rows of `outputs` values.
  // Errors: invalid_argument - a number outside its range, weights for another number of classes.
  static Result<BasicLoss> make(LossSpec spec, std::size_t outputs, Isa isa);

  std::size_t outputs() const { return outputs_; }
  // Whether a row's target may be one label, and how many there are.
  bool takes_labels() const;
  std::size_t label_count() const;

  // Errors: invalid_argument - targets that are not for `rows` rows of this loss; the text names
  // the row (from 0), what was expected and what was seen.
  Result<void> check(const BasicTargets<S>& targets, std::size_t rows) const;

  // One row's loss, and scale * its gradient.
  //   output, gradient  [k], not the same memory; gradient is overwritten
  //   target            row `row` of targets that check() found nothing wrong with
  S row(const S* output, const BasicTargets<S>& targets, std::size_t row, S scale,
        S* gradient) const;

  // The mean loss of a batch and its gradient.
  //   outputs   [n, k]      mask  [n], 0: the row does not count and has the gradient 0; or empty
  //   gradient  [n, k], overwritten        losses  [n], overwritten: each row's, masked or not
  // No row counts: 0, and gradients of 0. A loss that is not finite is given as it is.
  // Errors: invalid_argument - as check(), or a size differs.
  Result<double> mean_and_gradient(std::span<const S> outputs, const BasicTargets<S>& targets,
                                   std::span<const std::uint8_t> mask, std::span<S> gradient,
                                   std::span<S> losses) const;

 private:
  BasicLoss(LossSpec spec, std::size_t outputs, Isa isa);

  LossSpec spec_;
  std::size_t outputs_ = 0;
  Isa isa_;
};

using Loss = BasicLoss<float>;
using Loss64 = BasicLoss<double>;

}  // namespace entente::engine
