// SPDX-License-Identifier: Apache-2.0
//
// How the learning rate moves while a model trains: a factor, as a pure function of the step.
//
//     t < warm_up            (t + 1) / warm_up            linear, the full rate at its last step
//     otherwise, with u = t - warm_up:
//       constant             factor
//       step                 factor ^ floor(u / every)
//       cosine               last + (1 - last) * (1 + cos(pi * min(u / steps, 1))) / 2
//
// The optimiser multiplies its learning rate by it. Steps count from 0. No function of the C
// library is called: the same bits on every machine.
#pragma once

#include <cstdint>
#include <variant>

#include "common/base/result.hpp"

namespace entente::engine {

struct ConstantRate {
  double factor = 1;  // in [0, 1]
  friend bool operator==(const ConstantRate&, const ConstantRate&) = default;
};
struct StepDecay {
  std::uint64_t every = 1;  // at least 1
  double factor = 0.1;      // in (0, 1]
  friend bool operator==(const StepDecay&, const StepDecay&) = default;
};
struct CosineDecay {
  std::uint64_t steps = 1;  // at least 1
  double last = 0;          // in [0, 1]: the factor from then on
  friend bool operator==(const CosineDecay&, const CosineDecay&) = default;
};

struct Schedule {
  std::variant<ConstantRate, StepDecay, CosineDecay> decay;
  std::uint64_t warm_up = 0;  // steps
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

// Errors: invalid_argument - a number outside its range.
Result<void> check_schedule(const Schedule& schedule);

// In [0, 1]. Precondition: check_schedule found nothing.
double factor_at(const Schedule& schedule, std::uint64_t step);

// base ^ exponent by squaring.
double power_of(double base, std::uint64_t exponent);

}  // namespace entente::engine
