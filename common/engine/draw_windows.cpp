// SPDX-License-Identifier: Apache-2.0
//
// Layers that look through a window: convolutions and pooling. A sequence is an image of one line.
#include <string>

#include "common/engine/draft.hpp"

namespace entente::engine {

std::optional<Axis> slide(std::size_t input, std::size_t window, std::size_t step,
                          Padding padding) {
  if (padding == Padding::valid) {
    if (window > input) return std::nullopt;
    return Axis{(input - window) / step + 1, 0};
  }
  const std::size_t output = (input + step - 1) / step;
  if (padding == Padding::causal) return Axis{(input - 1) / step + 1, window - 1};
  const std::size_t reach = (output - 1) * step + window;
  return Axis{output, reach > input ? (reach - input) / 2 : 0};
}

namespace {

struct Window {
  std::array<std::uint64_t, 2> size{1, 1}, strides{1, 1};
  Padding padding_y = Padding::valid, padding_x = Padding::valid;
};

Result<void> check(const Draft& draft, const std::array<std::uint64_t, 2>& sizes,
                   std::string_view what) {
  for (const std::uint64_t size : sizes) {
    if (size >= 1 && size <= window_max) continue;
    return draft.wrong(std::string(what) + " has " + std::to_string(size) + "; expected 1 to " +
                       std::to_string(window_max));
  }
  return ok();
}

// The step but for its weights. `kernel` is for the error's text.
Result<ConvolutionStep> convolution_step(const Draft& draft, ValueIndex input, const Window& window,
                                         const Shape& kernel) {
  ConvolutionStep step;
  step.input = draft.extent(input);
  step.kernel_height = static_cast<std::size_t>(window.size[0]);
  step.kernel_width = static_cast<std::size_t>(window.size[1]);
  step.step_y = static_cast<std::size_t>(window.strides[0]);
  step.step_x = static_cast<std::size_t>(window.strides[1]);
  const auto y = slide(step.input.height, step.kernel_height, step.step_y, window.padding_y);
  const auto x = slide(step.input.width, step.kernel_width, step.step_x, window.padding_x);
  if (!y || !x) {
    return draft.wrong("its kernel " + to_text(kernel) + " is larger than its input " +
                       to_text(draft.shape(input)));
  }
  step.top = y->before;
  step.left = x->before;
  step.output = {y->output, x->output, static_cast<std::size_t>(kernel.back())};
  return step;
}

Result<PoolingStep> pooling_step(const Draft& draft, ValueIndex value, const Window& window) {
  Pooling pooling;
  const Extent input = draft.extent(value);
  pooling.input_height = input.height;
  pooling.input_width = input.width;
  pooling.channels = input.channels;
  pooling.window_height = static_cast<std::size_t>(window.size[0]);
  pooling.window_width = static_cast<std::size_t>(window.size[1]);
  pooling.step_y = static_cast<std::size_t>(window.strides[0]);
  pooling.step_x = static_cast<std::size_t>(window.strides[1]);
  const auto y = slide(input.height, pooling.window_height, pooling.step_y, window.padding_y);
  const auto x = slide(input.width, pooling.window_width, pooling.step_x, window.padding_x);
  if (!y || !x)
    return draft.wrong("its window is larger than its input " + to_text(draft.shape(value)));
  pooling.top = y->before;
  pooling.left = x->before;
  pooling.output_height = y->output;
  pooling.output_width = x->output;
  pooling.tiles =
      pooling.step_y == pooling.window_height && pooling.step_x == pooling.window_width &&
      y->output * pooling.step_y == input.height && x->output * pooling.step_x == input.width;
  return PoolingStep{pooling, false};
}

Result<ValueIndex> pool_image(Draft& draft, const Window& window, bool average, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto image = draft.has_image(inputs[0]); !image) return image.error();
  if (auto fine = check(draft, window.size, "pool_size"); !fine) return fine.error();
  if (auto fine = check(draft, window.strides, "strides"); !fine) return fine.error();
  auto step = pooling_step(draft, inputs[0], window);
  if (!step) return step.error();
  step->average = average;
  const Shape shape{step->pooling.output_height, step->pooling.output_width,
                    step->pooling.channels};
  return draft.step(*step, {inputs[0]}, shape, std::nullopt);
}

}  // namespace

Result<ValueIndex> draw(Draft& draft, const Conv2D& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto image = draft.has_image(inputs[0]); !image) return image.error();
  if (auto fine = check(draft, layer.kernel_size, "kernel_size"); !fine) return fine.error();
  if (auto fine = check(draft, layer.strides, "strides"); !fine) return fine.error();
  if (auto fine = draft.in_range(layer.filters, "filters", units_max); !fine) return fine.error();
  const Shape kernel{layer.kernel_size[0], layer.kernel_size[1], draft.shape(inputs[0])[2],
                     layer.filters};
  if (auto fine = draft.fits(kernel, "kernel"); !fine) return fine.error();
  auto step = convolution_step(
      draft, inputs[0], {layer.kernel_size, layer.strides, layer.padding, layer.padding}, kernel);
  if (!step) return step.error();
  step->weights = draft.weights(kernel, layer.filters, layer.use_bias, layer.kernel_initializer,
                                layer.bias_initializer);
  const Shape shape{step->output.height, step->output.width, layer.filters};
  return draft.activate_own(draft.step(*step, {inputs[0]}, shape, std::nullopt), layer.activation);
}

