// SPDX-License-Identifier: Apache-2.0
#include "common/engine/loss.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "common/base/assert.hpp"
#include "common/base/parallel.hpp"
#include "common/engine/denormals.hpp"
#include "common/engine/elementary.hpp"
#include "common/engine/kernels.hpp"

namespace entente::engine {
namespace {

constexpr std::size_t rows_a_task = 64;
// How far the sum of a row's target distribution may be from 1.
constexpr double distribution_slack = 1e-3;

Error invalid(std::string text) {
  return Error{Errc::invalid_argument, std::move(text)};
}

Result<void> check_smoothing(double smoothing) {
  if (smoothing >= 0 && smoothing < 1) return ok();
  return invalid("label smoothing is " + std::to_string(smoothing) +
                 "; expected at least 0 and below 1");
}
Result<void> check_weights(const std::vector<double>& weights, std::size_t classes) {
  if (weights.empty()) return ok();
  if (weights.size() != classes) {
    return invalid("expected " + std::to_string(classes) + " class weights, saw " +
                   std::to_string(weights.size()));
  }
  for (const double weight : weights) {
    if (weight >= 0 && std::isfinite(weight)) continue;
    return invalid("a class weight is " + std::to_string(weight) + "; expected at least 0");
  }
  return ok();
}

Result<void> check_spec(const CategoricalCrossEntropy& loss, std::size_t outputs) {
  if (outputs < 2) return invalid("categorical cross-entropy needs at least 2 outputs");
  if (auto fine = check_smoothing(loss.label_smoothing); !fine) return fine;
  return check_weights(loss.class_weights, outputs);
}
Result<void> check_spec(const BinaryCrossEntropy& loss, std::size_t) {
  if (auto fine = check_smoothing(loss.label_smoothing); !fine) return fine;
  return check_weights(loss.class_weights, 2);
}
Result<void> check_spec(const SquaredError&, std::size_t) {
  return ok();
}
Result<void> check_spec(const AbsoluteError&, std::size_t) {
  return ok();
}
Result<void> check_spec(const Huber& loss, std::size_t) {
  if (loss.delta > 0 && std::isfinite(loss.delta)) return ok();
  return invalid("Huber's delta is " + std::to_string(loss.delta) + "; expected a number above 0");
}
Result<void> check_spec(const Quantile& loss, std::size_t) {
  if (loss.level > 0 && loss.level < 1) return ok();
  return invalid("the quantile's level is " + std::to_string(loss.level) +
                 "; expected above 0 and below 1");
}

std::string of_row(std::size_t row) {
  return "the target of row " + std::to_string(row) + " (from 0)";
}

// The first of the values that is not as it must be.
template <class S, class Fine>
std::optional<TargetFault> first_fault(std::span<const S> values, std::string_view expected,
                                       const Fine& fine) {
  const auto bad = std::ranges::find_if_not(values, fine);
  if (bad == values.end()) return std::nullopt;
  return TargetFault{static_cast<std::size_t>(bad - values.begin()), std::string(expected),
                     static_cast<double>(*bad)};
}

template <class S>
std::optional<TargetFault> fault(const CategoricalCrossEntropy&, std::span<const S> values) {
  auto negative = first_fault(values, "at least 0", [](S value) { return value >= 0; });
  if (negative) return negative;
  double sum = 0;
  for (const S value : values) sum += static_cast<double>(value);
  if (std::abs(sum - 1) <= distribution_slack) return std::nullopt;
  return TargetFault{std::nullopt, "1", sum};
}
template <class S>
std::optional<TargetFault> fault(const BinaryCrossEntropy&, std::span<const S> values) {
  return first_fault(values, "0 to 1", [](S value) { return value >= 0 && value <= 1; });
}
template <class Spec, class S>
std::optional<TargetFault> fault(const Spec&, std::span<const S> values) {
  return first_fault(values, "a finite number", [](S value) { return std::isfinite(value); });
}

// log(1 + x) for x in [0, 1]: 2 (s + s^3 / 3 + s^5 / 5 ...), s = x / (2 + x) <= 1/3. Unlike
// log_of(1 + x) it is right relative to its value where x is small.
template <class S>
S log_of_one_and(S x) {
  constexpr int terms = sizeof(S) == sizeof(float) ? 8 : 17;
  const S s = x / (S(2) + x);
  const S square = s * s;
  S series = 0;
  for (int term = terms; term > 0; --term) series = (series + S(1) / S(2 * term + 1)) * square;
  return S(2) * s + S(2) * s * series;
}

// One row of each loss.
template <class S>
struct Row {
  const Kernels<S>& kernels;
  const S* output;
  std::size_t outputs;
  const std::uint32_t* label;  // or null
  const S* target;             // or null
  S scale;
  S* gradient;

