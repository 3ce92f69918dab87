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
  // Not 0: b is packed, one panel of columns so far behind the other (see Kernels::panel).
  std::size_t b_panel = 0;
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

// Activations that are not relu; `slope` is leaky_relu's for x < 0 and elu's alpha.
enum class Curve : std::uint8_t { tanh, sigmoid, gelu, swish, elu, leaky_relu };

// Each value is 0 with a probability, else times `scale`. Value i of a run is value first + i of
// its row; its random number is a function of (key, stream, row, place) alone.
template <class S>
struct Drop {
  std::uint32_t key[2] = {0, 0};
  std::uint32_t stream = 0, row = 0;
  std::uint32_t threshold = 0;  // 0 where the random number is below
  S scale = 1;
  std::size_t first = 0;
};

// A set of values that share a mean and a variance: `lines` of `length`, `stride` apart. gamma and
// beta [length] or none.
template <class S>
struct NormalSet {
  std::size_t lines = 0, length = 0, stride = 0;
  S epsilon = 0;
  const S* gamma = nullptr;
  const S* beta = nullptr;
};

// Rows of channels with what belongs to each channel.
template <class S>
struct Columns {
  std::size_t rows = 0, columns = 0;
  const S* mean = nullptr;
};

template <class S>
struct Kernels {
  std::size_t lanes;  // of a vector: a product whose columns are a multiple of it has no cut panels
  // Columns that a product works on at once. A packed b has [steps, panel] for each such panel,
  // b_panel apart, with b_step = panel; one segment.
  std::size_t panel;
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
  // The mean of what lies in the window; its gradient adds to input_gradient.
  void (*average_pool)(const Pooling&, Plane<const S> input, Plane<S> output);
  void (*average_pool_gradient)(const Pooling&, Plane<const S> output_gradient,
                                Plane<S> input_gradient);
  void (*multiply)(const S* from, S* to, std::size_t count);               // to *= from
  void (*multiply_add)(const S* a, const S* b, S* to, std::size_t count);  // to += a * b
  void (*scale)(S factor, S* values, std::size_t count);
  void (*curve)(Curve curve, S slope, const S* input, S* output, std::size_t count);
  // input_gradient = output_gradient * the derivative; they may be the same memory
  void (*curve_gradient)(Curve curve, S slope, const S* input, const S* output,
                         const S* output_gradient, S* input_gradient, std::size_t count);
  void (*drop)(const Drop<S>&, const S* from, S* to, std::size_t count);
  // y = gamma * (x - mean) * inverse + beta; inverse = 1 / sqrt(variance + epsilon); moments: mean,
  // inverse. The gradient adds to gamma_gradient and beta_gradient [length] where there are any;
  // input_gradient may be none.
  void (*normalize)(const NormalSet<S>&, const S* x, S* y, S* moments);
  void (*normalize_gradient)(const NormalSet<S>&, const S* moments, const S* x, const S* gradient,
                             S* input_gradient, S* gamma_gradient, S* beta_gradient);
  // sums[j] (+)= sum over rows of (values - mean)^2; of gradient * (values - mean).
  void (*column_squares)(const Columns<S>&, const S* values, S* sums, bool accumulate);
  void (*column_products)(const Columns<S>&, const S* gradient, const S* values, S* sums,
                          bool accumulate);
  // y = (x - mean) * factor + shift
  void (*normalize_columns)(const Columns<S>&, const S* x, const S* factor, const S* shift, S* y);
  // input_gradient = factor * (gradient - even - (x - mean) * slant)
  void (*normalize_columns_gradient)(const Columns<S>&, const S* x, const S* gradient,
                                     const S* factor, const S* even, const S* slant,
                                     S* input_gradient);
  // LSTM, one row's step: gates (input, forget, cell, output) before their activations become
  // themselves; cell, its tanh, and the output. Backward: gates become the gradients before the
  // activations; cell_gradient, by this step's cell, becomes that by the one before.
  void (*lstm)(std::size_t units, S* gates, const S* cell_before, S* cell, S* squashed, S* output);
  void (*lstm_gradient)(std::size_t units, S* gates, const S* cell_before, const S* squashed,
                        const S* output_gradient, S* cell_gradient);
  // GRU: gates (update, reset, candidate) from the input, `inner` the same from the state before;
  // inner's candidate is kept. Backward: gates become the gradients before the activations, kept
  // the gradient by inner's candidate; state_gradient the part that goes straight to the state
  // before.
  void (*gru)(std::size_t units, S* gates, const S* inner, const S* before, S* kept, S* output);
  void (*gru_gradient)(std::size_t units, S* gates, const S* before, S* kept,
                       const S* output_gradient, S* state_gradient);
  void (*softmax)(const S* logits, std::size_t classes, S* probabilities);
  // input_gradient = probabilities * (output_gradient - their weighted mean); may be in place
  void (*softmax_gradient)(const S* probabilities, const S* output_gradient, std::size_t classes,
                           S* input_gradient);
  // The loss in nats, and gradient = scale * (softmax(logits) - one_hot(label)).
  S (*cross_entropy)(const S* logits, std::size_t classes, std::size_t label, S scale, S* gradient);
  bool (*all_finite)(const S* values, std::size_t count);
};

// The widest panel of columns a product works on; a multiple of every build's vector width.
inline constexpr std::size_t panel_columns_max = 64;

// float64 is for gradient checks and built for the baseline alone: every `isa` gives that one.
// Precondition: supported(isa).
template <class S>
const Kernels<S>& kernels_of(Isa isa);

}  // namespace entente::engine
