// SPDX-License-Identifier: Apache-2.0
//
// exp, log and what is made of them, of our own, for float and double: the same bits on every
// machine, and loops over them become vectors. The C library's differ between its versions.
//
// In an anonymous namespace, so that each kernel build has its own copy (see kernels.hpp).
//
// Errors, tested: exp 2 units in the last place on its range; log 2 units, or 1e-7 (float), 1e-16
// (double) absolute; expm1, tanh, sigmoid and erf 8 units.
#pragma once

#include <cstddef>
#include <cstdint>

namespace entente::engine {
namespace {

template <class S>
struct Floating;
template <>
struct Floating<float> {
  using Bits = std::uint32_t;
  using SignedBits = std::int32_t;
  static constexpr int fraction_bits = 23;
  static constexpr Bits exponent_bias = 127;
  static constexpr float exp_least = -87.0F, exp_most = 88.0F;
  static constexpr float round_shift = 12582912.0F;  // 1.5 * 2^23
  static constexpr float log_2_high = 0.693359375F, log_2_low = -2.12194440e-4F;
  static constexpr int exp_terms = 7, log_terms = 5;
};
template <>
struct Floating<double> {
  using Bits = std::uint64_t;
  using SignedBits = std::int64_t;
  static constexpr int fraction_bits = 52;
  static constexpr Bits exponent_bias = 1023;
  static constexpr double exp_least = -708.0, exp_most = 709.0;
  static constexpr double round_shift = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double log_2_high = 6.93147180369123816490e-01,
                          log_2_low = 1.90821492927058770002e-10;
  static constexpr int exp_terms = 13, log_terms = 11;
};

template <class S>
[[gnu::always_inline]] inline typename Floating<S>::Bits bits_of(S value) {
  return __builtin_bit_cast(typename Floating<S>::Bits, value);
}

// e^x for x in [exp_least, exp_most]; what lies beyond is moved to the bound. NaN gives NaN.
// x = n log 2 + r; e^r by its series on |r| <= log(2) / 2; 2^n by its exponent bits.
template <class S>
[[gnu::always_inline]] inline S exp_of(S x) {
  using F = Floating<S>;
  x = x < F::exp_least ? F::exp_least : x;
  x = x > F::exp_most ? F::exp_most : x;
  const S shifted = x * S(1.4426950408889634) + F::round_shift;
  const S n = shifted - F::round_shift;
  const S r = (x - n * F::log_2_high) - n * F::log_2_low;
  S series = 1;
#pragma GCC unroll 16
  for (int term = F::exp_terms; term > 0; --term) series = S(1) + series * r * (S(1) / S(term));
  const auto power = (bits_of(shifted) + F::exponent_bias) << F::fraction_bits;
  return series * __builtin_bit_cast(S, power);
}

// e^x - 1, for x as above: exact near 0 too.
template <class S>
[[gnu::always_inline]] inline S expm1_of(S x) {
  using F = Floating<S>;
  x = x < F::exp_least ? F::exp_least : x;
  x = x > F::exp_most ? F::exp_most : x;
  const S shifted = x * S(1.4426950408889634) + F::round_shift;
  const S n = shifted - F::round_shift;
  const S r = (x - n * F::log_2_high) - n * F::log_2_low;
  S series = 1;
#pragma GCC unroll 16
  for (int term = F::exp_terms; term > 1; --term) series = S(1) + series * r * (S(1) / S(term));
  const auto power = (bits_of(shifted) + F::exponent_bias) << F::fraction_bits;
  const S scale = __builtin_bit_cast(S, power);
  return scale * (series * r) + (scale - S(1));
}

template <class S>
[[gnu::always_inline]] inline S sigmoid_of(S x) {
  return S(1) / (S(1) + exp_of(-x));
}

template <class S>
[[gnu::always_inline]] inline S tanh_of(S x) {
  const S size = x < S(0) ? -x : x;
  const S less = expm1_of(S(-2) * size);  // in (-1, 0]
  const S value = -less / (less + S(2));
  return x < S(0) ? -value : value;
}

template <class S, std::size_t count>
[[gnu::always_inline]] inline S polynomial_of(const double (&terms)[count], S x) {
  S value = S(terms[0]);
#pragma GCC unroll 16
  for (std::size_t i = 1; i < count; ++i) value = value * x + S(terms[i]);
  return value;
}

// The error function: W. J. Cody, "Rational Chebyshev approximations for the error function", 1969,
// highest power first.
template <class S>
[[gnu::always_inline]] inline S erf_of(S x) {
  constexpr double a[] = {1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2,
                          3.77485237685302021e2, 3.20937758913846947e3};
  constexpr double b[] = {1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
                          2.84423683343917062e3};
  constexpr double c[] = {2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0,
                          6.61191906371416295e1,  2.98635138197400131e2,  8.81952221241769090e2,
                          1.71204761263407058e3,  2.05107837782607147e3,  1.23033935479799725e3};
  constexpr double d[] = {1.0,
                          1.57449261107098347e1,
                          1.17693950891312499e2,
                          5.37181101862009858e2,
                          1.62138957456669019e3,
                          3.29079923573345963e3,
                          4.36261909014324716e3,
                          3.43936767414372164e3,
                          1.23033935480374942e3};
  constexpr double p[] = {1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
                          1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4};
  constexpr double q[] = {1.0,
                          2.56852019228982242e0,
                          1.87295284992346725e0,
                          5.27905102951428412e-1,
                          6.05183413124413191e-2,
                          2.33520497626869185e-3};
  S y = x < S(0) ? -x : x;
  y = y > S(6) ? S(6) : y;  // erf is 1 from there on
  const S square = y * y;
  const S near = x * polynomial_of(a, square) / polynomial_of(b, square);
  const S decay = exp_of(-square);
  const S middle = S(1) - decay * polynomial_of(c, y) / polynomial_of(d, y);
  const S large = y < S(4) ? S(4) : y;
  const S inverse = S(1) / (large * large);
  const S tail = inverse * polynomial_of(p, inverse) / polynomial_of(q, inverse);
  const S far = S(1) - decay * (S(0.56418958354775628695) - tail) / large;
  const S beyond = y > S(4) ? far : middle;
  const S signed_beyond = x < S(0) ? -beyond : beyond;
  return y > S(0.46875) ? signed_beyond : near;
}

// Natural logarithm of a normal, finite x > 0.
// x = 2^n m with m in [sqrt(1/2), sqrt(2)); log m = 2 (s + s^3 / 3 + s^5 / 5 ...), s = (m - 1) / (m
// + 1).
template <class S>
[[gnu::always_inline]] inline S log_of(S x) {
  using F = Floating<S>;
  const auto above =
      static_cast<typename F::SignedBits>(bits_of(x) - bits_of(S(0.70710678118654752)));
  const auto n = above >> F::fraction_bits;
  const auto exponent_bits = static_cast<typename F::Bits>(n) << F::fraction_bits;
  const S m = __builtin_bit_cast(S, bits_of(x) - exponent_bits);
  const S s = (m - S(1)) / (m + S(1));
  const S square = s * s;
  S series = 0;
#pragma GCC unroll 16
  for (int term = F::log_terms; term > 0; --term)
    series = (series + S(1) / S(2 * term + 1)) * square;
  const S exponent = static_cast<S>(n);
  return exponent * F::log_2_high + (exponent * F::log_2_low + (S(2) * s + S(2) * s * series));
}

}  // namespace
}  // namespace entente::engine
