// SPDX-License-Identifier: Apache-2.0
//
// What a network is made of, as data: one struct for each kind of layer, with Keras' meanings and
// defaults. common/model reads them from Keras' JSON; Network::compile checks that they fit
// together.
//
// Parameters are named `layer/kernel` and `layer/bias` and laid out as Keras has them:
//   Dense   kernel [inputs, units], bias [units]
//   Conv2D  kernel [kernel height, kernel width, input channels, filters], bias [filters]
// Images are [height, width, channels] (channels last).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>

namespace entente::engine {

enum class Activation { linear, relu, softmax };

// `same`: the output has ceil(size / stride) lines; zeros around the input (the odd one at the
// end). `valid`: none.
enum class Padding { valid, same };

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
};

inline constexpr Initializer zeros{};
inline constexpr Initializer glorot_uniform{Initializer::Kind::scaled_uniform, 1.0, 0.0,
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

// `strides` are the pool size where Keras' file has null.
struct MaxPooling2D {
  std::array<std::uint64_t, 2> pool_size{2, 2};
  std::array<std::uint64_t, 2> strides{2, 2};
  Padding padding = Padding::valid;
};

// One row of all values, in their order.
struct Flatten {};

// The activation alone: Keras' Activation, ReLU and Softmax layers.
struct ActivationLayer {
  Activation activation = Activation::linear;
};

struct LayerSpec {
  std::string name;
  std::variant<Dense, Conv2D, MaxPooling2D, Flatten, ActivationLayer> kind;
};

}  // namespace entente::engine
