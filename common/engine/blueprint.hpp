// SPDX-License-Identifier: Apache-2.0
//
// A network worked out but not yet built: shapes inferred, sizes checked, layers taken apart into
// steps, parameters placed. Pure data, between GraphSpec (what was asked for) and Graph (what
// runs).
//
// A step reads values and makes one. Values are numbered: the inputs first, then step i's is inputs
// + i. The last is the output. Nothing is said here of memory, nor of a value that several steps
// read: that is Graph's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "common/base/result.hpp"
#include "common/engine/kernels.hpp"
#include "common/engine/layers.hpp"
#include "common/engine/loss.hpp"
#include "common/engine/shape.hpp"
#include "common/tensor/layout.hpp"

namespace entente::engine {

// One example as lines of pixels: a vector is one pixel with as many channels, a sequence is one
// line.
struct Extent {
  std::size_t height = 1, width = 1, channels = 1;
  std::size_t positions() const { return height * width; }
  std::size_t count() const { return height * width * channels; }
  friend bool operator==(const Extent&, const Extent&) = default;
};

// Steps of a sequence that do not count: step t is masked where the example's feature first + t is
// 0. Masks come from tokens alone, so they are known before anything has run.
struct Mask {
  std::size_t first = 0, count = 0;
  friend bool operator==(const Mask&, const Mask&) = default;
};

// Where a step's parameters begin in the buffer; a layer without a bias has none.
struct Weights {
  std::size_t kernel = 0, kernel_count = 0;
  std::optional<std::size_t> bias;
};

// On each position by itself.
struct DenseStep {
  Extent input;
  std::size_t outputs = 0;
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

// The same for each channel by itself, `multiplier` outputs each.
struct DepthwiseStep {
  ConvolutionStep window;
  std::size_t multiplier = 1;
};

struct PoolingStep {
  Pooling pooling;
  bool average = false;
};
struct GlobalPoolingStep {
  Extent input;
  bool average = true;
  std::optional<Mask> mask;  // average
};

struct ReluStep {
  Extent extent;
};
struct ActivationStep {
  Extent extent;
  Activation activation = Activation::linear;
  double slope = 1;
};
// `stream` tells one layer's random numbers from another's.
struct DropoutStep {
  Extent extent;
  double rate = 0;
  std::uint32_t stream = 0;
};

// The same values under another shape.
struct ReshapeStep {
  Extent input, output;
};
// output[i, j, k] = input at i * step[0] + j * step[1] + k * step[2].
struct PermuteStep {
  Extent input, output;
  std::size_t step_y = 0, step_x = 0, step_channel = 0;
};

// Several values of one extent into one, element by element.
struct MergeStep {
  enum class Kind { add, multiply, average };
  Extent extent;
  std::size_t inputs = 0;
  Kind kind = Kind::add;
};
// Channels side by side.
struct ConcatenateStep {
  std::vector<Extent> inputs;
};

// Parameters are `channels` each, where there are any.
struct BatchNormalizationStep {
  Extent extent;
  double momentum = 0, epsilon = 0;
  std::optional<std::size_t> gamma, beta;
  std::size_t mean = 0, variance = 0;
};
// Mean and variance over the channels of each position (groups 0), or over all positions of each
// group of channels.
struct NormalizationStep {
  Extent extent;
  std::size_t groups = 0;
  double epsilon = 0;
  std::optional<std::size_t> gamma, beta;
};

struct EmbeddingStep {
  Extent input;  // its count is the number of tokens
  std::size_t vocabulary = 0, size = 0, table = 0;
};
// Reads nothing, or (adds) what it adds to.
struct PositionStep {
  Extent extent;
  std::size_t table = 0, table_count = 0;
  bool adds = false;
};

struct RecurrentStep {
  Recurrent::Cell cell = Recurrent::Cell::lstm;
  Activation activation = Activation::tanh;
  std::size_t steps = 0, inputs = 0, units = 0;
  bool sequences = false;    // an output for each step
  bool backwards = false;    // from the last step to the first
  bool in_order = false;     // backwards, but its outputs stand at the steps that they are of
  bool zero_masked = false;  // the outputs of masked steps are 0, not the step's before
  std::size_t kernel = 0, recurrent_kernel = 0;
  std::optional<std::size_t> bias;
  std::optional<Mask> mask;
};

// softmax(query key' * scale) value, head by head: query [steps, heads * key_size], key [others,
// heads * key_size], value [others, heads * value_size].
struct AttentionStep {
  std::size_t steps = 0, others = 0, heads = 0, key_size = 0, value_size = 0;
  bool causal = false;
  std::optional<Mask> query_mask, key_mask, value_mask;
};

using StepKind =
    std::variant<DenseStep, ConvolutionStep, DepthwiseStep, PoolingStep, GlobalPoolingStep,
                 ReluStep, ActivationStep, DropoutStep, ReshapeStep, PermuteStep, MergeStep,
                 ConcatenateStep, BatchNormalizationStep, NormalizationStep, EmbeddingStep,
                 PositionStep, RecurrentStep, AttentionStep>;

struct Step {
  StepKind kind;
  std::vector<std::size_t> inputs;  // values
};

// One input's place among an example's features.
struct PlacedInput {
  Extent extent;
  std::size_t first = 0;
};

// An activation that the loss computes itself (`ending`: softmax, sigmoid; else linear) is not a
// step: loss and prediction each do it in their way.
struct Blueprint {
  std::vector<InputSpec> inputs;
  std::vector<PlacedInput> places;
  std::size_t feature_count = 0;  // of one example: the inputs one after the other
  std::vector<Tokens> tokens;
  std::vector<Step> steps;
  tensor::ParameterLayout layout;
  std::vector<TensorInitial> initial;
  Extent output;  // its channels are the classes, or the numbers of a position
  Activation ending = Activation::linear;
  std::optional<Mask> mask;  // of the output
};

// Errors: invalid_argument - a layer that does not fit what it reads, a size of zero or beyond the
// limits, a name twice or of nothing, a layer that leads nowhere, an end that is not what the loss
// takes; the text names the layer, what it needs and what it gets.
Result<Blueprint> draw_blueprint(const GraphSpec& graph, LossInput loss);

}  // namespace entente::engine
