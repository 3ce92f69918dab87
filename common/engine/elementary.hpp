// SPDX-License-Identifier: Apache-2.0
//
// exp and log of our own, for float and double: the same bits on every machine, and loops over them
// become vectors. The C library's differ between its versions.
//
// In an anonymous namespace, so that each kernel build has its own copy (see kernels.hpp).
//
// Errors, tested: exp 2 units in the last place on its range; log 2 units, or 1e-7 (float), 1e-16
// (double) absolute.
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
