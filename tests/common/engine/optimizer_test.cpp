// SPDX-License-Identifier: Apache-2.0
#include "common/engine/optimizer.hpp"

#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "common/engine/denormals.hpp"
#include "common/engine/updates.hpp"
#include "tests/common/engine/networks.hpp"

namespace entente::engine {
namespace {

constexpr std::size_t count = 70'003;  // more than a block, and not a multiple of anything

// The formulas of the header, one value after the other, in double.
class Twin {
 public:
  Twin(OptimizerSpec spec, std::vector<std::size_t> tensors)
      : spec_(std::move(spec)), tensors_(std::move(tensors)) {}

  void step(std::vector<double> gradient, std::vector<double>& parameters) {
    for (auto* values : {&a_, &b_, &c_}) values->resize(parameters.size());
    if (const auto* adagrad = std::get_if<Adagrad>(&spec_.rule); adagrad != nullptr && t_ == 0) {
      a_.assign(a_.size(), adagrad->initial_accumulator);
    }
    clip(gradient);
    ++t_;
    factor_ = factor_at(spec_.schedule, t_ - 1);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      double& p = parameters[i];
      double g = gradient[i];
      if (spec_.decay.kind == WeightDecay::Kind::l2) {
        g += spec_.decay.rate * p;
      } else {
        p -= rate() * spec_.decay.rate * p;
      }
      p -= std::visit([&](const auto& rule) { return change(rule, g, i); }, spec_.rule);
    }
  }

 private:
  double rate() const {
    return factor_ * std::visit([](const auto& rule) { return rule.learning_rate; }, spec_.rule);
  }
  void clip(std::vector<double>& gradient) const {
    const double limit = spec_.clipping.limit;
    if (spec_.clipping.kind == Clipping::Kind::value) {
      for (double& g : gradient) g = std::min(std::max(g, -limit), limit);
    }
    std::vector<std::size_t> parts = tensors_;
    if (spec_.clipping.kind == Clipping::Kind::global_norm) parts = {gradient.size()};
    if (spec_.clipping.kind == Clipping::Kind::value ||
        spec_.clipping.kind == Clipping::Kind::none) {
      return;
    }
    std::size_t first = 0;
    for (const std::size_t size : parts) {
      double norm = 0;
      for (std::size_t i = first; i < first + size; ++i) norm += gradient[i] * gradient[i];
      norm = std::sqrt(norm);
      for (std::size_t i = first; i < first + size; ++i) {
        if (norm > limit) gradient[i] *= limit / norm;
      }
      first += size;
    }
  }
  double change(const Sgd& sgd, double g, std::size_t i) {
    a_[i] = sgd.momentum * a_[i] - rate() * g;
    return -(sgd.nesterov ? sgd.momentum * a_[i] - rate() * g : a_[i]);
  }
  double change(const Adam& adam, double g, std::size_t i) {
    a_[i] = adam.beta_1 * a_[i] + (1 - adam.beta_1) * g;
    b_[i] = adam.beta_2 * b_[i] + (1 - adam.beta_2) * g * g;
    if (i == 0) {
      correction_ = std::sqrt(1 - std::pow(adam.beta_2, t_)) / (1 - std::pow(adam.beta_1, t_));
    }
    return rate() * correction_ * a_[i] / (std::sqrt(b_[i]) + adam.epsilon);
  }
  double change(const Adagrad& adagrad, double g, std::size_t i) {
    a_[i] += g * g;
    return rate() * g / std::sqrt(a_[i] + adagrad.epsilon);
  }
  double change(const RmsProp& rmsprop, double g, std::size_t i) {
    a_[i] = rmsprop.rho * a_[i] + (1 - rmsprop.rho) * g * g;
    b_[i] = rmsprop.rho * b_[i] + (1 - rmsprop.rho) * g;
    const double variance = a_[i] - (rmsprop.centered ? b_[i] * b_[i] : 0);
    const double step = rate() * g / std::sqrt(variance + rmsprop.epsilon);
    c_[i] = rmsprop.momentum * c_[i] + step;
    return c_[i];
  }

