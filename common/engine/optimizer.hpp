// SPDX-License-Identifier: Apache-2.0
//
// What turns a gradient into a step: stochastic gradient descent, with Keras' momentum.
//
//     velocity = momentum * velocity - learning_rate * gradient
//     parameters += velocity                                             (nesterov: momentum *
//     velocity - rate * gradient)
//
// An Optimizer owns its state, one buffer beside the parameters; who keeps it over rounds or starts
// anew decides with reset(). A step allocates nothing and gives the same bits on any number of
// threads.
#pragma once

#include <cstdint>
#include <span>
#include <variant>

#include "common/base/result.hpp"
#include "common/engine/isa.hpp"
#include "common/tensor/layout.hpp"

namespace entente::engine {

struct Sgd {
  double learning_rate = 0.01;  // above 0
  double momentum = 0;          // in [0, 1)
  bool nesterov = false;
};

using OptimizerSpec = std::variant<Sgd>;

class Optimizer {
 public:
  // `isa`: as the network has it (Network::isa).
  // Errors: invalid_argument - a number outside its range.
  static Result<Optimizer> make(const OptimizerSpec& spec, std::uint64_t parameter_count, Isa isa);

  // Precondition: both have parameter_count values.
  void step(std::span<const float> gradient, std::span<float> parameters);

  // State as zeros, as it was made.
  void reset();
  // [parameter_count], or empty when there is none (no momentum). May be kept and put back.
  std::span<float> state() { return state_.values(); }
  // Bytes of state for a model of that size.
  static std::uint64_t state_bytes(const OptimizerSpec& spec, std::uint64_t parameter_count);

 private:
  Optimizer(const OptimizerSpec& spec, std::uint64_t parameter_count, Isa isa);

  OptimizerSpec spec_;
  std::uint64_t parameter_count_ = 0;
  Isa isa_;
  tensor::ParameterBuffer state_;
};

}  // namespace entente::engine
