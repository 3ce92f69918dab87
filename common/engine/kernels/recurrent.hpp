// SPDX-License-Identifier: Apache-2.0
//
// One row's step of the cells of recurrent layers.
#pragma once

#include "common/engine/elementary.hpp"
#include "common/engine/kernels/vector.hpp"

namespace entente::engine {
namespace {

// c = f * c' + i * g, h = o * tanh(c).
template <class S>
void lstm(std::size_t units, S* __restrict gates, const S* cell_before, S* __restrict cell,
          S* __restrict squashed, S* __restrict output) {
  S *in = gates, *forget = gates + units, *candidate = gates + 2 * units, *out = gates + 3 * units;
  for (std::size_t i = 0; i < 2 * units; ++i) in[i] = sigmoid_of(in[i]);
  for (std::size_t i = 0; i < units; ++i) candidate[i] = tanh_of(candidate[i]);
  for (std::size_t i = 0; i < units; ++i) out[i] = sigmoid_of(out[i]);
  for (std::size_t i = 0; i < units; ++i) {
    cell[i] = forget[i] * cell_before[i] + in[i] * candidate[i];
    squashed[i] = tanh_of(cell[i]);
    output[i] = out[i] * squashed[i];
  }
}

template <class S>
void lstm_gradient(std::size_t units, S* __restrict gates, const S* cell_before, const S* squashed,
                   const S* output_gradient, S* __restrict cell_gradient) {
  for (std::size_t i = 0; i < units; ++i) {
    const S in = gates[i], forget = gates[units + i];
    const S candidate = gates[2 * units + i], out = gates[3 * units + i];
    const S dh = output_gradient[i], t = squashed[i];
    const S dc = cell_gradient[i] + dh * out * (S{1} - t * t);
    gates[i] = dc * candidate * in * (S{1} - in);
    gates[units + i] = dc * cell_before[i] * forget * (S{1} - forget);
    gates[2 * units + i] = dc * in * (S{1} - candidate * candidate);
    gates[3 * units + i] = dh * t * out * (S{1} - out);
    cell_gradient[i] = dc * forget;
  }
}

// h = z * h' + (1 - z) * g, g = tanh(its input + r * its inner part).
template <class S>
void gru(std::size_t units, S* __restrict gates, const S* inner, const S* before,
         S* __restrict kept, S* __restrict output) {
  for (std::size_t i = 0; i < 2 * units; ++i) gates[i] = sigmoid_of(gates[i] + inner[i]);
  for (std::size_t i = 0; i < units; ++i) {
    kept[i] = inner[2 * units + i];
    const S candidate = tanh_of(gates[2 * units + i] + gates[units + i] * kept[i]);
    gates[2 * units + i] = candidate;
    output[i] = candidate + gates[i] * (before[i] - candidate);
  }
}

template <class S>
void gru_gradient(std::size_t units, S* __restrict gates, const S* before, S* __restrict kept,
                  const S* output_gradient, S* __restrict state_gradient) {
  for (std::size_t i = 0; i < units; ++i) {
    const S update = gates[i], reset = gates[units + i], candidate = gates[2 * units + i];
    const S dh = output_gradient[i];
    const S inside = dh * (S{1} - update) * (S{1} - candidate * candidate);
    gates[i] = dh * (before[i] - candidate) * update * (S{1} - update);
    gates[units + i] = inside * kept[i] * reset * (S{1} - reset);
    gates[2 * units + i] = inside;
    kept[i] = inside * reset;
    state_gradient[i] = dh * update;
  }
}

}  // namespace
}  // namespace entente::engine
