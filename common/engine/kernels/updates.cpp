// SPDX-License-Identifier: Apache-2.0
//
// The update table of one instruction set: compiled once for each, with ENTENTE_KERNELS set to its
// name. Everything but the tables is in an anonymous namespace (see common/engine/kernels.hpp).
#include "common/engine/updates.hpp"

namespace entente::engine {
namespace {

template <class S>
[[gnu::always_inline]] inline S root(S value) {
  if constexpr (sizeof(S) == sizeof(float)) {
    return __builtin_sqrtf(value);
  } else {
    return __builtin_sqrt(value);
  }
}

// NaN stays NaN.
template <class S>
[[gnu::always_inline]] inline S treated(const Treatment<S>& treatment, S gradient, S parameter) {
  S g = treatment.scale * gradient;
  g = treatment.bound < g ? treatment.bound : g;
  g = -treatment.bound > g ? -treatment.bound : g;
  return g + treatment.l2 * parameter;
}

// Eight chains: they do not depend on the width of the vectors.
template <class S>
double sum_of_squares(const S* values, std::size_t count) {
  double sums[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (std::size_t j = 0; j < 8; ++j) {
      const double value = static_cast<double>(values[i + j]);
      sums[j] += value * value;
    }
  }
  for (std::size_t j = 0; i < count; ++i, ++j) {
    const double value = static_cast<double>(values[i]);
    sums[j] += value * value;
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// Other cores have read the parameters: to write them takes a while, so they are asked for ahead.
inline constexpr std::size_t chunk_bytes = 1024, ahead_bytes = 4096, line_bytes = 64;

// Calls rule(first, count) for chunks of all values.
template <class S, class Rule>
[[gnu::always_inline]] inline void in_chunks(S* parameters, std::size_t count, const Rule& rule) {
  constexpr std::size_t chunk = chunk_bytes / sizeof(S), ahead = ahead_bytes / sizeof(S);
  for (std::size_t first = 0; first < count; first += chunk) {
    for (std::size_t i = 0; i < chunk; i += line_bytes / sizeof(S))
      __builtin_prefetch(parameters + first + ahead + i, 1);
    rule(first, count - first < chunk ? count - first : chunk);
  }
}

template <class S>
bool is_neutral(const Treatment<S>& treatment) {
  return treatment.scale == S{1} && treatment.bound == static_cast<S>(__builtin_inf()) &&
         treatment.l2 == S{0} && treatment.decay == S{0};
}

// Of gradients that nothing happens to.
template <class S>
void plain_sgd(const SgdUpdate<S>& update, const S* __restrict gradient, S* __restrict velocity,
               S* __restrict parameters, std::size_t count) {
  const S rate = update.learning_rate, momentum = update.momentum;
  if (velocity == nullptr) {
    for (std::size_t i = 0; i < count; ++i) parameters[i] -= rate * gradient[i];
  } else if (update.nesterov) {
    for (std::size_t i = 0; i < count; ++i) {
      velocity[i] = momentum * velocity[i] - rate * gradient[i];
      parameters[i] += momentum * velocity[i] - rate * gradient[i];
    }
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      velocity[i] = momentum * velocity[i] - rate * gradient[i];
      parameters[i] += velocity[i];
    }
  }
}

template <class S>
void treated_sgd(const Treatment<S>& treatment, const SgdUpdate<S>& update,
                 const S* __restrict gradient, S* __restrict velocity, S* __restrict parameters,
                 std::size_t count) {
  const Treatment<S> by = treatment;
  const S rate = update.learning_rate, momentum = update.momentum;
  if (velocity == nullptr) {
    for (std::size_t i = 0; i < count; ++i) {
      const S g = treated(by, gradient[i], parameters[i]);
      parameters[i] = parameters[i] - by.decay * parameters[i] - rate * g;
    }
  } else if (update.nesterov) {
    for (std::size_t i = 0; i < count; ++i) {
      const S g = treated(by, gradient[i], parameters[i]);
      velocity[i] = momentum * velocity[i] - rate * g;
      parameters[i] =
          parameters[i] - by.decay * parameters[i] + (momentum * velocity[i] - rate * g);
    }
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      const S g = treated(by, gradient[i], parameters[i]);
      velocity[i] = momentum * velocity[i] - rate * g;
      parameters[i] = parameters[i] - by.decay * parameters[i] + velocity[i];
    }
  }
}

template <class S>
void sgd(const Treatment<S>& treatment, const SgdUpdate<S>& update, const S* gradient, S* velocity,
         S* parameters, std::size_t count) {
  const bool plain = is_neutral(treatment);
  in_chunks(parameters, count, [&](std::size_t first, std::size_t part) {
    S* v = velocity == nullptr ? nullptr : velocity + first;
    if (plain) return plain_sgd(update, gradient + first, v, parameters + first, part);
    treated_sgd(treatment, update, gradient + first, v, parameters + first, part);
  });
}

template <class S>
void adam_of(const Treatment<S>& treatment, const AdamUpdate<S>& update,
             const S* __restrict gradient, S* __restrict first, S* __restrict second,
             S* __restrict parameters, std::size_t count) {
  const Treatment<S> by = treatment;
  const AdamUpdate<S> with = update;
  for (std::size_t i = 0; i < count; ++i) {
    const S parameter = parameters[i];
    const S g = treated(by, gradient[i], parameter);
    const S m = first[i] + (g - first[i]) * with.beta_1_rest;
    const S v = second[i] + (g * g - second[i]) * with.beta_2_rest;
    first[i] = m;
    second[i] = v;
    parameters[i] = parameter - by.decay * parameter - m * with.alpha / (root(v) + with.epsilon);
  }
}

template <class S>
void adam(const Treatment<S>& treatment, const AdamUpdate<S>& update, const S* gradient, S* first,
          S* second, S* parameters, std::size_t count) {
  in_chunks(parameters, count, [&](std::size_t at, std::size_t part) {
    adam_of(treatment, update, gradient + at, first + at, second + at, parameters + at, part);
  });
}

template <class S>
void adagrad(const Treatment<S>& treatment, const AdagradUpdate<S>& update,
             const S* __restrict gradient, S* __restrict squares, S* __restrict parameters,
             std::size_t count) {
  const Treatment<S> by = treatment;
  const AdagradUpdate<S> with = update;
  for (std::size_t i = 0; i < count; ++i) {
    const S parameter = parameters[i];
    const S g = treated(by, gradient[i], parameter);
    const S sum = squares[i] + g * g;
    squares[i] = sum;
    parameters[i] =
        parameter - by.decay * parameter - with.learning_rate * g / root(sum + with.epsilon);
  }
}

template <class S, bool centred, bool with_momentum>
void rmsprop_of(const Treatment<S>& treatment, const RmsPropUpdate<S>& update,
                const S* __restrict gradient, S* __restrict squares, S* __restrict velocity,
                S* __restrict mean, S* __restrict parameters, std::size_t count) {
  const Treatment<S> by = treatment;
  const RmsPropUpdate<S> with = update;
  for (std::size_t i = 0; i < count; ++i) {
    const S parameter = parameters[i];
    const S g = treated(by, gradient[i], parameter);
    const S square = with.rho * squares[i] + with.rho_rest * (g * g);
    squares[i] = square;
    S variance = square;
    if constexpr (centred) {
      const S average = with.rho * mean[i] + with.rho_rest * g;
      mean[i] = average;
      // Rounding may take it below zero, where there is no root.
      variance -= average * average;
      variance = variance < S{0} ? S{0} : variance;
    }
    S change = with.learning_rate * g / root(variance + with.epsilon);
    if constexpr (with_momentum) {
      change = with.momentum * velocity[i] + change;
      velocity[i] = change;
    }
    parameters[i] = parameter - by.decay * parameter - change;
  }
}

template <class S>
void rmsprop(const Treatment<S>& treatment, const RmsPropUpdate<S>& update, const S* gradient,
             S* squares, S* velocity, S* mean, S* parameters, std::size_t count) {
  const auto loop =
      velocity == nullptr
          ? (mean == nullptr ? &rmsprop_of<S, false, false> : &rmsprop_of<S, true, false>)
          : (mean == nullptr ? &rmsprop_of<S, false, true> : &rmsprop_of<S, true, true>);
  loop(treatment, update, gradient, squares, velocity, mean, parameters, count);
}

template <class S>
constexpr UpdateKernels<S> update_table() {
  UpdateKernels<S> kernels{};
  kernels.sum_of_squares = &sum_of_squares<S>;
  kernels.sgd = &sgd<S>;
  kernels.adam = &adam<S>;
  kernels.adagrad = &adagrad<S>;
  kernels.rmsprop = &rmsprop<S>;
  return kernels;
}

}  // namespace

namespace ENTENTE_KERNELS {

extern const UpdateKernels<float> updates_float32;
constexpr UpdateKernels<float> updates_float32 = update_table<float>();

#ifdef ENTENTE_KERNELS_FLOAT64
extern const UpdateKernels<double> updates_float64;
constexpr UpdateKernels<double> updates_float64 = update_table<double>();
#endif

}  // namespace ENTENTE_KERNELS
}  // namespace entente::engine
