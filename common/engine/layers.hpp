// SPDX-License-Identifier: Apache-2.0
//
// What a network is made of, as data: one struct for each kind of layer, with Keras' meanings and
// defaults. common/model reads them from Keras' JSON; Network::compile checks that they fit
// together.
//
// Shapes are those of one example: images [height, width, channels] (channels last), sequences
// [steps, features], rows [features]. Parameters are named `layer/weight` and laid out as Keras has
// them, first to last as here:
//
//   Dense                kernel [inputs, units], bias [units]; works on the last axis
//   Conv2D               kernel [kernel height, kernel width, input channels, filters], bias
//   Conv1D               kernel [kernel size, input channels, filters], bias [filters]
//   DepthwiseConv2D      kernel [kernel height, kernel width, input channels, multiplier],
//                        bias [input channels * multiplier]; output channel c * multiplier + m
//   BatchNormalization   gamma, beta, moving_mean, moving_variance [channels]; the last two are
//                        state: they travel with the model and no optimiser steps them
//                        (network.hpp)
//   LayerNormalization, GroupNormalization    gamma, beta [channels]
//   Embedding            embeddings [vocabulary, size]
//   PositionEmbedding    embeddings [steps, size]
//   SimpleRNN            kernel [inputs, units], recurrent_kernel [units, units], bias [units]
//   LSTM                 kernel [inputs, 4 units], recurrent_kernel [units, 4 units],
//                        bias [4 units]; gates in the order input, forget, cell, output
//   GRU                  kernel [inputs, 3 units], recurrent_kernel [units, 3 units],
//                        bias [2, 3 units] (input's, recurrent's); gates update, reset, candidate;
//                        the reset gate is applied after the product (reset_after)
//   Bidirectional        the layer's own twice: forward_kernel ..., then backward_kernel ...
//   MultiHeadAttention   query_kernel [features, heads, key size], query_bias [heads, key size],
//                        the same of key and value, output_kernel [heads, value size, features],
//                        output_bias [features]
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/engine/shape.hpp"

