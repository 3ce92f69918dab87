// SPDX-License-Identifier: Apache-2.0
//
// Loops over contiguous values: activations, sums, softmax. Plain loops that the compiler
// makes vectors of.
#pragma once

#include "common/engine/elementary.hpp"
#include "common/engine/kernels/vector.hpp"

namespace entente::engine {
namespace {

template <class S>
void relu(const S* input, S* output, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) output[i] = input[i] < S{0} ? S{0} : input[i];
}

template <class S>
void relu_gradient(const S* __restrict output, S* __restrict gradient, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) gradient[i] = output[i] > S{0} ? gradient[i] : S{0};
}

template <class S>
void add(const S* __restrict from, S* __restrict to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
}

template <class S>
void multiply(const S* __restrict from, S* __restrict to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] *= from[i];
}

template <class S>
void multiply_add(const S* __restrict a, const S* __restrict b, S* __restrict to,
                  std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += a[i] * b[i];
}

template <class S>
void scale(S factor, S* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] *= factor;
}

template <class S>
struct Four {
  typedef S type __attribute__((vector_size(4 * sizeof(S))));
  static type get(const S* from) {
    type value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
  }
  static void put(type value, S* to) { __builtin_memcpy(to, &value, sizeof(value)); }
};

template <class S>
[[gnu::always_inline]] inline void transpose_square(const S* from, std::size_t from_row, S* to,
                                                    std::size_t to_row) {
  const auto x0 = Four<S>::get(from), x1 = Four<S>::get(from + from_row);
  const auto x2 = Four<S>::get(from + 2 * from_row), x3 = Four<S>::get(from + 3 * from_row);
  const auto low02 = __builtin_shufflevector(x0, x2, 0, 4, 1, 5);
  const auto low13 = __builtin_shufflevector(x1, x3, 0, 4, 1, 5);
  const auto high02 = __builtin_shufflevector(x0, x2, 2, 6, 3, 7);
  const auto high13 = __builtin_shufflevector(x1, x3, 2, 6, 3, 7);
  Four<S>::put(__builtin_shufflevector(low02, low13, 0, 4, 1, 5), to);
  Four<S>::put(__builtin_shufflevector(low02, low13, 2, 6, 3, 7), to + to_row);
  Four<S>::put(__builtin_shufflevector(high02, high13, 0, 4, 1, 5), to + 2 * to_row);
  Four<S>::put(__builtin_shufflevector(high02, high13, 2, 6, 3, 7), to + 3 * to_row);
}

// Squares of 4 x 4 stay in registers and within few cache lines.
template <class S>
void transpose(const S* from, std::size_t from_row, S* to, std::size_t to_row, std::size_t rows,
               std::size_t columns) {
  const std::size_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
  for (std::size_t r = 0; r < whole_rows; r += 4) {
    for (std::size_t c = 0; c < whole_columns; c += 4) {
      transpose_square(from + r * from_row + c, from_row, to + c * to_row + r, to_row);
    }
  }
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c) {
      to[c * to_row + r] = from[r * from_row + c];
    }
  }
}

template <class S>
void column_sums(const S* values, std::size_t value_group, std::size_t value_row,
                 std::size_t groups, std::size_t rows, std::size_t columns, S* sums,
                 bool accumulate) {
  std::size_t j = 0;
  for (; j + lanes<S> <= columns; j += lanes<S>) {
    Vector<S> sum = accumulate ? load(sums + j) : Vector<S>{};
    for (std::size_t group = 0; group < groups; ++group) {
      for (std::size_t i = 0; i < rows; ++i)
        sum += load(values + group * value_group + i * value_row + j);
    }
    store(sum, sums + j);
  }
  for (; j < columns; ++j) {
    S sum = accumulate ? sums[j] : S{0};
    for (std::size_t group = 0; group < groups; ++group) {
      for (std::size_t i = 0; i < rows; ++i) sum += values[group * value_group + i * value_row + j];
    }
    sums[j] = sum;
  }
}

template <class S>
bool all_finite(const S* values, std::size_t count) {
  constexpr auto exponent = ((Floating<S>::exponent_bias << 1) | 1U) << Floating<S>::fraction_bits;
  typename Floating<S>::Bits found = 0;
  for (std::size_t i = 0; i < count; ++i)
    found |= (bits_of(values[i]) & exponent) == exponent ? 1U : 0U;
  return found == 0;
}

// e^(logits - greatest), and their sum.
template <class S>
S shifted_exponentials(const S* logits, std::size_t classes, S greatest, S* to) {
  for (std::size_t i = 0; i < classes; ++i) to[i] = exp_of(logits[i] - greatest);
  S sum = 0;
  for (std::size_t i = 0; i < classes; ++i) sum += to[i];
  return sum;
}

template <class S>
S greatest_of(const S* values, std::size_t count) {
  S greatest = values[0];
  for (std::size_t i = 1; i < count; ++i) greatest = values[i] > greatest ? values[i] : greatest;
  return greatest;
}

template <class S>
void softmax(const S* logits, std::size_t classes, S* probabilities) {
  const S sum = shifted_exponentials(logits, classes, greatest_of(logits, classes), probabilities);
  for (std::size_t i = 0; i < classes; ++i) probabilities[i] /= sum;
}

template <class S>
S cross_entropy(const S* logits, std::size_t classes, std::size_t label, S scale, S* gradient) {
  const S greatest = greatest_of(logits, classes);
  const S sum = shifted_exponentials(logits, classes, greatest, gradient);
  const S loss = log_of(sum) - (logits[label] - greatest);
  for (std::size_t i = 0; i < classes; ++i) gradient[i] *= scale / sum;
  gradient[label] -= scale;
  return loss;
}

}  // namespace
}  // namespace entente::engine
