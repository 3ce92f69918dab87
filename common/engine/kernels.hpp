// SPDX-License-Identifier: Apache-2.0
//
// The arithmetic that is compiled once for each instruction set, as a table of functions.
//
// One source (kernels/) becomes one object for each instruction set. Pointers and sizes only cross
// this border, and neither Eigen nor the standard library's templates are used behind it: an inline
// function that two such objects share would be kept once by the linker, for whichever processor.
// `.ci/check-kernels` checks it.
//
// Every result is one chain of additions in a fixed order that depends on the arguments alone, so
// neither the partition of the work nor the width of the vectors changes a bit of it.
//
// Called by operations and optimisers only. All functions are pure and allocate nothing; sizes and
// strides are in scalars.
#pragma once

#include <cstddef>
#include <cstdint>

namespace entente::engine {

// Not isa.hpp: nothing that has inline functions may be included here.
enum class Isa : std::uint8_t;

// c[g, i, j] (+)= sum over s, t of a[g, i, s, t] * b[s, t, j], then + bias[j], then relu.
// Matrix products and convolutions alike: a convolution's `group` is an image line, its `segment` a
// line of the filter.
template <class S>
struct Product {
  const S* a = nullptr;
  std::size_t a_group = 0, a_row = 0, a_segment = 0, a_step = 0;
  const S* b = nullptr;
  std::size_t b_segment = 0, b_step = 0;  // [columns] is contiguous
  S* c = nullptr;
  std::size_t c_group = 0, c_row = 0;  // [columns] is contiguous
  std::size_t groups = 1, rows = 0, columns = 0, segments = 1, steps = 0;
  const S* bias = nullptr;  // [columns] or none; not together with `accumulate`
  bool accumulate = false;  // add to what is in c
  bool relu = false;
};

// Lines of pixels: element (y, x, channel) lies at data + y * line + x * pixel + channel.
template <class S>
struct Plane {
  S* data = nullptr;
  std::size_t line = 0, pixel = 0;
};

// Windows of `height` x `width`, moved by the steps, over an input padded by `top` and `left` (and
// as needed at the other ends) with what is smaller than everything.
struct Pooling {
  std::size_t input_height = 0, input_width = 0, channels = 0;
  std::size_t output_height = 0, output_width = 0;
  std::size_t window_height = 0, window_width = 0, step_y = 0, step_x = 0, top = 0, left = 0;
  bool tiles = false;  // each element of the input is in exactly one window
};

// Stochastic gradient descent; `velocity` is null when momentum is zero.
template <class S>
struct SgdUpdate {
  S learning_rate = 0, momentum = 0;
  bool nesterov = false;
};

template <class S>
struct Kernels {
  std::size_t lanes;  // of a vector: a product whose columns are a multiple of it has no cut panels
  void (*product)(const Product<S>&);
  // to[c, r] = from[r, c]
  void (*transpose)(const S* from, std::size_t from_row, S* to, std::size_t to_row,
                    std::size_t rows, std::size_t columns);
  // sums[j] (+)= sum over g, i of values[g, i, j]
  void (*column_sums)(const S* values, std::size_t value_group, std::size_t value_row,
                      std::size_t groups, std::size_t rows, std::size_t columns, S* sums,
                      bool accumulate);
  // output = max(input, 0), NaN stays NaN; gradient = 0 where output is not above 0
  void (*relu)(const S* input, S* output, std::size_t count);
  void (*relu_gradient)(const S* output, S* gradient, std::size_t count);
  void (*add)(const S* from, S* to, std::size_t count);
  void (*max_pool)(const Pooling&, Plane<const S> input, Plane<S> output);
  // Adds to input_gradient; where the windows tile the input, overwrites it. Of equal maxima the
  // first in the window, line by line, takes it.
  void (*max_pool_gradient)(const Pooling&, Plane<const S> input, Plane<const S> output,
                            Plane<const S> output_gradient, Plane<S> input_gradient);
  void (*softmax)(const S* logits, std::size_t classes, S* probabilities);
  // The loss in nats, and gradient = scale * (softmax(logits) - one_hot(label)).
  S (*cross_entropy)(const S* logits, std::size_t classes, std::size_t label, S scale, S* gradient);
  bool (*all_finite)(const S* values, std::size_t count);
  void (*sgd)(SgdUpdate<S> update, const S* gradient, S* velocity, S* parameters,
              std::size_t count);
};

// The widest panel of columns a product works on; a multiple of every build's vector width.
inline constexpr std::size_t panel_columns_max = 64;

// float64 is for gradient checks and built for the baseline alone: every `isa` gives that one.
// Precondition: supported(isa).
template <class S>
const Kernels<S>& kernels_of(Isa isa);

}  // namespace entente::engine
