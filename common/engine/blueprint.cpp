// SPDX-License-Identifier: Apache-2.0
#include "common/engine/blueprint.hpp"

#include <string>
#include <utility>

namespace entente::engine {
namespace {

constexpr std::uint64_t units_max = std::uint64_t{1} << 24U;
constexpr std::uint64_t window_max = 4096;
constexpr std::size_t layers_max = 10'000;

// One axis of a window that moves over padded input.
struct Axis {
  std::size_t output = 0, before = 0;
};
std::optional<Axis> slide(std::size_t input, std::size_t window, std::size_t step,
                          Padding padding) {
  if (padding == Padding::valid) {
    if (window > input) return std::nullopt;
    return Axis{(input - window) / step + 1, 0};
  }
  const std::size_t output = (input + step - 1) / step;
  const std::size_t reach = (output - 1) * step + window;
  return Axis{output, reach > input ? (reach - input) / 2 : 0};
}

// Follows the layers and keeps what the next one gets.
class Draft {
 public:
  explicit Draft(const Shape& input) : shape_(input) { blueprint_.input = input; }

  Result<void> begin();
  Result<void> add(const LayerSpec& layer);
  Result<Blueprint> finish();

 private:
  Result<void> on(const Dense& layer);
  Result<void> on(const Conv2D& layer);
  Result<void> on(const MaxPooling2D& layer);
  Result<void> on(const Flatten& layer);
  Result<void> on(const ActivationLayer& layer);
  Result<void> activate(Activation activation);
  Result<void> has_image() const;
  Weights add_weights(Shape kernel, std::uint64_t outputs, bool use_bias,
                      const Initializer& kernel_initializer, const Initializer& bias_initializer);
  Extent extent() const;
  Error wrong(const std::string& what) const {
    return Error{Errc::invalid_argument, "layer '" + name_ + "': " + what};
  }

