// SPDX-License-Identifier: Apache-2.0
//
// A network worked out but not yet built: shapes inferred, sizes checked, activations joined to the
// layer before them, parameters placed. Pure data, between LayerSpec (what was asked for) and Graph
// (what runs).
#pragma once

#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

#include "common/base/result.hpp"
#include "common/engine/kernels.hpp"
#include "common/engine/layers.hpp"
#include "common/engine/shape.hpp"
#include "common/tensor/layout.hpp"

namespace entente::engine {

// One example as lines of pixels: a vector is one pixel with as many channels.
struct Extent {
  std::size_t height = 1, width = 1, channels = 1;
  std::size_t count() const { return height * width * channels; }
};

// Where a step's parameters begin in the buffer; a layer without a bias has none.
struct Weights {
  std::size_t kernel = 0, kernel_count = 0;
  std::optional<std::size_t> bias;
};

struct DenseStep {
  std::size_t inputs = 0, outputs = 0;
  Weights weights;
  bool relu = false;
};

struct ConvolutionStep {
  Extent input, output;
  std::size_t kernel_height = 0, kernel_width = 0, step_y = 1, step_x = 1;
  std::size_t top = 0, left = 0;  // zeros before the input; those behind it follow from the sizes
  Weights weights;
  bool relu = false;
};

struct PoolingStep {
  Pooling pooling;
};

struct ReluStep {
  Extent extent;
};

struct FlattenStep {
  Extent input;
};

using Step = std::variant<DenseStep, ConvolutionStep, PoolingStep, ReluStep, FlattenStep>;

// Ends in softmax over `classes`, which is not a step: loss and prediction each do it in their way.
struct Blueprint {
  Shape input;
  Extent input_extent;
  std::vector<Step> steps;
  tensor::ParameterLayout layout;
  std::vector<TensorInitial> initial;
  std::size_t classes = 0;
};

// Errors: invalid_argument - a layer that does not fit the one before it, a size of zero or beyond
// the limits, a name twice, no softmax at the end; the text names the layer, what it needs and what
// it gets.
Result<Blueprint> draw_blueprint(const Shape& input, const std::vector<LayerSpec>& layers);

}  // namespace entente::engine
