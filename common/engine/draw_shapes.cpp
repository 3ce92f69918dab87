// SPDX-License-Identifier: Apache-2.0
//
// Layers that move, join, mask or normalise values.
#include <algorithm>
#include <string>
#include <utility>

#include "common/engine/draft.hpp"

namespace entente::engine {
namespace {

// The one mask of several values, by `rule`.
Result<std::optional<Mask>> common_mask(const Draft& draft, MergeMask rule, Values inputs) {
  std::optional<Mask> common;
  if (rule == MergeMask::none) return common;
  const auto has_none = [&](ValueIndex input) { return !draft.mask(input).has_value(); };
  if (rule == MergeMask::all && std::ranges::any_of(inputs, has_none)) return common;
  for (const ValueIndex input : inputs) {
    const auto mask = draft.mask(input);
    if (mask && common && *mask != *common)
      return draft.wrong("reads values with different masks, which is not supported");
    if (mask) common = mask;
  }
  return common;
}

Result<ValueIndex> merge(Draft& draft, MergeStep::Kind kind, MergeMask rule, Values inputs) {
  if (auto fine = draft.reads(inputs, 2, 1000); !fine) return fine.error();
  for (const ValueIndex input : inputs) {
    if (draft.shape(input) == draft.shape(inputs[0])) continue;
    return draft.wrong("needs inputs of one shape, but gets " + to_text(draft.shape(inputs[0])) +
                       " and " + to_text(draft.shape(input)));
  }
  const auto mask = common_mask(draft, rule, inputs);
  if (!mask) return mask.error();
  const MergeStep step{draft.extent(inputs[0]), inputs.size(), kind};
  return draft.step(step, {inputs.begin(), inputs.end()}, draft.shape(inputs[0]), *mask);
}

// gamma and beta, where asked for, of `channels`.
template <class Layer, class Step>
void place_scale(Draft& draft, const Layer& layer, std::uint64_t channels, Step& step) {
  if (layer.scale) step.gamma = draft.tensor("gamma", {channels}, layer.gamma_initializer);
  if (layer.center) step.beta = draft.tensor("beta", {channels}, layer.beta_initializer);
}

}  // namespace

Result<ValueIndex> draw(Draft& draft, const Dense& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  Shape shape = draft.shape(inputs[0]);
  if (auto fine = draft.in_range(layer.units, "units", units_max); !fine) return fine.error();
  const Shape kernel{shape.back(), layer.units};
  if (auto fine = draft.fits(kernel, "kernel"); !fine) return fine.error();
  DenseStep step;
  step.input = draft.extent(inputs[0]);
  step.outputs = static_cast<std::size_t>(layer.units);
  step.weights = draft.weights(kernel, layer.units, layer.use_bias, layer.kernel_initializer,
                               layer.bias_initializer);
  shape.back() = layer.units;
  const auto mask = draft.mask(inputs[0]);
  return draft.activate_own(draft.step(step, {inputs[0]}, shape, mask), layer.activation);
}

Result<ValueIndex> draw(Draft& draft, const Flatten&, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  const Shape& shape = draft.shape(inputs[0]);
  if (shape.size() == 1) return inputs[0];
  const Shape flat{element_count(shape)};
  return draft.step(ReshapeStep{draft.extent(inputs[0]), Draft::extent_of(flat)}, {inputs[0]}, flat,
                    std::nullopt);
}

Result<ValueIndex> draw(Draft& draft, const Reshape& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  const Shape& from = draft.shape(inputs[0]);
  Shape to = layer.shape;
  if (to.empty() || to.size() > 3)
    return draft.wrong("target_shape has " + std::to_string(to.size()) + " axes; expected 1 to 3");
  const auto open = std::ranges::find(to, 0U);
  if (open != to.end()) {
    *open = 1;
    const std::uint64_t rest = element_count(to);
    if (rest != 0 && element_count(from) % rest == 0) *open = element_count(from) / rest;
  }
  if (element_count(to) != element_count(from)) {
    return draft.wrong("cannot make " + to_text(layer.shape) + " of " + to_text(from) +
                       ": the numbers of values differ");
  }
  if (to == from && !draft.mask(inputs[0])) return inputs[0];  // a mask ends here
  return draft.step(ReshapeStep{draft.extent(inputs[0]), Draft::extent_of(to)}, {inputs[0]}, to,
                    std::nullopt);
}

Result<ValueIndex> draw(Draft& draft, const Permute& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  const Shape& from = draft.shape(inputs[0]);
  std::vector<std::uint64_t> sorted = layer.axes;
  std::ranges::sort(sorted);
  bool whole = sorted.size() == from.size();
  for (std::size_t axis = 0; axis < sorted.size(); ++axis)
    whole = whole && sorted[axis] == axis + 1;
  if (!whole) {
    return draft.wrong("dims is " + to_text(layer.axes) + "; expected each axis of " +
                       to_text(from) + " once, from 1");
  }
  std::vector<std::size_t> distance(from.size(), 1);
  for (std::size_t axis = from.size() - 1; axis-- > 0;)
    distance[axis] = distance[axis + 1] * static_cast<std::size_t>(from[axis + 1]);
  Shape to;
  std::vector<std::size_t> steps(3 - from.size(), 0);
  for (const std::uint64_t axis : layer.axes) {
    to.push_back(from[axis - 1]);
    steps.push_back(distance[axis - 1]);
  }
  return draft.step(
      PermuteStep{draft.extent(inputs[0]), Draft::extent_of(to), steps[0], steps[1], steps[2]},
      {inputs[0]}, to, std::nullopt);
}

Result<ValueIndex> draw(Draft& draft, const ActivationLayer& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto last = draft.is_last(layer.axis, inputs[0]); !last) return last.error();
  return draft.activate(inputs[0], layer.activation, false, layer.slope);
}

