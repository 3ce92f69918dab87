// SPDX-License-Identifier: Apache-2.0
#include "common/engine/optimizer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <new>
#include <string>

#include "common/base/assert.hpp"
#include "common/base/parallel.hpp"
#include "common/engine/denormals.hpp"
#include "common/engine/updates.hpp"

namespace entente::engine {
namespace {

// Norms are sums over blocks; a step's tasks are smaller, so that many threads have even shares.
constexpr std::size_t block_size = 32'768, task_size = 8'192;
constexpr std::size_t tasks_a_block = block_size / task_size;

std::size_t slots(const Sgd& sgd) {
  return sgd.momentum == 0 ? 0 : 1;
}
std::size_t slots(const Adam&) {
  return 2;
}
std::size_t slots(const Adagrad&) {
  return 1;
}
std::size_t slots(const RmsProp& rmsprop) {
  return 1U + (rmsprop.momentum == 0 ? 0U : 1U) + (rmsprop.centered ? 1U : 0U);
}
std::size_t slot_count(const OptimizerSpec& spec) {
  return std::visit([](const auto& rule) { return slots(rule); }, spec.rule);
}

// What a state begins with.
double first_value(const OptimizerSpec& spec) {
  const auto* adagrad = std::get_if<Adagrad>(&spec.rule);
  return adagrad == nullptr ? 0 : adagrad->initial_accumulator;
}

// The first of them that is out of its range is the error.
class Ranges {
 public:
  void above_zero(const std::string& name, double value) {
    check(value > 0, name, value, "a number above 0");
  }
  void at_least_zero(const std::string& name, double value) {
    check(value >= 0, name, value, "a number of at least 0");
  }
  void below_one(const std::string& name, double value) {
    check(value >= 0 && value < 1, name, value, "at least 0 and below 1");
  }
  Result<void> outcome() const { return outcome_; }

 private:
  void check(bool fine, const std::string& name, double value, const std::string& expected) {
    if ((fine && std::isfinite(value)) || !outcome_) return;
    outcome_ = Error{Errc::invalid_argument,
                     name + " is " + std::to_string(value) + "; expected " + expected};
  }
  Result<void> outcome_ = ok();
};

void check(const Sgd& sgd, Ranges& ranges) {
  ranges.above_zero("learning rate", sgd.learning_rate);
  ranges.below_one("momentum", sgd.momentum);
}
void check(const Adam& adam, Ranges& ranges) {
  ranges.above_zero("learning rate", adam.learning_rate);
  ranges.below_one("beta_1", adam.beta_1);
  ranges.below_one("beta_2", adam.beta_2);
  ranges.above_zero("epsilon", adam.epsilon);
}
void check(const Adagrad& adagrad, Ranges& ranges) {
  ranges.above_zero("learning rate", adagrad.learning_rate);
  ranges.at_least_zero("initial accumulator", adagrad.initial_accumulator);
  ranges.above_zero("epsilon", adagrad.epsilon);
}
void check(const RmsProp& rmsprop, Ranges& ranges) {
  ranges.above_zero("learning rate", rmsprop.learning_rate);
  ranges.below_one("rho", rmsprop.rho);
  ranges.below_one("momentum", rmsprop.momentum);
  ranges.above_zero("epsilon", rmsprop.epsilon);
}

bool takes_norms(const Clipping& clipping) {
  return clipping.kind == Clipping::Kind::norm || clipping.kind == Clipping::Kind::global_norm;
}

template <class S>
Treatment<S> treatment_of(const OptimizerSpec& spec, double rate) {
  Treatment<S> treatment;
  if (spec.clipping.kind == Clipping::Kind::value) {
    treatment.bound = static_cast<S>(spec.clipping.limit);
  }
  if (spec.decay.kind == WeightDecay::Kind::decoupled) {
    treatment.decay = static_cast<S>(rate * spec.decay.rate);
  } else {
    treatment.l2 = static_cast<S>(spec.decay.rate);
  }
  return treatment;
}

// One step of a rule over a block, its numbers rounded to the model's type. State: the block's part
// of each slot, null where there is none.
template <class S>
struct Loop {
  const UpdateKernels<S>& updates;
  double factor = 1;  // of the learning rate
  std::uint64_t step = 1;