Result<ValueIndex> draw(Draft& draft, const Conv1D& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto sequence = draft.has_sequence(inputs[0]); !sequence) return sequence.error();
  if (auto fine = draft.in_range(layer.kernel_size, "kernel_size", window_max); !fine)
    return fine.error();
  if (auto fine = draft.in_range(layer.strides, "strides", window_max); !fine) return fine.error();
  if (auto fine = draft.in_range(layer.filters, "filters", units_max); !fine) return fine.error();
  const Shape kernel{layer.kernel_size, draft.shape(inputs[0])[1], layer.filters};
  if (auto fine = draft.fits(kernel, "kernel"); !fine) return fine.error();
  auto step = convolution_step(
      draft, inputs[0], {{1, layer.kernel_size}, {1, layer.strides}, Padding::valid, layer.padding},
      kernel);
  if (!step) return step.error();
  step->weights = draft.weights(kernel, layer.filters, layer.use_bias, layer.kernel_initializer,
                                layer.bias_initializer);
  const Shape shape{step->output.width, layer.filters};
  return draft.activate_own(draft.step(*step, {inputs[0]}, shape, std::nullopt), layer.activation);
}

Result<ValueIndex> draw(Draft& draft, const DepthwiseConv2D& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto image = draft.has_image(inputs[0]); !image) return image.error();
  if (auto fine = check(draft, layer.kernel_size, "kernel_size"); !fine) return fine.error();
  if (auto fine = check(draft, layer.strides, "strides"); !fine) return fine.error();
  if (auto fine = draft.in_range(layer.depth_multiplier, "depth_multiplier", window_max); !fine)
    return fine.error();
  const std::uint64_t channels = draft.shape(inputs[0])[2];
  const Shape kernel{layer.kernel_size[0], layer.kernel_size[1], channels, layer.depth_multiplier};
  if (auto fine = draft.fits(kernel, "kernel"); !fine) return fine.error();
  auto window = convolution_step(
      draft, inputs[0], {layer.kernel_size, layer.strides, layer.padding, layer.padding}, kernel);
  if (!window) return window.error();
  const std::uint64_t outputs = channels * layer.depth_multiplier;
  window->output.channels = static_cast<std::size_t>(outputs);
  window->weights = draft.weights(kernel, outputs, layer.use_bias, layer.kernel_initializer,
                                  layer.bias_initializer);
  const Shape shape{window->output.height, window->output.width, outputs};
  const DepthwiseStep step{*window, static_cast<std::size_t>(layer.depth_multiplier)};
  return draft.activate_own(draft.step(step, {inputs[0]}, shape, std::nullopt), layer.activation);
}

Result<ValueIndex> draw(Draft& draft, const MaxPooling2D& layer, Values inputs) {
  return pool_image(draft, {layer.pool_size, layer.strides, layer.padding, layer.padding}, false,
                    inputs);
}

Result<ValueIndex> draw(Draft& draft, const AveragePooling2D& layer, Values inputs) {
  return pool_image(draft, {layer.pool_size, layer.strides, layer.padding, layer.padding}, true,
                    inputs);
}

Result<ValueIndex> draw(Draft& draft, const Pooling1D& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto sequence = draft.has_sequence(inputs[0]); !sequence) return sequence.error();
  if (auto fine = draft.in_range(layer.pool_size, "pool_size", window_max); !fine)
    return fine.error();
  if (auto fine = draft.in_range(layer.strides, "strides", window_max); !fine) return fine.error();
  auto step = pooling_step(
      draft, inputs[0], {{1, layer.pool_size}, {1, layer.strides}, Padding::valid, layer.padding});
  if (!step) return step.error();
  step->average = layer.kind == Pooling1D::Kind::average;
  const Shape shape{step->pooling.output_width, step->pooling.channels};
  return draft.step(*step, {inputs[0]}, shape, std::nullopt);
}

Result<ValueIndex> draw(Draft& draft, const GlobalPooling& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  const Shape& from = draft.shape(inputs[0]);
  auto fits = layer.rank == 1 ? draft.has_sequence(inputs[0]) : draft.has_image(inputs[0]);
  if (!fits) return fits.error();
  GlobalPoolingStep step{draft.extent(inputs[0]), layer.kind == GlobalPooling::Kind::average,
                         std::nullopt};
  if (step.average) step.mask = draft.mask(inputs[0]);
  Shape shape{from.back()};
  if (layer.keep_dimensions) shape.insert(shape.begin(), layer.rank, 1);
  return draft.step(step, {inputs[0]}, shape, std::nullopt);
}

}  // namespace entente::engine