  Blueprint blueprint_;
  Shape shape_;
  std::string name_;
  bool ended_ = false;  // softmax has been seen
  std::size_t parameter_count_ = 0;
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> tensors_;
};

Extent Draft::extent() const {
  const auto at = [&](std::size_t axis) { return static_cast<std::size_t>(shape_[axis]); };
  if (shape_.size() == 1) return {1, 1, at(0)};
  if (shape_.size() == 2) return {1, at(0), at(1)};
  return {at(0), at(1), at(2)};
}

Result<void> Draft::begin() {
  if (shape_.empty() || shape_.size() > 3 || element_count(shape_) == 0) {
    return Error{Errc::invalid_argument,
                 "input shape " + to_text(shape_) +
                     ": expected one to three dimensions, each at least 1, of at most " +
                     std::to_string(elements_max) + " values"};
  }
  blueprint_.input_extent = extent();
  return ok();
}

Result<void> Draft::add(const LayerSpec& layer) {
  name_ = layer.name;
  if (ended_) return wrong("stands behind softmax, which must be the end");
  const auto added = std::visit([this](const auto& kind) { return on(kind); }, layer.kind);
  if (!added) return added.error();
  if (element_count(shape_) == 0)
    return wrong("its output " + to_text(shape_) + " is beyond the limits");
  return ok();
}

Weights Draft::add_weights(Shape kernel, std::uint64_t outputs, bool use_bias,
                           const Initializer& kernel_initializer,
                           const Initializer& bias_initializer) {
  Weights weights;
  std::uint64_t receptive = 1;
  for (std::size_t axis = 0; axis + 2 < kernel.size(); ++axis) receptive *= kernel[axis];
  const double fan_in = static_cast<double>(receptive * kernel[kernel.size() - 2]);
  const double fan_out = static_cast<double>(receptive * outputs);
  weights.kernel = parameter_count_;
  weights.kernel_count = static_cast<std::size_t>(element_count(kernel));
  parameter_count_ += weights.kernel_count;
  tensors_.emplace_back(name_ + "/kernel", std::move(kernel));
  blueprint_.initial.push_back({kernel_initializer, fan_in, fan_out});
  if (use_bias) {
    weights.bias = parameter_count_;
    parameter_count_ += static_cast<std::size_t>(outputs);
    tensors_.emplace_back(name_ + "/bias", Shape{outputs});
    blueprint_.initial.push_back(
        {bias_initializer, static_cast<double>(outputs), static_cast<double>(outputs)});
  }
  return weights;
}

Result<void> Draft::on(const Dense& layer) {
  if (shape_.size() != 1) {
    return wrong("Dense needs a flat input, but gets " + to_text(shape_) +
                 "; put a Flatten layer before it");
  }
  if (layer.units == 0 || layer.units > units_max) {
    return wrong("units is " + std::to_string(layer.units) + "; expected 1 to " +
                 std::to_string(units_max));
  }
  const Shape kernel{shape_[0], layer.units};
  if (element_count(kernel) == 0)
    return wrong("its kernel " + to_text(kernel) + " is beyond the limits");
  DenseStep step;
  step.inputs = static_cast<std::size_t>(shape_[0]);
  step.outputs = static_cast<std::size_t>(layer.units);
  step.weights = add_weights(kernel, layer.units, layer.use_bias, layer.kernel_initializer,
                             layer.bias_initializer);
  blueprint_.steps.emplace_back(step);
  shape_ = {layer.units};
  return activate(layer.activation);
}

Result<void> Draft::has_image() const {
  if (shape_.size() == 3) return ok();
  return wrong("needs an image (height, width, channels), but gets " + to_text(shape_));
}

Result<void> in_range(const std::array<std::uint64_t, 2>& sizes, std::string_view what) {
  for (const std::uint64_t size : sizes) {
    if (size >= 1 && size <= window_max) continue;
    return Error{Errc::invalid_argument, std::string(what) + " has " + std::to_string(size) +
                                             "; expected 1 to " + std::to_string(window_max)};
  }
  return ok();
}

Result<void> Draft::on(const Conv2D& layer) {
  if (auto image = has_image(); !image) return image.error();
  if (auto fine = in_range(layer.kernel_size, "kernel_size"); !fine)
    return wrong(fine.error().detail);
  if (auto fine = in_range(layer.strides, "strides"); !fine) return wrong(fine.error().detail);
  if (layer.filters == 0 || layer.filters > units_max) {
    return wrong("filters is " + std::to_string(layer.filters) + "; expected 1 to " +
                 std::to_string(units_max));
  }
  const Shape kernel{layer.kernel_size[0], layer.kernel_size[1], shape_[2], layer.filters};
  if (element_count(kernel) == 0)
    return wrong("its kernel " + to_text(kernel) + " is beyond the limits");
  ConvolutionStep step;
  step.input = extent();
  step.kernel_height = static_cast<std::size_t>(layer.kernel_size[0]);
  step.kernel_width = static_cast<std::size_t>(layer.kernel_size[1]);
  step.step_y = static_cast<std::size_t>(layer.strides[0]);
  step.step_x = static_cast<std::size_t>(layer.strides[1]);
  const auto y = slide(step.input.height, step.kernel_height, step.step_y, layer.padding);
  const auto x = slide(step.input.width, step.kernel_width, step.step_x, layer.padding);
  if (!y || !x)
    return wrong("its kernel " + to_text(kernel) + " is larger than its input " + to_text(shape_));
  step.top = y->before;
  step.left = x->before;
  step.output = {y->output, x->output, static_cast<std::size_t>(layer.filters)};
  step.weights = add_weights(kernel, layer.filters, layer.use_bias, layer.kernel_initializer,
                             layer.bias_initializer);
  blueprint_.steps.emplace_back(step);
  shape_ = {y->output, x->output, layer.filters};
  return activate(layer.activation);
}

Result<void> Draft::on(const MaxPooling2D& layer) {
  if (auto image = has_image(); !image) return image.error();
  if (auto fine = in_range(layer.pool_size, "pool_size"); !fine) return wrong(fine.error().detail);
  if (auto fine = in_range(layer.strides, "strides"); !fine) return wrong(fine.error().detail);
  Pooling pooling;
  const Extent input = extent();
  pooling.input_height = input.height;
  pooling.input_width = input.width;
  pooling.channels = input.channels;
  pooling.window_height = static_cast<std::size_t>(layer.pool_size[0]);
  pooling.window_width = static_cast<std::size_t>(layer.pool_size[1]);
  pooling.step_y = static_cast<std::size_t>(layer.strides[0]);
  pooling.step_x = static_cast<std::size_t>(layer.strides[1]);
  const auto y = slide(input.height, pooling.window_height, pooling.step_y, layer.padding);
  const auto x = slide(input.width, pooling.window_width, pooling.step_x, layer.padding);
  if (!y || !x) return wrong("its window is larger than its input " + to_text(shape_));
  pooling.top = y->before;
  pooling.left = x->before;
  pooling.output_height = y->output;
  pooling.output_width = x->output;
  pooling.tiles =
      pooling.step_y == pooling.window_height && pooling.step_x == pooling.window_width &&
      y->output * pooling.step_y == input.height && x->output * pooling.step_x == input.width;
  blueprint_.steps.emplace_back(PoolingStep{pooling});
  shape_ = {y->output, x->output, shape_[2]};
  return ok();
}

Result<void> Draft::on(const Flatten&) {
  if (shape_.size() == 1) return ok();
  blueprint_.steps.emplace_back(FlattenStep{extent()});
  shape_ = {element_count(shape_)};
  return ok();
}

Result<void> Draft::on(const ActivationLayer& layer) {
  return activate(layer.activation);
}

Result<void> Draft::activate(Activation activation) {
  if (activation == Activation::relu) {
    Step* last = blueprint_.steps.empty() ? nullptr : &blueprint_.steps.back();
    if (auto* dense = std::get_if<DenseStep>(last)) {
      dense->relu = true;
    } else if (auto* convolution = std::get_if<ConvolutionStep>(last)) {
      convolution->relu = true;
    } else {
      blueprint_.steps.emplace_back(ReluStep{extent()});
    }
  }
  if (activation == Activation::softmax) {
    if (shape_.size() != 1 || shape_[0] < 2) {
      return wrong("softmax needs a flat row of at least 2 classes, but gets " + to_text(shape_));
    }
    ended_ = true;
    blueprint_.classes = static_cast<std::size_t>(shape_[0]);
  }
  return ok();
}

Result<Blueprint> Draft::finish() {
  if (!ended_) {
    return Error{Errc::invalid_argument,
                 "the last layer" + (name_.empty() ? "" : " ('" + name_ + "')") +
                     " must have the activation softmax (its loss is the categorical "
                     "cross-entropy)"};
  }
  if (tensors_.empty())
    return Error{Errc::invalid_argument, "no layer has parameters: nothing to train"};
  auto layout = tensor::ParameterLayout::make(std::move(tensors_));
  if (!layout) return layout.error();
  blueprint_.layout = std::move(*layout);
  return std::move(blueprint_);
}

}  // namespace

Result<Blueprint> draw_blueprint(const Shape& input, const std::vector<LayerSpec>& layers) {
  Draft draft(input);
  if (auto begun = draft.begin(); !begun) return begun.error();
  if (layers.empty() || layers.size() > layers_max) {
    return Error{Errc::invalid_argument, "the model has " + std::to_string(layers.size()) +
                                             " layers; expected 1 to " +
                                             std::to_string(layers_max)};
  }
  for (const LayerSpec& layer : layers) {
    if (auto added = draft.add(layer); !added) return added.error();
  }
  return draft.finish();
}

}  // namespace entente::engine
