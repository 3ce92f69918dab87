// SPDX-License-Identifier: Apache-2.0
//
// Activations other than relu, and dropout: loops over contiguous values.
#pragma once

#include "common/engine/elementary.hpp"
#include "common/engine/kernels/vector.hpp"

namespace entente::engine {
namespace {

// The value and the derivative of each curve at x, which has given y.
struct Tanh {
  template <class S>
  [[gnu::always_inline]] static S at(S x, S) {
    return tanh_of(x);
  }
  template <class S>
  [[gnu::always_inline]] static S slope_at(S, S y, S) {
    return S{1} - y * y;
  }
};
struct Sigmoid {
  template <class S>
  [[gnu::always_inline]] static S at(S x, S) {
    return sigmoid_of(x);
  }
  template <class S>
  [[gnu::always_inline]] static S slope_at(S, S y, S) {
    return y * (S{1} - y);
  }
};
struct Gelu {
  template <class S>
  [[gnu::always_inline]] static S at(S x, S) {
    return S(0.5) * x * (S{1} + erf_of(x * S(0.70710678118654752440)));
  }
  template <class S>
  [[gnu::always_inline]] static S slope_at(S x, S, S) {
    const S below = S(0.5) * (S{1} + erf_of(x * S(0.70710678118654752440)));
    return below + x * S(0.39894228040143267794) * exp_of(S(-0.5) * x * x);
  }
};
struct Swish {
  template <class S>
  [[gnu::always_inline]] static S at(S x, S) {
    return x * sigmoid_of(x);
  }
  template <class S>
  [[gnu::always_inline]] static S slope_at(S x, S y, S) {
    const S gate = sigmoid_of(x);
    return gate + y * (S{1} - gate);
  }
};
struct Elu {
  template <class S>
  [[gnu::always_inline]] static S at(S x, S alpha) {
    const S below = alpha * expm1_of(x < S{0} ? x : S{0});
    return x > S{0} ? x : below;
  }
  template <class S>
  [[gnu::always_inline]] static S slope_at(S x, S y, S alpha) {
    return x > S{0} ? S{1} : y + alpha;
  }
};
struct LeakyRelu {
  template <class S>
  [[gnu::always_inline]] static S at(S x, S slope) {
    const S below = slope * x;
    return x < S{0} ? below : x;
  }
  template <class S>
  [[gnu::always_inline]] static S slope_at(S x, S, S slope) {
    return x > S{0} ? S{1} : slope;
  }
};

template <class Shape, class S>
void follow(S slope, const S* input, S* output, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) output[i] = Shape::at(input[i], slope);
}
template <class Shape, class S>
void follow_gradient(S slope, const S* input, const S* output, const S* output_gradient,
                     S* input_gradient, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    input_gradient[i] = output_gradient[i] * Shape::slope_at(input[i], output[i], slope);
}

template <class S>
void curve(Curve kind, S slope, const S* input, S* output, std::size_t count) {
  switch (kind) {
    case Curve::tanh:
      return follow<Tanh>(slope, input, output, count);
    case Curve::sigmoid:
      return follow<Sigmoid>(slope, input, output, count);
    case Curve::gelu:
      return follow<Gelu>(slope, input, output, count);
    case Curve::swish:
      return follow<Swish>(slope, input, output, count);
    case Curve::elu:
      return follow<Elu>(slope, input, output, count);
    case Curve::leaky_relu:
      return follow<LeakyRelu>(slope, input, output, count);
  }
}

template <class S>
void curve_gradient(Curve kind, S slope, const S* input, const S* output, const S* output_gradient,
                    S* input_gradient, std::size_t count) {
  const auto go = [&](auto shape) {
    follow_gradient<decltype(shape)>(slope, input, output, output_gradient, input_gradient, count);
  };
  switch (kind) {
    case Curve::tanh:
      return go(Tanh{});
    case Curve::sigmoid:
      return go(Sigmoid{});
    case Curve::gelu:
      return go(Gelu{});
    case Curve::swish:
      return go(Swish{});
    case Curve::elu:
      return go(Elu{});
    case Curve::leaky_relu:
      return go(LeakyRelu{});
  }
}

// Philox4x32-10, as common/base/random.hpp has it, for several counters side by side: number k of a
// row is word k % 4 of counter (k / 4, row, stream, 1).
inline constexpr std::size_t counters_together = 16;
struct RandomNumbers {
  std::uint32_t words[4][counters_together];
};

inline void random_numbers(const std::uint32_t (&key)[2], std::uint32_t stream, std::uint32_t row,
                           std::size_t first, RandomNumbers& numbers) {
  auto& w = numbers.words;
  for (std::size_t i = 0; i < counters_together; ++i) {
    w[0][i] = static_cast<std::uint32_t>(first + i);
    w[1][i] = row;
    w[2][i] = stream;
    w[3][i] = 1;
  }
  std::uint32_t key0 = key[0], key1 = key[1];
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < counters_together; ++i) {
      const std::uint64_t a = std::uint64_t{0xD2511F53U} * w[0][i];
      const std::uint64_t b = std::uint64_t{0xCD9E8D57U} * w[2][i];
      const std::uint32_t next0 = static_cast<std::uint32_t>(b >> 32U) ^ w[1][i] ^ key0;
      const std::uint32_t next2 = static_cast<std::uint32_t>(a >> 32U) ^ w[3][i] ^ key1;
      w[1][i] = static_cast<std::uint32_t>(b);
      w[3][i] = static_cast<std::uint32_t>(a);
      w[0][i] = next0;
      w[2][i] = next2;
    }
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
}

template <class S>
void drop(const Drop<S>& drop, const S* from, S* to, std::size_t count) {
  constexpr std::size_t together = 4 * counters_together;
  RandomNumbers numbers;
  for (std::size_t i = 0; i < count;) {
    const std::size_t place = drop.first + i;
    const std::size_t begin = place / together * together;
    random_numbers(drop.key, drop.stream, drop.row, begin / 4, numbers);
    const std::size_t end = smaller(count, begin + together - drop.first);
    for (; i < end; ++i) {
      const std::size_t k = drop.first + i - begin;
      to[i] = numbers.words[k % 4][k / 4] < drop.threshold ? S{0} : from[i] * drop.scale;
    }
  }
}

}  // namespace
}  // namespace entente::engine
