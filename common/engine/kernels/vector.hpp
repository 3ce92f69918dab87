// SPDX-License-Identifier: Apache-2.0
//
// The vector type of one kernel build. Everything in this folder's headers is in an anonymous
// namespace on purpose: each build must keep its own copy (see common/engine/kernels.hpp). Include
// from kernels.cpp only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/engine/kernels.hpp"

namespace entente::engine {
namespace {

#if defined(__AVX512F__)
inline constexpr std::size_t vector_bytes = 64;
#elif defined(__AVX2__)
inline constexpr std::size_t vector_bytes = 32;
#else
inline constexpr std::size_t vector_bytes = 16;
#endif

// Element alignment: parameters follow each other without gaps, so no tensor but the first is
// aligned.
template <class S>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float type __attribute__((vector_size(vector_bytes)));
  typedef std::int32_t mask __attribute__((vector_size(vector_bytes)));
};
template <>
struct VectorOf<double> {
  typedef double type __attribute__((vector_size(vector_bytes)));
  typedef std::int64_t mask __attribute__((vector_size(vector_bytes)));
};
template <class S>
using Vector = typename VectorOf<S>::type;
template <class S>
using Mask = typename VectorOf<S>::mask;

template <class S>
inline constexpr std::size_t lanes = vector_bytes / sizeof(S);

// Of any alignment: parameters follow each other without gaps, so no tensor but the first is
// aligned.
template <class S>
[[gnu::always_inline]] inline Vector<S> load(const S* from) {
  Vector<S> value;
  __builtin_memcpy(&value, from, sizeof(value));
  return value;
}
template <class S>
[[gnu::always_inline]] inline void store(Vector<S> value, S* to) {
  __builtin_memcpy(to, &value, sizeof(value));
}

[[gnu::always_inline]] inline std::size_t smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}

}  // namespace
}  // namespace entente::engine
