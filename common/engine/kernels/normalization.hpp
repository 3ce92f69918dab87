// SPDX-License-Identifier: Apache-2.0
//
// Means, variances and what is made of them. A sum over neighbours is sixteen sums side by side
// that are added in the end: the same whatever the width of the vectors.
#pragma once

#include "common/engine/kernels/vector.hpp"

namespace entente::engine {
namespace {

inline constexpr std::size_t sums_together = 16;

inline float square_root(float x) {
  return __builtin_sqrtf(x);
}
inline double square_root(double x) {
  return __builtin_sqrt(x);
}

template <class S>
struct Sums {
  S parts[sums_together] = {};
  template <class Value>
  [[gnu::always_inline]] void add(std::size_t count, const Value& value) {
    std::size_t i = 0;
    for (; i + sums_together <= count; i += sums_together) {
      for (std::size_t j = 0; j < sums_together; ++j) parts[j] += value(i + j);
    }
    for (std::size_t j = 0; i + j < count; ++j) parts[j] += value(i + j);
  }
  S total() {
    for (std::size_t width = sums_together / 2; width > 0; width /= 2) {
      for (std::size_t j = 0; j < width; ++j) parts[j] += parts[j + width];
    }
    return parts[0];
  }
};

template <class S>
void normalize(const NormalSet<S>& set, const S* x, S* y, S* moments) {
  const S share = S{1} / static_cast<S>(set.lines * set.length);
  Sums<S> sum, squares;
  for (std::size_t line = 0; line < set.lines; ++line) {
    const S* from = x + line * set.stride;
    sum.add(set.length, [&](std::size_t i) { return from[i]; });
  }
  const S mean = sum.total() * share;
  for (std::size_t line = 0; line < set.lines; ++line) {
    const S* from = x + line * set.stride;
    squares.add(set.length, [&](std::size_t i) { return (from[i] - mean) * (from[i] - mean); });
  }
  const S inverse = S{1} / square_root(squares.total() * share + set.epsilon);
  moments[0] = mean;
  moments[1] = inverse;
  for (std::size_t line = 0; line < set.lines; ++line) {
    const S* from = x + line * set.stride;
    S* to = y + line * set.stride;
    for (std::size_t i = 0; i < set.length; ++i) to[i] = (from[i] - mean) * inverse;
    if (set.gamma != nullptr) {
      for (std::size_t i = 0; i < set.length; ++i) to[i] *= set.gamma[i];
    }
    if (set.beta != nullptr) {
      for (std::size_t i = 0; i < set.length; ++i) to[i] += set.beta[i];
    }
  }
}

// With z = (x - mean) * inverse and g = gamma * gradient: dx = inverse * (g - mean(g) - z * mean(g
// z)).
template <class S>
void normalize_gradient(const NormalSet<S>& set, const S* moments, const S* x, const S* gradient,
                        S* input_gradient, S* gamma_gradient, S* beta_gradient) {
  const S mean = moments[0], inverse = moments[1];
  Sums<S> even, slant;
  for (std::size_t line = 0; line < set.lines; ++line) {
    const S* from = x + line * set.stride;
    const S* dy = gradient + line * set.stride;
    const auto g = [&](std::size_t i) {
      return set.gamma == nullptr ? dy[i] : dy[i] * set.gamma[i];
    };
    const auto z = [&](std::size_t i) { return (from[i] - mean) * inverse; };
    even.add(set.length, g);
    slant.add(set.length, [&](std::size_t i) { return g(i) * z(i); });
    if (gamma_gradient != nullptr) {
      for (std::size_t i = 0; i < set.length; ++i) gamma_gradient[i] += dy[i] * z(i);
    }
    if (beta_gradient != nullptr) {
      for (std::size_t i = 0; i < set.length; ++i) beta_gradient[i] += dy[i];
    }
  }
  if (input_gradient == nullptr) return;
  const S share = S{1} / static_cast<S>(set.lines * set.length);
  const S even_mean = even.total() * share, slant_mean = slant.total() * share;
  for (std::size_t line = 0; line < set.lines; ++line) {
    const S* from = x + line * set.stride;
    const S* dy = gradient + line * set.stride;
    S* to = input_gradient + line * set.stride;
    for (std::size_t i = 0; i < set.length; ++i) {
      const S g = set.gamma == nullptr ? dy[i] : dy[i] * set.gamma[i];
      to[i] = inverse * (g - even_mean - (from[i] - mean) * inverse * slant_mean);
    }
  }
}

template <class S>
void softmax_gradient(const S* probabilities, const S* output_gradient, std::size_t classes,
                      S* input_gradient) {
  Sums<S> products;
  products.add(classes, [&](std::size_t i) { return probabilities[i] * output_gradient[i]; });
  const S mean = products.total();
  for (std::size_t i = 0; i < classes; ++i)
    input_gradient[i] = probabilities[i] * (output_gradient[i] - mean);
}

template <class S>
void column_squares(const Columns<S>& shape, const S* values, S* __restrict sums, bool accumulate) {
  if (!accumulate) {
    for (std::size_t j = 0; j < shape.columns; ++j) sums[j] = S{0};
  }
  for (std::size_t row = 0; row < shape.rows; ++row) {
    const S* from = values + row * shape.columns;
    for (std::size_t j = 0; j < shape.columns; ++j) {
      const S apart = from[j] - shape.mean[j];
      sums[j] += apart * apart;
    }
  }
}

template <class S>
void column_products(const Columns<S>& shape, const S* gradient, const S* values,
                     S* __restrict sums, bool accumulate) {
  if (!accumulate) {
    for (std::size_t j = 0; j < shape.columns; ++j) sums[j] = S{0};
  }
  for (std::size_t row = 0; row < shape.rows; ++row) {
    const S* from = values + row * shape.columns;
    const S* dy = gradient + row * shape.columns;
    for (std::size_t j = 0; j < shape.columns; ++j) sums[j] += dy[j] * (from[j] - shape.mean[j]);
  }
}

template <class S>
void normalize_columns(const Columns<S>& shape, const S* x, const S* factor, const S* shift, S* y) {
  for (std::size_t row = 0; row < shape.rows; ++row) {
    const S* from = x + row * shape.columns;
    S* to = y + row * shape.columns;
    for (std::size_t j = 0; j < shape.columns; ++j)
      to[j] = (from[j] - shape.mean[j]) * factor[j] + shift[j];
  }
}

template <class S>
void normalize_columns_gradient(const Columns<S>& shape, const S* x, const S* gradient,
                                const S* factor, const S* even, const S* slant, S* input_gradient) {
  for (std::size_t row = 0; row < shape.rows; ++row) {
    const S* from = x + row * shape.columns;
    const S* dy = gradient + row * shape.columns;
    S* to = input_gradient + row * shape.columns;
    for (std::size_t j = 0; j < shape.columns; ++j)
      to[j] = factor[j] * (dy[j] - even[j] - (from[j] - shape.mean[j]) * slant[j]);
  }
}

}  // namespace
}  // namespace entente::engine