Result<ValueIndex> draw(Draft& draft, const Dropout& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (!(layer.rate >= 0 && layer.rate < 1))
    return draft.wrong("rate is " + std::to_string(layer.rate) + "; expected 0 to below 1");
  if (layer.rate == 0) return inputs[0];
  const DropoutStep step{draft.extent(inputs[0]), layer.rate, draft.next_stream()};
  return draft.step(step, {inputs[0]}, draft.shape(inputs[0]), draft.mask(inputs[0]));
}

Result<ValueIndex> draw(Draft& draft, const Add& layer, Values inputs) {
  return merge(draft, MergeStep::Kind::add, layer.mask, inputs);
}

Result<ValueIndex> draw(Draft& draft, const Multiply& layer, Values inputs) {
  const auto masked = std::ranges::count_if(
      inputs, [&](ValueIndex input) { return draft.mask(input).has_value(); });
  if (layer.mask == MergeMask::all && masked != 0 && std::cmp_not_equal(masked, inputs.size())) {
    return draft.wrong(
        "multiplies values with a mask and values without, of which Keras 3's versions make "
        "different "
        "things; use x * y");
  }
  return merge(draft, MergeStep::Kind::multiply, layer.mask, inputs);
}

Result<ValueIndex> draw(Draft& draft, const Concatenate& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 2, 1000); !fine) return fine.error();
  if (auto last = draft.is_last(layer.axis, inputs[0]); !last) return last.error();
  Shape shape = draft.shape(inputs[0]);
  ConcatenateStep step;
  std::uint64_t channels = 0;
  for (const ValueIndex input : inputs) {
    Shape other = draft.shape(input);
    channels += other.back();
    other.back() = shape.back();
    if (other != shape) {
      return draft.wrong("needs inputs that differ in the last axis alone, but gets " +
                         to_text(shape) + " and " + to_text(draft.shape(input)));
    }
    step.inputs.push_back(draft.extent(input));
  }
  shape.back() = channels;
  if (auto fine = draft.fits(shape, "output"); !fine) return fine.error();
  const auto mask = common_mask(draft, layer.mask, inputs);
  if (!mask) return mask.error();
  return draft.step(std::move(step), {inputs.begin(), inputs.end()}, shape, *mask);
}

Result<ValueIndex> draw(Draft& draft, const BatchNormalization& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto last = draft.is_last(layer.axis, inputs[0]); !last) return last.error();
  if (draft.mask(inputs[0]))
    return draft.wrong("BatchNormalization of masked steps is not supported");
  const Shape shape = draft.shape(inputs[0]);
  BatchNormalizationStep step;
  step.extent = draft.extent(inputs[0]);
  step.momentum = layer.momentum;
  step.epsilon = layer.epsilon;
  place_scale(draft, layer, shape.back(), step);
  step.mean = draft.tensor("moving_mean", {shape.back()}, layer.mean_initializer);
  step.variance = draft.tensor("moving_variance", {shape.back()}, layer.variance_initializer);
  return draft.step(step, {inputs[0]}, shape, std::nullopt);
}

Result<ValueIndex> draw(Draft& draft, const LayerNormalization& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto last = draft.is_last(layer.axis, inputs[0]); !last) return last.error();
  const Shape shape = draft.shape(inputs[0]);
  NormalizationStep step;
  step.extent = draft.extent(inputs[0]);
  step.epsilon = layer.epsilon;
  place_scale(draft, layer, shape.back(), step);
  return draft.step(step, {inputs[0]}, shape, draft.mask(inputs[0]));
}

Result<ValueIndex> draw(Draft& draft, const GroupNormalization& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto last = draft.is_last(layer.axis, inputs[0]); !last) return last.error();
  const Shape shape = draft.shape(inputs[0]);
  NormalizationStep step;
  step.extent = draft.extent(inputs[0]);
  step.epsilon = layer.epsilon;
  step.groups = layer.groups == 0 ? step.extent.channels : static_cast<std::size_t>(layer.groups);
  if (step.groups > step.extent.channels || step.extent.channels % step.groups != 0) {
    return draft.wrong(std::to_string(step.groups) + " groups do not divide the " +
                       std::to_string(step.extent.channels) + " channels of " + to_text(shape));
  }
  place_scale(draft, layer, shape.back(), step);
  return draft.step(step, {inputs[0]}, shape, draft.mask(inputs[0]));
}

}  // namespace entente::engine