  S of(const CategoricalCrossEntropy& loss) const {
    const auto smoothing = static_cast<S>(loss.label_smoothing);
    // Around the label (the greatest target): what is left of the others is small.
    const std::size_t at =
        label != nullptr
            ? *label
            : static_cast<std::size_t>(std::max_element(target, target + outputs) - target);
    const S weight = loss.class_weights.empty() ? S(1) : static_cast<S>(loss.class_weights[at]);
    const S part = weight * scale;
    const S hard = kernels.cross_entropy(output, outputs, at, part, gradient);
    if (target == nullptr && smoothing == S(0)) return weight * hard;
    // y' = one-hot(at) + d: the loss is hard + sum of d_j (z_at - z_j), the gradient hard's - d.
    S moved = 0;
    for (std::size_t j = 0; j < outputs; ++j) {
      const S one_hot = j == at ? S(1) : S(0);
      const S wanted = target == nullptr ? one_hot : target[j];
      const S d = (wanted - one_hot) + smoothing * (S(1) / static_cast<S>(outputs) - wanted);
      moved += d * (output[at] - output[j]);
      gradient[j] -= part * d;
    }
    return weight * (hard + moved);
  }

  S of(const BinaryCrossEntropy& loss) const {
    const auto smoothing = static_cast<S>(loss.label_smoothing);
    const bool weighted = !loss.class_weights.empty();
    const S weight_0 = weighted ? static_cast<S>(loss.class_weights[0]) : S(1);
    const S weight_1 = weighted ? static_cast<S>(loss.class_weights[1]) : S(1);
    return over_outputs([&](S z, S y, S& slope) {
      const S weight = y * weight_1 + (S(1) - y) * weight_0;
      const S wanted = (S(1) - smoothing) * y + smoothing / S(2);
      const S small = exp_of(z < S(0) ? z : -z), log_1 = log_of_one_and(small);
      // sigmoid(z), 1 - sigmoid(z), and their negative logarithms.
      const S p = (z < S(0) ? small : S(1)) / (S(1) + small);
      const S rest = (z < S(0) ? S(1) : small) / (S(1) + small);
      const S cost_of_1 = (z < S(0) ? -z : S(0)) + log_1;
      const S cost_of_0 = (z < S(0) ? S(0) : z) + log_1;
      slope = weight * ((S(1) - wanted) * p - wanted * rest);
      return weight * (wanted * cost_of_1 + (S(1) - wanted) * cost_of_0);
    });
  }

  S of(const SquaredError&) const {
    return over_outputs([](S z, S y, S& slope) {
      slope = S(2) * (z - y);
      return (z - y) * (z - y);
    });
  }
  S of(const AbsoluteError&) const {
    return over_outputs([](S z, S y, S& slope) {
      const S error = z - y;
      slope = static_cast<S>((error > S(0)) - (error < S(0)));
      return error < S(0) ? -error : error;
    });
  }
  S of(const Huber& loss) const {
    const auto delta = static_cast<S>(loss.delta);
    return over_outputs([delta](S z, S y, S& slope) {
      const S error = z - y, size = error < S(0) ? -error : error;
      const bool near = size <= delta;
      slope = near ? error : (error < S(0) ? -delta : delta);
      return near ? error * error / S(2) : delta * (size - delta / S(2));
    });
  }
  S of(const Quantile& loss) const {
    const auto level = static_cast<S>(loss.level);
    return over_outputs([level](S z, S y, S& slope) {
      const S error = y - z;
      slope = error > S(0) ? -level : (error < S(0) ? S(1) - level : S(0));
      return error < S(0) ? (level - S(1)) * error : level * error;
    });
  }

