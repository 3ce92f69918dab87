// SPDX-License-Identifier: Apache-2.0
//
// The optimisers' loops, compiled once for each instruction set, as a table of functions: a part of
// kernels.hpp in a table of its own, under the same rules.
//
// Every function works on `count` values beside each other, value by value, so that no partition of
// them changes a bit. Called by optimizer.cpp alone; the formulas stand in optimizer.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/engine/kernels.hpp"

namespace entente::engine {

// What happens to a value's gradient, and to the value, before the rule:
//     g = clamp(scale * gradient, -bound, bound) + l2 * parameter
//     parameter -= decay * parameter
template <class S>
struct Treatment {
  S scale = 1;
  S bound = static_cast<S>(__builtin_inf());
  S l2 = 0, decay = 0;
};

template <class S>
struct SgdUpdate {
  S learning_rate = 0, momentum = 0;
  bool nesterov = false;
};
template <class S>
struct AdamUpdate {
  S alpha = 0, beta_1_rest = 0, beta_2_rest = 0, epsilon = 0;  // rest: 1 - beta
};
template <class S>
struct AdagradUpdate {
  S learning_rate = 0, epsilon = 0;
};
template <class S>
struct RmsPropUpdate {
  S learning_rate = 0, rho = 0, rho_rest = 0, momentum = 0, epsilon = 0;
};

template <class S>
struct UpdateKernels {
  // In double, in an order that depends on `count` alone; float32's has the same bits in every
  // build.
  double (*sum_of_squares)(const S* values, std::size_t count);
  // `velocity` is null when momentum is zero.
  void (*sgd)(const Treatment<S>&, const SgdUpdate<S>&, const S* gradient, S* velocity,
              S* parameters, std::size_t count);
  void (*adam)(const Treatment<S>&, const AdamUpdate<S>&, const S* gradient, S* first, S* second,
               S* parameters, std::size_t count);
  void (*adagrad)(const Treatment<S>&, const AdagradUpdate<S>&, const S* gradient, S* squares,
                  S* parameters, std::size_t count);
  // `velocity` is null when momentum is zero, `mean` when not centred.
  void (*rmsprop)(const Treatment<S>&, const RmsPropUpdate<S>&, const S* gradient, S* squares,
                  S* velocity, S* mean, S* parameters, std::size_t count);
};

// As kernels_of: float64 is built for the baseline alone.
template <class S>
const UpdateKernels<S>& update_kernels_of(Isa isa);

}  // namespace entente::engine
