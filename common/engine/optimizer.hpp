// SPDX-License-Identifier: Apache-2.0
//
// What turns a gradient into a step. The rules are Keras' (keras.optimizers, version 3), with its
// defaults. In step t = 1, 2, ... with the gradient g, all of it value by value:
//
//     SGD       v = momentum * v - rate * g
//               p += v                         (Nesterov: p += momentum * v - rate * g)
//     Adam      m += (g - m) * (1 - beta_1)
//               v += (g^2 - v) * (1 - beta_2)
//               p -= m * alpha / (sqrt(v) + epsilon),
//                    alpha = rate * sqrt(1 - beta_2^t) / (1 - beta_1^t)
//                    (epsilon is the "epsilon hat" of Kingma and Ba: outside of the bias
//                    correction)
//     Adagrad   a += g^2,  p -= rate * g / sqrt(a + epsilon),  a from initial_accumulator
//     RMSprop   v = rho * v + (1 - rho) * g^2
//               d = v + epsilon                (centred: a = rho * a + (1 - rho) * g,
//                                               d = max(v - a^2, 0) + epsilon)
//               p -= rate * g / sqrt(d)        (momentum: w = momentum * w + rate * g / sqrt(d),
//                                               p -= w)
//
// AdamW is Adam with decoupled weight decay (Keras' default there: 0.004).
//
// Before the rule, in this order:
//
//     rate = learning_rate * factor_at(schedule, t - 1)
//     clipping     value:        each g into [-limit, limit]
//                  norm:         each tensor's g *= limit / |g| where |g| > limit
//                  global norm:  all of g likewise, by the norm of the whole
//     weight decay decoupled:    p -= rate * decay * p           (keras' weight_decay, any rule)
//                  L2:           g += decay * p, after clipping  (the gradient of decay / 2 *
//                  |p|^2)
//
// Norms are summed in double in a fixed order. A gradient that is not finite gives parameters that
// are not: who trains looks at those.
//
// An Optimizer owns its state beside the parameters; who keeps it over rounds or starts anew
// decides with reset(). A step allocates nothing and gives the same bits on any number of threads.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <type_traits>
#include <variant>
#include <vector>

#include "common/base/result.hpp"
#include "common/engine/isa.hpp"
#include "common/engine/schedule.hpp"
#include "common/tensor/layout.hpp"

namespace entente::engine {

// Learning rates and epsilons are above 0.
struct Sgd {
  double learning_rate = 0.01;
  double momentum = 0;  // in [0, 1)
  bool nesterov = false;
  friend bool operator==(const Sgd&, const Sgd&) = default;
};
struct Adam {
  double learning_rate = 0.001;
  double beta_1 = 0.9, beta_2 = 0.999;  // in [0, 1)
  double epsilon = 1e-7;
  friend bool operator==(const Adam&, const Adam&) = default;
};
struct Adagrad {
  double learning_rate = 0.001;
  double initial_accumulator = 0.1;  // at least 0
  double epsilon = 1e-7;
  friend bool operator==(const Adagrad&, const Adagrad&) = default;
};
struct RmsProp {
  double learning_rate = 0.001;
  double rho = 0.9, momentum = 0;  // in [0, 1)
  double epsilon = 1e-7;
  bool centered = false;
  friend bool operator==(const RmsProp&, const RmsProp&) = default;
};
using UpdateRule = std::variant<Sgd, Adam, Adagrad, RmsProp>;

struct Clipping {
  enum class Kind { none, value, norm, global_norm };
  Kind kind = Kind::none;
  double limit = 1;  // above 0
  friend bool operator==(const Clipping&, const Clipping&) = default;
};

struct WeightDecay {
  enum class Kind { decoupled, l2 };
  Kind kind = Kind::decoupled;
  double rate = 0;  // at least 0
  friend bool operator==(const WeightDecay&, const WeightDecay&) = default;
};

// A rule alone is a whole specification: Optimizer::make(Sgd{0.1}, ...).
struct OptimizerSpec {
  OptimizerSpec() = default;
  template <class Rule>
  requires std::is_constructible_v<UpdateRule, const Rule&> OptimizerSpec(const Rule& by)
      : rule(by) {}  // NOLINT(google-explicit-constructor)
  UpdateRule rule;
  Clipping clipping;
  WeightDecay decay;
  Schedule schedule;
  friend bool operator==(const OptimizerSpec&, const OptimizerSpec&) = default;
};

// Errors: invalid_argument - a number outside its range; the text names it.
Result<void> check_optimizer(const OptimizerSpec& spec);

template <class S>
class BasicOptimizer {
 public:
  // `isa`: as the network has it (Network::isa); float64 is the baseline's always.
  // Errors: invalid_argument - as check_optimizer; clipping by tensors' norms without `layout`.
  static Result<BasicOptimizer> make(const OptimizerSpec& spec, std::uint64_t parameter_count,
                                     Isa isa);
  static Result<BasicOptimizer> make(const OptimizerSpec& spec,
                                     const tensor::ParameterLayout& layout, Isa isa);

  // Precondition: both have parameter_count values.
  void step(std::span<const S> gradient, std::span<S> parameters);

  // As it was made: the first step is the next.
  void reset();
  // Everything that it remembers: steps made, and the values v, m, a, w above, one buffer of
  // parameter_count values each, in the order of the formulas (RMSprop: v, w, a), those that the
  // specification needs; empty when it needs none (SGD without momentum). May be kept and put back.
  std::span<S> state() { return {state_.get(), state_count_}; }
  std::span<const S> state() const { return {state_.get(), state_count_}; }
  std::uint64_t steps() const { return steps_; }
  void set_steps(std::uint64_t steps) { steps_ = steps; }
  // Bytes of state for a model of that size.
  static std::uint64_t state_bytes(const OptimizerSpec& spec, std::uint64_t parameter_count);

 private:
  // Worked on as one task; of one tensor when norms are taken of tensors, of all as one otherwise.
  struct Block {
    std::size_t first = 0, count = 0, tensor = 0;
  };
  struct Free {
    void operator()(S* memory) const { std::free(memory); }
  };
  BasicOptimizer(const OptimizerSpec& spec, std::span<const std::uint64_t> tensor_sizes, Isa isa);
  static Result<BasicOptimizer> make_for(const OptimizerSpec& spec,
                                         std::span<const std::uint64_t> tensor_sizes, Isa isa);
  S* state_of(std::size_t slot, std::size_t first);
  void measure(std::span<const S> gradient);
  template <class Rule>
  void apply(const Rule& rule, double factor, std::span<const S> gradient, std::span<S> parameters);

  OptimizerSpec spec_;
  std::uint64_t parameter_count_ = 0;
  Isa isa_;
  std::uint64_t steps_ = 0;
  std::size_t state_count_ = 0;
  std::unique_ptr<S[], Free> state_;
  std::vector<Block> blocks_;
  std::vector<double> squares_;  // of each block, when norms are taken
  std::vector<double> scales_;   // of each tensor
};

using Optimizer = BasicOptimizer<float>;
using Optimizer64 = BasicOptimizer<double>;

}  // namespace entente::engine