  // The mean over the outputs of each(z, y, slope); `slope` is the gradient by z.
  template <class Each>
  S over_outputs(const Each& each) const {
    const S part = scale / static_cast<S>(outputs);
    S sum = 0;
    for (std::size_t j = 0; j < outputs; ++j) {
      S slope = 0;
      sum += each(output[j], target == nullptr ? static_cast<S>(*label) : target[j], slope);
      gradient[j] = part * slope;
    }
    return sum / static_cast<S>(outputs);
  }
};

}  // namespace

template <class S>
std::optional<TargetFault> fault_of(const LossSpec& loss, std::span<const S> values) {
  return std::visit([&](const auto& spec) { return fault(spec, values); }, loss);
}
template std::optional<TargetFault> fault_of(const LossSpec&, std::span<const float>);
template std::optional<TargetFault> fault_of(const LossSpec&, std::span<const double>);

template <class S>
BasicLoss<S>::BasicLoss(LossSpec spec, std::size_t outputs, Isa isa)
    : spec_(std::move(spec)), outputs_(outputs), isa_(isa) {}

template <class S>
Result<BasicLoss<S>> BasicLoss<S>::make(LossSpec spec, std::size_t outputs, Isa isa) {
  ENTENTE_ASSERT(supported(isa),
                 "kernels for an instruction set that this processor does not have");
  if (outputs == 0) return invalid("a loss over no outputs");
  const auto fine = std::visit([&](const auto& loss) { return check_spec(loss, outputs); }, spec);
  if (!fine) return fine.error();
  return BasicLoss(std::move(spec), outputs, isa);
}

LossInput taken_by(const LossSpec& loss) {
  if (std::holds_alternative<CategoricalCrossEntropy>(loss)) return LossInput::softmax_logits;
  if (std::holds_alternative<BinaryCrossEntropy>(loss)) return LossInput::sigmoid_logits;
  return LossInput::predictions;
}

template <class S>
bool BasicLoss<S>::takes_labels() const {
  const LossInput takes = taken_by(spec_);
  return takes == LossInput::softmax_logits ||
         (takes == LossInput::sigmoid_logits && outputs_ == 1);
}

template <class S>
std::size_t BasicLoss<S>::label_count() const {
  return taken_by(spec_) == LossInput::softmax_logits ? outputs_ : 2;
}

template <class S>
Result<void> BasicLoss<S>::check(const BasicTargets<S>& targets, std::size_t rows) const {
  if (!targets.labels.empty() && !targets.values.empty()) return invalid("two kinds of targets");
  if (targets.values.empty()) {
    if (!takes_labels() && rows != 0) {
      return invalid("expected targets of " + std::to_string(outputs_) +
                     " numbers a row, saw labels");
    }
    if (targets.labels.size() != rows) {
      return invalid("expected " + std::to_string(rows) + " labels, saw " +
                     std::to_string(targets.labels.size()));
    }
    const std::size_t classes = label_count();
    for (std::size_t row = 0; row < rows; ++row) {
      if (targets.labels[row] < classes) continue;
      return invalid(of_row(row) + " is label " + std::to_string(targets.labels[row]) +
                     "; expected 0 to " + std::to_string(classes - 1));
    }
    return ok();
  }
  if (targets.values.size() != rows * outputs_) {
    return invalid("expected " + std::to_string(rows * outputs_) + " target values, saw " +
                   std::to_string(targets.values.size()));
  }
  for (std::size_t row = 0; row < rows; ++row) {
    const auto values = targets.values.subspan(row * outputs_, outputs_);
    const auto wrong = fault_of(spec_, values);
    if (!wrong) continue;
    return invalid(of_row(row) + (wrong->value ? " has " : " adds up to ") +
                   std::to_string(wrong->seen) + "; expected " + wrong->expected);
  }
  return ok();
}

template <class S>
S BasicLoss<S>::row(const S* output, const BasicTargets<S>& targets, std::size_t row, S scale,
                    S* gradient) const {
  const bool labels = targets.values.empty();
  const Row<S> one{kernels_of<S>(isa_),
                   output,
                   outputs_,
                   labels ? &targets.labels[row] : nullptr,
                   labels ? nullptr : targets.values.data() + row * outputs_,
                   scale,
                   gradient};
  return std::visit([&](const auto& loss) { return one.of(loss); }, spec_);
}

template <class S>
Result<double> BasicLoss<S>::mean_and_gradient(std::span<const S> outputs,
                                               const BasicTargets<S>& targets,
                                               std::span<const std::uint8_t> mask,
                                               std::span<S> gradient, std::span<S> losses) const {
  const std::size_t rows = losses.size();
  if (outputs.size() != rows * outputs_ || gradient.size() != outputs.size() ||
      (!mask.empty() && mask.size() != rows)) {
    return invalid("expected " + std::to_string(rows) + " rows of " + std::to_string(outputs_) +
                   " outputs, saw " + std::to_string(outputs.size()) + " outputs, " +
                   std::to_string(gradient.size()) + " gradients and a mask of " +
                   std::to_string(mask.size()));
  }
  if (auto fine = check(targets, rows); !fine) return fine.error();
  const auto counts = [&](std::size_t row) { return mask.empty() || mask[row] != 0; };
  std::size_t counted = 0;
  for (std::size_t row = 0; row < rows; ++row) counted += counts(row) ? 1U : 0U;
  const S scale = counted == 0 ? S(0) : S(1) / static_cast<S>(counted);
  parallel_for((rows + rows_a_task - 1) / rows_a_task, [&](std::size_t task) {
    const FlushDenormals flush;
    const std::size_t last = std::min(rows, (task + 1) * rows_a_task);
    for (std::size_t i = task * rows_a_task; i < last; ++i) {
      S* of_row_i = gradient.data() + i * outputs_;
      losses[i] = row(outputs.data() + i * outputs_, targets, i, scale, of_row_i);
      if (!counts(i)) std::fill_n(of_row_i, outputs_, S(0));
    }
  });
  double sum = 0;
  for (std::size_t i = 0; i < rows; ++i) sum += counts(i) ? static_cast<double>(losses[i]) : 0.0;
  return counted == 0 ? 0.0 : sum / static_cast<double>(counted);
}

template class BasicLoss<float>;
template class BasicLoss<double>;

}  // namespace entente::engine