  OptimizerSpec spec_;
  std::vector<std::size_t> tensors_;
  std::uint64_t t_ = 0;
  double factor_ = 1, correction_ = 1;
  std::vector<double> a_, b_, c_;
};

tensor::ParameterLayout layout_of(const std::vector<std::size_t>& tensors) {
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> named;
  for (const std::size_t size : tensors) {
    named.push_back({"t/" + std::to_string(named.size()), {size}});
  }
  return tensor::ParameterLayout::make(std::move(named)).value();
}

const std::vector<std::size_t> tensors{7, 40'000, 1, 29'995};  // of `count` values in all

// Four steps of the optimiser and of its twin: the greatest difference.
template <class S>
double worst_difference(const OptimizerSpec& spec, Isa isa) {
  auto parameters = random_values<S>(count, 1);
  std::vector<double> expected(parameters.begin(), parameters.end());
  auto optimizer = BasicOptimizer<S>::make(spec, layout_of(tensors), isa).value();
  Twin twin(spec, tensors);
  for (std::uint64_t step = 0; step < 4; ++step) {
    const auto gradient = random_values<S>(count, 10 + step);
    optimizer.step(gradient, parameters);
    twin.step({gradient.begin(), gradient.end()}, expected);
  }
  double worst = 0;
  for (std::size_t i = 0; i < count; ++i)
    worst = std::max(worst, std::abs(static_cast<double>(parameters[i]) - expected[i]));
  return worst;
}

OptimizerSpec with(OptimizerSpec spec, Clipping clipping) {
  spec.clipping = clipping;
  return spec;
}
OptimizerSpec with(OptimizerSpec spec, WeightDecay decay) {
  spec.decay = decay;
  return spec;
}
OptimizerSpec with(OptimizerSpec spec, Schedule schedule) {
  spec.schedule = schedule;
  return spec;
}

const std::vector<OptimizerSpec> rules{Sgd{0.1, 0, false},
                                       Sgd{0.1, 0, true},
                                       Sgd{0.1, 0.9, false},
                                       Sgd{0.1, 0.9, true},
                                       Adam{0.1, 0.9, 0.99, 1e-3},
                                       Adagrad{0.1, 0.1, 1e-7},
                                       RmsProp{0.01, 0.9},
                                       RmsProp{0.01, 0.9, 0.5},
                                       RmsProp{0.01, 0.9, 0, 0.01, true},
                                       RmsProp{0.01, 0.9, 0.5, 0.01, true}};

std::vector<OptimizerSpec> specs() {
  std::vector<OptimizerSpec> all = rules;
  for (const OptimizerSpec& rule : rules) {
    all.push_back(with(rule, Clipping{Clipping::Kind::value, 0.5}));
    all.push_back(with(with(rule, Clipping{Clipping::Kind::norm, 20}),
                       WeightDecay{WeightDecay::Kind::decoupled, 0.1}));
    all.push_back(with(with(rule, Clipping{Clipping::Kind::global_norm, 30}),
                       WeightDecay{WeightDecay::Kind::l2, 0.1}));
    all.push_back(with(with(rule, Schedule{CosineDecay{5, 0.1}, 2}),
                       WeightDecay{WeightDecay::Kind::decoupled, 0.2}));
  }
  return all;
}

// After each of `steps` steps from ones, the first with a gradient of 0.01, then of 0.1, 0.2 ... 1.
std::vector<std::vector<double>> trace(const OptimizerSpec& spec, std::size_t steps) {
  std::vector<double> values(10, 1.0), gradient(10, 0.01);
  Optimizer64 optimizer = Optimizer64::make(spec, 10, Isa::generic).value();
  std::vector<std::vector<double>> after;
  for (std::size_t step = 0; step < steps; ++step) {
    optimizer.step(gradient, values);
    after.push_back(values);
    for (std::size_t i = 0; i < 10; ++i) gradient[i] = 0.1 * static_cast<double>(i + 1);
  }
  return after;
}

bool close(const std::vector<double>& seen, const std::vector<double>& expected, double within) {
  bool fine = seen.size() == expected.size();
  for (std::size_t i = 0; fine && i < seen.size(); ++i) {
    fine = std::abs(seen[i] - expected[i]) <= within;
    if (!fine) BOOST_TEST_MESSAGE("value " << i << ": " << seen[i] << ", not " << expected[i]);
  }
  return fine;
}

// One step from 1, 2, 3, 4 with the gradient 1, 6, 7, 2.
std::vector<double> one_step(const OptimizerSpec& spec) {
  std::vector<double> values{1, 2, 3, 4};
  const std::vector<double> gradient{1, 6, 7, 2};
  Optimizer64::make(spec, 4, Isa::generic).value().step(gradient, values);
  return values;
}

template <class S>
std::vector<S> trained(const OptimizerSpec& spec, std::size_t threads) {
  const Threads set(threads);
  auto parameters = random_values<S>(count, 1);
  auto optimizer = BasicOptimizer<S>::make(spec, layout_of(tensors), chosen_isa().value()).value();
  for (std::uint64_t step = 0; step < 3; ++step) {
    optimizer.step(random_values<S>(count, 10 + step), parameters);
  }
  const auto state = optimizer.state();
  parameters.insert(parameters.end(), state.begin(), state.end());
  return parameters;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(optimizers)

BOOST_AUTO_TEST_CASE(every_rule_steps_as_its_formula_says_clipped_decayed_and_scheduled_or_not) {
  for (const OptimizerSpec& spec : specs()) {
    for (const Isa isa : sanitized ? std::vector{chosen_isa().value()} : supported_isas()) {
      const double worst = worst_difference<float>(spec, isa);
      BOOST_TEST(worst < 3e-6, to_string(isa)
                                   << ": rule " << spec.rule.index() << ", clipping "
                                   << static_cast<int>(spec.clipping.kind) << ": " << worst);
    }
    BOOST_TEST(worst_difference<double>(spec, Isa::generic) < 1e-13);
  }
}

// The figures that Keras' own tests expect of its optimisers, as published there, to four decimals.
BOOST_AUTO_TEST_CASE(the_figures_of_keras_own_tests_come_out) {
  BOOST_TEST(close(one_step(Sgd{0.5, 0, false}), {0.5, -1.0, -0.5, 3.0}, 1e-12));
  BOOST_TEST(close(one_step(Adam{0.5}), {0.5, 1.5, 2.5, 3.5}, 1e-4));
  BOOST_TEST(close(one_step(RmsProp{0.5}), {-0.5811, 0.4189, 1.4189, 2.4189}, 1e-4));
  BOOST_TEST(close(one_step(Adagrad{0.5}), {0.5233, 1.5007, 2.5005, 3.5061}, 1e-4));
  BOOST_TEST(close(one_step(with(Adam{0.5}, WeightDecay{WeightDecay::Kind::decoupled, 0.004})),
                   {0.4980, 1.4960, 2.494, 3.492}, 1e-4));

  const auto adamw =
      trace(with(Adam{1, 0.9, 0.999, 2}, WeightDecay{WeightDecay::Kind::decoupled, 0.5}), 5);
  BOOST_TEST(close(adamw[0], std::vector<double>(10, 0.4998), 6e-5));
  BOOST_TEST(close(
      adamw[4], {0.0263, 0.0215, 0.0167, 0.012, 0.0073, 0.0026, -0.0021, -0.0067, -0.0113, -0.0159},
      6e-5));
  const auto adagrad = trace(Adagrad{0.2, 0.3, 1e-6}, 5);
  BOOST_TEST(close(adagrad[4],
                   {0.856, 0.7422, 0.6604, 0.6037, 0.5644, 0.5367, 0.5168, 0.5021, 0.491, 0.4825},
                   6e-5));
  const auto nesterov = trace(Sgd{0.01, 0, true}, 5);
  BOOST_TEST(close(nesterov[4],
                   {0.9959, 0.9919, 0.9879, 0.9839, 0.9799, 0.9759, 0.9719, 0.9679, 0.9639, 0.9599},
                   6e-5));
  RmsProp centered;
  centered.centered = true;
  const auto rmsprop = trace(centered, 5);
  const std::vector<double> expected{0.9967, 0.9933, 0.9908, 0.9885, 0.9864};
  for (std::size_t step = 0; step < 5; ++step) {
    BOOST_TEST(close(rmsprop[step], std::vector<double>(10, expected[step]), 5e-4));
  }
}

// Adam with rate 1, betas 1/2 and 3/4, epsilon 1, gradients 2 and 2:
//   m = 1, v = 1, alpha = sqrt(1/4) / (1/2) = 1:          p = 0 - 1 * 1 / (1 + 1) = -1/2
//   m = 3/2, v = 7/4, alpha = sqrt(7/16) / (3/4)
BOOST_AUTO_TEST_CASE(two_steps_of_adam_come_out_as_on_paper) {
  std::vector<double> value{0};
  const std::vector<double> gradient{2};
  Optimizer64 adam = Optimizer64::make(Adam{1, 0.5, 0.75, 1}, 1, Isa::generic).value();
  adam.step(gradient, value);
  BOOST_TEST(value[0] == -0.5);
  adam.step(gradient, value);
  const double alpha = std::sqrt(7.0) / 3;
  BOOST_TEST(std::abs(value[0] - (-0.5 - alpha * 1.5 / (std::sqrt(1.75) + 1))) < 1e-15);
  BOOST_TEST(adam.steps() == 2U);
  BOOST_TEST(adam.state()[0] == 1.5);
  BOOST_TEST(adam.state()[1] == 1.75);
}

BOOST_AUTO_TEST_CASE(clipping_bounds_values_tensors_or_the_whole) {
  const auto clipped = [](Clipping clipping) {
    const tensor::ParameterLayout layout = layout_of({2, 1});
    std::vector<double> values(3);
    const std::vector<double> gradient{3, -4, 12};
    Optimizer64::make(with(Sgd{1, 0, false}, clipping), layout, Isa::generic)
        .value()
        .step(gradient, values);
    return values;
  };
  BOOST_TEST(close(clipped({Clipping::Kind::none, 1}), {-3, 4, -12}, 0));
  BOOST_TEST(close(clipped({Clipping::Kind::value, 3.5}), {-3, 3.5, -3.5}, 0));
  BOOST_TEST(close(clipped({Clipping::Kind::norm, 10}), {-3, 4, -10}, 1e-14));
  BOOST_TEST(close(clipped({Clipping::Kind::norm, 2.5}), {-1.5, 2, -2.5}, 1e-14));
  BOOST_TEST(close(clipped({Clipping::Kind::global_norm, 6.5}), {-1.5, 2, -6}, 1e-14));
  BOOST_TEST(close(clipped({Clipping::Kind::global_norm, 13}), {-3, 4, -12}, 0));
}

// Should: leave the damage to be seen. Should not: hide it behind a clipped, finite step.
BOOST_AUTO_TEST_CASE(a_gradient_that_is_not_finite_gives_parameters_that_are_not) {
  for (const Clipping::Kind kind :
       {Clipping::Kind::none, Clipping::Kind::value, Clipping::Kind::global_norm}) {
    for (const OptimizerSpec& rule : rules) {
      std::vector<float> values(20);
      std::vector<float> gradient(20, 1.0F);
      gradient[13] = std::numeric_limits<float>::quiet_NaN();
      Optimizer::make(with(rule, Clipping{kind, 1}), 20, chosen_isa().value())
          .value()
          .step(gradient, values);
      BOOST_TEST(!std::isfinite(values[13]));
    }
  }
}

// FNV-1a over the bits.
std::uint64_t digest_of(const std::vector<float>& values) {
  std::uint64_t digest = 0xcbf29ce484222325U;
  for (const float value : values)
    digest = (digest ^ std::bit_cast<std::uint32_t>(value)) * 0x100000001b3U;
  return digest;
}

// Rounds that were trained before there was clipping and decay come out again. Fused multiplication
// and addition rounds once.
BOOST_AUTO_TEST_CASE(sgd_without_clipping_and_decay_keeps_its_bits) {
  for (const Isa isa : supported_isas()) {
    const bool fused = isa == Isa::v3 || isa == Isa::v4;
#ifndef __x86_64__
    if (isa == Isa::generic) continue;  // whichever the compiler chooses
#endif
    const auto gradient = random_values<float>(count, 2);
    const auto trained = [&](const Sgd& rule) {
      auto values = random_values<float>(count, 1);
      Optimizer optimizer = Optimizer::make(rule, count, isa).value();
      for (int step = 0; step < 2; ++step) optimizer.step(gradient, values);
      return digest_of(values);
    };
    BOOST_TEST(trained(Sgd{0.1, 0, false}) ==
               (fused ? 10906337456662269214U : 3642011539406377879U));
    BOOST_TEST(trained(Sgd{0.1, 0.9, false}) ==
               (fused ? 3679931557207062516U : 16513187902627808422U));
    BOOST_TEST(trained(Sgd{0.1, 0.9, true}) ==
               (fused ? 7883023129478477608U : 4737958665079997794U));
  }
}

// What clipping by a norm compares is the same on every processor.
BOOST_AUTO_TEST_CASE(a_sum_of_squares_has_the_same_bits_for_every_instruction_set) {
  for (const std::size_t size : {1U, 7U, 8U, 9U, 1000U, 32'768U}) {
    const auto values = random_values<float>(size, size);
    double plain = 0;
    for (const float value : values) plain += double{value} * double{value};
    const double first = update_kernels_of<float>(Isa::generic).sum_of_squares(values.data(), size);
    BOOST_TEST(std::abs(first / plain - 1) < 1e-13);
    for (const Isa isa : supported_isas()) {
      BOOST_TEST(update_kernels_of<float>(isa).sum_of_squares(values.data(), size) == first);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_same_bits_on_any_number_of_threads) {
  for (const OptimizerSpec& spec : sanitized ? rules : specs()) {
    const auto once = trained<float>(spec, 1);
    for (const std::size_t threads : {2U, 3U, 8U}) {
      BOOST_TEST((trained<float>(spec, threads) == once));
    }
    BOOST_TEST((trained<double>(spec, 3) == trained<double>(spec, 1)));
  }
}

BOOST_AUTO_TEST_CASE(state_is_as_large_as_was_said_before) {
  const auto values = [](const OptimizerSpec& spec) {
    Optimizer optimizer = Optimizer::make(spec, 10, Isa::generic).value();
    BOOST_TEST(optimizer.state().size() * sizeof(float) == Optimizer::state_bytes(spec, 10));
    BOOST_TEST(Optimizer64::state_bytes(spec, 10) == 2 * Optimizer::state_bytes(spec, 10));
    return optimizer.state().size();
  };
  BOOST_TEST(values(Sgd{0.1, 0, false}) == 0U);
  BOOST_TEST(values(Sgd{0.1, 0.5, false}) == 10U);
  BOOST_TEST(values(Adam{}) == 20U);
  BOOST_TEST(values(Adagrad{}) == 10U);
  BOOST_TEST(values(RmsProp{}) == 10U);
  BOOST_TEST(values(RmsProp{0.1, 0.9, 0.5, 1e-7, true}) == 30U);
}

BOOST_AUTO_TEST_CASE(after_a_reset_it_steps_as_when_it_was_made) {
  for (const OptimizerSpec& spec : specs()) {
    if (spec.clipping.kind == Clipping::Kind::norm) continue;
    Optimizer optimizer = Optimizer::make(spec, 3, Isa::generic).value();
    const std::vector<float> gradient{1.0F, 2.0F, 3.0F};
    std::vector<float> first(3), second(3);
    optimizer.step(gradient, first);
    optimizer.reset();
    optimizer.step(gradient, second);
    BOOST_TEST(first == second);
  }
}

BOOST_AUTO_TEST_CASE(with_its_state_and_steps_put_back_it_goes_on_as_if_nothing_had_been) {
  for (const OptimizerSpec& spec : specs()) {
    if (spec.clipping.kind == Clipping::Kind::norm) continue;
    const std::vector<float> gradient{1.0F, -2.0F, 3.0F};
    std::vector<float> one(3, 0.5F), other;
    Optimizer first = Optimizer::make(spec, 3, Isa::generic).value();
    first.step(gradient, one);
    other = one;
    Optimizer second = Optimizer::make(spec, 3, Isa::generic).value();
    std::ranges::copy(first.state(), second.state().begin());
    second.set_steps(first.steps());
    first.step(gradient, one);
    second.step(gradient, other);
    BOOST_TEST(one == other);
  }
}

BOOST_AUTO_TEST_CASE(numbers_outside_their_range_are_refused) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const auto refused = [](const OptimizerSpec& spec) {
    return Optimizer::make(spec, layout_of({3}), Isa::generic).has_error();
  };
  for (const Sgd& sgd :
       {Sgd{0, 0, false}, Sgd{-1, 0, false}, Sgd{nan, 0, false}, Sgd{infinity, 0, false},
        Sgd{0.1, 1, false}, Sgd{0.1, -0.1, false}, Sgd{0.1, nan, false}}) {
    BOOST_TEST(refused(sgd));
  }
  BOOST_TEST(refused(Adam{0.1, 1}));
  BOOST_TEST(refused(Adam{0.1, 0.9, 1}));
  BOOST_TEST(refused(Adam{0.1, 0.9, 0.999, 0}));
  BOOST_TEST(refused(Adam{nan}));
  BOOST_TEST(refused(Adagrad{0.1, -1}));
  BOOST_TEST(refused(Adagrad{0.1, 0.1, nan}));
  BOOST_TEST(refused(RmsProp{0.1, -0.1}));
  BOOST_TEST(refused(RmsProp{0.1, 0.9, 1}));
  BOOST_TEST(refused(RmsProp{0.1, 0.9, 0, 0}));
  BOOST_TEST(refused(with(Sgd{}, Clipping{Clipping::Kind::value, 0})));
  BOOST_TEST(refused(with(Sgd{}, Clipping{Clipping::Kind::norm, nan})));
  BOOST_TEST(refused(with(Sgd{}, WeightDecay{WeightDecay::Kind::l2, -1})));
  BOOST_TEST(refused(with(Sgd{}, Schedule{StepDecay{0, 0.5}, 0})));
  BOOST_TEST(!refused(with(Sgd{}, Clipping{Clipping::Kind::norm, 1})));
  BOOST_TEST(
      Optimizer::make(with(Sgd{}, Clipping{Clipping::Kind::norm, 1}), 3, Isa::generic).has_error());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(schedules)

BOOST_AUTO_TEST_CASE(a_constant_rate_stays_and_a_step_falls_each_so_many_steps) {
  for (const std::uint64_t step : {0U, 1U, 1'000'000U}) BOOST_TEST(factor_at({}, step) == 1.0);
  BOOST_TEST(factor_at({ConstantRate{0.25}, 0}, 7) == 0.25);
  const Schedule steps{StepDecay{10, 0.5}, 0};
  BOOST_TEST(factor_at(steps, 9) == 1.0);
  BOOST_TEST(factor_at(steps, 10) == 0.5);
  BOOST_TEST(factor_at(steps, 35) == 0.125);
}

BOOST_AUTO_TEST_CASE(a_cosine_falls_to_its_last_factor_and_stays_there) {
  const Schedule cosine{CosineDecay{100, 0.2}, 0};
  for (std::uint64_t step = 0; step <= 100; ++step) {
    const double expected =
        0.2 + 0.8 * (1 + std::cos(std::acos(-1.0) * static_cast<double>(step) / 100)) / 2;
    BOOST_TEST(std::abs(factor_at(cosine, step) - expected) < 1e-15);
  }
  BOOST_TEST(factor_at(cosine, 0) == 1.0);
  BOOST_TEST(factor_at(cosine, 100) == 0.2);
  BOOST_TEST(factor_at(cosine, 1'000'000) == 0.2);
}

BOOST_AUTO_TEST_CASE(a_warm_up_rises_in_a_line_and_the_decay_begins_after_it) {
  const Schedule warm{StepDecay{2, 0.5}, 4};
  const std::vector<double> expected{0.25, 0.5, 0.75, 1, 1, 1, 0.5, 0.5, 0.25};
  for (std::size_t step = 0; step < expected.size(); ++step) {
    BOOST_TEST(factor_at(warm, step) == expected[step]);
  }
}

BOOST_AUTO_TEST_CASE(schedules_without_a_length_or_with_a_factor_out_of_range_are_refused) {
  BOOST_TEST(check_schedule({}).has_value());
  BOOST_TEST(check_schedule({ConstantRate{1.1}, 0}).has_error());
  BOOST_TEST(check_schedule({StepDecay{1, 1}, 0}).has_value());
  BOOST_TEST(check_schedule({StepDecay{1, 0}, 0}).has_error());
  BOOST_TEST(check_schedule({StepDecay{1, 1.1}, 0}).has_error());
  BOOST_TEST(check_schedule({CosineDecay{0, 0}, 0}).has_error());
  BOOST_TEST(check_schedule({CosineDecay{1, -0.1}, 0}).has_error());
  BOOST_TEST(
      check_schedule({CosineDecay{1, std::numeric_limits<double>::quiet_NaN()}, 0}).has_error());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