namespace entente::engine {

// `gelu` is the exact one (erf); `leaky_relu` and `elu` have a slope (LayerSpec's own number).
enum class Activation { linear, relu, softmax, tanh, sigmoid, gelu, swish, elu, leaky_relu };

// Of an activation that is named alone.
constexpr double usual_slope(Activation activation) {
  return activation == Activation::leaky_relu ? 0.2 : 1.0;
}

// `same`: the output has ceil(size / stride) lines; zeros around the input (the odd one at the
// end). `valid`: none. `causal` (Conv1D): zeros before the input alone.
enum class Padding { valid, same, causal };

// The distribution of a tensor's initial values.
struct Initializer {
  enum class Kind {
    constant,          // first
    uniform,           // on [first, second)
    normal,            // mean first, standard deviation second
    truncated_normal,  // the same, redrawn beyond two standard deviations
    // Variance scaling: the variance is first / fan (truncated: after the cut).
    scaled_uniform,
    scaled_normal,
    scaled_truncated_normal,
    // The shorter of rows and columns (all axes but the last together, the last) are orthogonal
    // and of length `first`.
    orthogonal,
    // `first` where row and column are one, 0 elsewhere: of tensors with two axes alone.
    identity,
  };
  enum class Fan { in, out, average };
  Kind kind = Kind::constant;
  double first = 0;
  double second = 0;
  Fan fan = Fan::average;
  friend bool operator==(const Initializer&, const Initializer&) = default;
};

// How one parameter tensor begins; the fans as Keras counts them.
struct TensorInitial {
  Initializer initializer;
  double fan_in = 1, fan_out = 1;
  // LSTM's bias: values [ones_first, ones_first + ones_count) are 1 (unit_forget_bias).
  std::uint64_t ones_first = 0, ones_count = 0;
};

inline constexpr Initializer zeros{};
inline constexpr Initializer ones{Initializer::Kind::constant, 1.0, 0.0, Initializer::Fan::average};
inline constexpr Initializer glorot_uniform{Initializer::Kind::scaled_uniform, 1.0, 0.0,
                                            Initializer::Fan::average};
inline constexpr Initializer orthogonal{Initializer::Kind::orthogonal, 1.0, 0.0,
                                        Initializer::Fan::average};
inline constexpr Initializer embedding_uniform{Initializer::Kind::uniform, -0.05, 0.05,
                                               Initializer::Fan::average};

struct Dense {
  std::uint64_t units = 0;
  Activation activation = Activation::linear;
  bool use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer bias_initializer = zeros;
};

// Sizes are {height, width}.
struct Conv2D {
  std::uint64_t filters = 0;
  std::array<std::uint64_t, 2> kernel_size{};
  std::array<std::uint64_t, 2> strides{1, 1};
  Padding padding = Padding::valid;
  Activation activation = Activation::linear;
  bool use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer bias_initializer = zeros;
};

// Along the steps of a sequence.
struct Conv1D {
  std::uint64_t filters = 0;
  std::uint64_t kernel_size = 0;
  std::uint64_t strides = 1;
  Padding padding = Padding::valid;
  Activation activation = Activation::linear;
  bool use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer bias_initializer = zeros;
};

struct DepthwiseConv2D {
  std::array<std::uint64_t, 2> kernel_size{};
  std::array<std::uint64_t, 2> strides{1, 1};
  Padding padding = Padding::valid;
  std::uint64_t depth_multiplier = 1;
  Activation activation = Activation::linear;
  bool use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer bias_initializer = zeros;
};

// `strides` are the pool size where Keras' file has null.
struct MaxPooling2D {
  std::array<std::uint64_t, 2> pool_size{2, 2};
  std::array<std::uint64_t, 2> strides{2, 2};
  Padding padding = Padding::valid;
};
// What lies on the padding does not count.
struct AveragePooling2D {
  std::array<std::uint64_t, 2> pool_size{2, 2};
  std::array<std::uint64_t, 2> strides{2, 2};
  Padding padding = Padding::valid;
};
struct Pooling1D {
  enum class Kind { max, average };
  Kind kind = Kind::max;
  std::uint64_t pool_size = 2, strides = 2;
  Padding padding = Padding::valid;
};

// The mean or maximum over all positions of an image or sequence; steps that are masked do not
// count for the mean (all masked: 0).
struct GlobalPooling {
  enum class Kind { average, max };
  Kind kind = Kind::average;
  std::size_t rank = 2;  // axes that are pooled: 1 a sequence's steps, 2 an image's lines
  bool keep_dimensions = false;
};

// One row of all values, in their order.
struct Flatten {};

// One dimension may be 0: what is left.
struct Reshape {
  Shape shape;
};

// Axis i of the output is axis axes[i] of the input, from 1.
struct Permute {
  std::vector<std::uint64_t> axes;
};

// The activation alone: Keras' Activation, ReLU, LeakyReLU, ELU and Softmax layers.
struct ActivationLayer {
  Activation activation = Activation::linear;
  double slope = 1.0;      // leaky relu's for x < 0, elu's alpha
  std::int64_t axis = -1;  // softmax's: the last, or its number
};

// In training, each value is zero with probability `rate`, the others are divided by 1 - rate.
struct Dropout {
  double rate = 0;
};

// Which mask a layer that joins values gives on: that of any input which has one (Keras 2's
// layers), one that all have (Keras 3's), or none (its operations, such as x + y).
enum class MergeMask { any, all, none };

struct Add {
  MergeMask mask = MergeMask::any;
};
// Of values with a mask and others without, Keras 3's versions compute different things at masked
// steps: compile refuses `all` of such.
struct Multiply {
  MergeMask mask = MergeMask::any;
};
// Along the last axis.
struct Concatenate {
  std::int64_t axis = -1;  // or the last axis' number
  MergeMask mask = MergeMask::any;
};

struct BatchNormalization {
  double momentum = 0.99, epsilon = 1e-3;
  bool center = true, scale = true;
  Initializer beta_initializer = zeros, gamma_initializer = ones;
  Initializer mean_initializer = zeros, variance_initializer = ones;
  std::int64_t axis = -1;
};
// Over the last axis.
struct LayerNormalization {
  double epsilon = 1e-3;
  bool center = true, scale = true;
  Initializer beta_initializer = zeros, gamma_initializer = ones;
  std::int64_t axis = -1;
};
// Over all positions of a group of channels.
struct GroupNormalization {
  std::uint64_t groups = 32;  // 0: one for each channel
  double epsilon = 1e-3;
  bool center = true, scale = true;
  Initializer beta_initializer = zeros, gamma_initializer = ones;
  std::int64_t axis = -1;
};

// Whole numbers from 0 to below `vocabulary` in the features become rows of the table; with
// `mask_zero`, steps that are 0 are masked for what follows.
struct Embedding {
  std::uint64_t vocabulary = 0, size = 0;
  bool mask_zero = false;
  Initializer initializer = embedding_uniform;
};
// A row for each of the first steps of its input, whatever that is, and no mask; `adds` it to the
// input, whose mask stays.
struct PositionEmbedding {
  std::uint64_t steps = 0;  // at least the input's
  bool adds = false;
  Initializer initializer = glorot_uniform;
};

struct Recurrent {
  enum class Cell { simple, lstm, gru };
  Cell cell = Cell::lstm;
  std::uint64_t units = 0;
  Activation activation = Activation::tanh;  // simple: also relu, linear
  bool return_sequences = false, go_backwards = false, use_bias = true;
  bool unit_forget_bias = true;  // lstm
  // Keras' zero_output_for_mask: a masked step's output is 0 rather than that of the step before.
  bool zero_masked = false;
  Initializer kernel_initializer = glorot_uniform, recurrent_initializer = orthogonal;
  Initializer bias_initializer = zeros;
  friend bool operator==(const Recurrent&, const Recurrent&) = default;
};

// The layer along the steps and one against them, joined step by step. Both give 0 at masked steps,
// as in Keras.
struct Bidirectional {
  enum class Merge { concatenate, sum, multiply, average };
  Recurrent layer;
  Merge merge = Merge::concatenate;
};

// Reads query, value, and key (when two are given the value is the key).
struct MultiHeadAttention {
  std::uint64_t heads = 0, key_size = 0, value_size = 0;  // value 0: as the key
  std::uint64_t outputs = 0;                              // 0: the query's features
  bool causal = false, use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer bias_initializer = zeros;
};

using LayerKind =
    std::variant<Dense, Conv2D, MaxPooling2D, Flatten, ActivationLayer, Conv1D, DepthwiseConv2D,
                 AveragePooling2D, Pooling1D, GlobalPooling, Reshape, Permute, Dropout, Add,
                 Multiply, Concatenate, BatchNormalization, LayerNormalization, GroupNormalization,
                 Embedding, PositionEmbedding, Recurrent, Bidirectional, MultiHeadAttention>;

// What was written down of a layer's input number `of`: that it is masked where the model's input
// `tokens` is 0.
struct MaskSpec {
  std::size_t of = 0;
  std::string tokens;
};

// `inputs` names what the layer reads: inputs or layers that stand before it. Empty: the one right
// before it. Masks come from Embedding alone; `masks` claims what they are, and compile refuses a
// claim that does not hold.
struct LayerSpec {
  std::string name;
  LayerKind kind;
  std::vector<std::string> inputs = {};
  std::vector<MaskSpec> masks = {};
};

struct InputSpec {
  std::string name;
  Shape shape;
};

// Features that a layer takes as whole numbers from 0 to below `bound`.
struct Tokens {
  std::size_t first = 0, count = 0;
  std::uint64_t bound = 0;
  std::string layer;  // its name
};

// Any number of inputs, and layers in an order in which each stands behind what it reads; the last
// is the output.
struct GraphSpec {
  std::vector<InputSpec> inputs;
  std::vector<LayerSpec> layers;
};

}  // namespace entente::engine