  auto prepared(const Sgd& sgd) const {
    return SgdUpdate<S>{static_cast<S>(sgd.learning_rate * factor), static_cast<S>(sgd.momentum),
                        sgd.nesterov};
  }
  auto prepared(const Adam& adam) const {
    const double alpha = adam.learning_rate * factor * std::sqrt(1 - power_of(adam.beta_2, step)) /
                         (1 - power_of(adam.beta_1, step));
    return AdamUpdate<S>{static_cast<S>(alpha), static_cast<S>(1 - adam.beta_1),
                         static_cast<S>(1 - adam.beta_2), static_cast<S>(adam.epsilon)};
  }
  auto prepared(const Adagrad& adagrad) const {
    return AdagradUpdate<S>{static_cast<S>(adagrad.learning_rate * factor),
                            static_cast<S>(adagrad.epsilon)};
  }
  auto prepared(const RmsProp& rmsprop) const {
    return RmsPropUpdate<S>{static_cast<S>(rmsprop.learning_rate * factor),
                            static_cast<S>(rmsprop.rho), static_cast<S>(1 - rmsprop.rho),
                            static_cast<S>(rmsprop.momentum), static_cast<S>(rmsprop.epsilon)};
  }

  using Slots = std::array<S*, 3>;
  void run(const Sgd&, const SgdUpdate<S>& update, const Treatment<S>& treatment, const S* gradient,
           const Slots& state, S* parameters, std::size_t count) const {
    updates.sgd(treatment, update, gradient, state[0], parameters, count);
  }
  void run(const Adam&, const AdamUpdate<S>& update, const Treatment<S>& treatment,
           const S* gradient, const Slots& state, S* parameters, std::size_t count) const {
    updates.adam(treatment, update, gradient, state[0], state[1], parameters, count);
  }
  void run(const Adagrad&, const AdagradUpdate<S>& update, const Treatment<S>& treatment,
           const S* gradient, const Slots& state, S* parameters, std::size_t count) const {
    updates.adagrad(treatment, update, gradient, state[0], parameters, count);
  }
  void run(const RmsProp& rmsprop, const RmsPropUpdate<S>& update, const Treatment<S>& treatment,
           const S* gradient, const Slots& state, S* parameters, std::size_t count) const {
    S* velocity = rmsprop.momentum == 0 ? nullptr : state[1];
    S* mean = rmsprop.centered ? state[velocity == nullptr ? 1 : 2] : nullptr;
    updates.rmsprop(treatment, update, gradient, state[0], velocity, mean, parameters, count);
  }
};

}  // namespace

Result<void> check_optimizer(const OptimizerSpec& spec) {
  Ranges ranges;
  std::visit([&](const auto& rule) { check(rule, ranges); }, spec.rule);
  if (spec.clipping.kind != Clipping::Kind::none) {
    ranges.above_zero("clipping limit", spec.clipping.limit);
  }
  ranges.at_least_zero("weight decay", spec.decay.rate);
  if (auto fine = ranges.outcome(); !fine) return fine;
  return check_schedule(spec.schedule);
}

template <class S>
BasicOptimizer<S>::BasicOptimizer(const OptimizerSpec& spec,
                                  std::span<const std::uint64_t> tensor_sizes, Isa isa)
    : spec_(spec), isa_(isa) {
  const bool norms = takes_norms(spec.clipping);
  for (std::size_t tensor = 0; tensor < tensor_sizes.size(); ++tensor) {
    const auto size = static_cast<std::size_t>(tensor_sizes[tensor]);
    const auto begin = static_cast<std::size_t>(parameter_count_);
    for (std::size_t done = 0; done < size; done += block_size) {
      blocks_.push_back({begin + done, std::min(block_size, size - done), tensor});
    }
    parameter_count_ += size;
  }
  if (norms) squares_.resize(blocks_.size());
  scales_.assign(tensor_sizes.size(), 1.0);
  state_count_ = slot_count(spec) * static_cast<std::size_t>(parameter_count_);
  if (state_count_ != 0) {
    constexpr std::size_t alignment = 64;
    const std::size_t bytes = (state_count_ * sizeof(S) + alignment - 1) / alignment * alignment;
    state_.reset(static_cast<S*>(std::aligned_alloc(alignment, bytes)));
    if (!state_) throw std::bad_alloc();
  }
  reset();
}

template <class S>
Result<BasicOptimizer<S>> BasicOptimizer<S>::make_for(const OptimizerSpec& spec,
                                                      std::span<const std::uint64_t> tensor_sizes,
                                                      Isa isa) {
  ENTENTE_ASSERT(supported(isa),
                 "kernels for an instruction set that this processor does not have");
  if (auto fine = check_optimizer(spec); !fine) return fine.error();
  return BasicOptimizer(spec, tensor_sizes, isa);
}

template <class S>
Result<BasicOptimizer<S>> BasicOptimizer<S>::make(const OptimizerSpec& spec,
                                                  std::uint64_t parameter_count, Isa isa) {
  if (spec.clipping.kind == Clipping::Kind::norm) {
    return Error{Errc::invalid_argument, "clipping by tensors' norms needs their sizes"};
  }
  return make_for(spec, std::span(&parameter_count, 1), isa);
}

template <class S>
Result<BasicOptimizer<S>> BasicOptimizer<S>::make(const OptimizerSpec& spec,
                                                  const tensor::ParameterLayout& layout, Isa isa) {
  if (spec.clipping.kind != Clipping::Kind::norm) return make(spec, layout.parameter_count(), isa);
  std::vector<std::uint64_t> sizes;
  for (const tensor::TensorEntry& entry : layout.tensors()) sizes.push_back(entry.count);
  return make_for(spec, sizes, isa);
}

template <class S>
std::uint64_t BasicOptimizer<S>::state_bytes(const OptimizerSpec& spec,
                                             std::uint64_t parameter_count) {
  return slot_count(spec) * parameter_count * sizeof(S);
}

template <class S>
S* BasicOptimizer<S>::state_of(std::size_t slot, std::size_t first) {
  const std::size_t place = slot * static_cast<std::size_t>(parameter_count_) + first;
  return place < state_count_ ? state_.get() + place : nullptr;
}

// scales_ from the gradient's norms: the blocks' sums in parallel, the rest in their order.
template <class S>
void BasicOptimizer<S>::measure(std::span<const S> gradient) {
  const UpdateKernels<S>& updates = update_kernels_of<S>(isa_);
  parallel_for(blocks_.size(), [&](std::size_t index) {
    const FlushDenormals flush;
    const Block& block = blocks_[index];
    squares_[index] = updates.sum_of_squares(gradient.data() + block.first, block.count);
  });
  std::fill(scales_.begin(), scales_.end(), 0.0);
  for (std::size_t i = 0; i < blocks_.size(); ++i) scales_[blocks_[i].tensor] += squares_[i];
  for (double& scale : scales_) {
    const double norm = std::sqrt(scale);
    scale = norm <= spec_.clipping.limit ? 1.0 : spec_.clipping.limit / norm;
  }
}

template <class S>
template <class Rule>
void BasicOptimizer<S>::apply(const Rule& rule, double factor, std::span<const S> gradient,
                              std::span<S> parameters) {
  const Loop<S> loop{update_kernels_of<S>(isa_), factor, steps_ + 1};
  const auto update = loop.prepared(rule);
  const auto common = treatment_of<S>(spec_, rule.learning_rate * factor);
  parallel_for(blocks_.size() * tasks_a_block, [&](std::size_t index) {
    const FlushDenormals flush;
    const Block& block = blocks_[index / tasks_a_block];
    const std::size_t skipped = index % tasks_a_block * task_size;
    if (skipped >= block.count) return;
    const std::size_t first = block.first + skipped;
    Treatment<S> treatment = common;
    treatment.scale = static_cast<S>(scales_[block.tensor]);
    const std::array<S*, 3> state{state_of(0, first), state_of(1, first), state_of(2, first)};
    loop.run(rule, update, treatment, gradient.data() + first, state, parameters.data() + first,
             std::min(task_size, block.count - skipped));
  });
}

template <class S>
void BasicOptimizer<S>::step(std::span<const S> gradient, std::span<S> parameters) {
  ENTENTE_ASSERT(gradient.size() == parameter_count_ && parameters.size() == parameter_count_,
                 "an optimiser made for another size");
  if (takes_norms(spec_.clipping)) measure(gradient);
  const double factor = factor_at(spec_.schedule, steps_);
  std::visit([&](const auto& rule) { apply(rule, factor, gradient, parameters); }, spec_.rule);
  ++steps_;
}

template <class S>
void BasicOptimizer<S>::reset() {
  std::fill_n(state_.get(), state_count_, static_cast<S>(first_value(spec_)));
  steps_ = 0;
}

template class BasicOptimizer<float>;
template class BasicOptimizer<double>;

}  // namespace entente::engine
