// SPDX-License-Identifier: Apache-2.0
#include "common/engine/optimizer.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "tests/common/engine/networks.hpp"

namespace entente::engine {
namespace {

constexpr std::size_t count = 100'003;  // more than a block, and not a multiple of anything

// Three steps of `sgd` and of the formula in its header, in double.
double worst_difference(const Sgd& sgd, Isa isa) {
  auto parameters = random_values<float>(count, 1);
  std::vector<double> expected(parameters.begin(), parameters.end()), velocity(count);
  Optimizer optimizer = Optimizer::make(sgd, count, isa).value();
  for (std::uint64_t step = 0; step < 3; ++step) {
    const auto gradient = random_values<float>(count, 10 + step);
    optimizer.step(gradient, parameters);
    for (std::size_t i = 0; i < count; ++i) {
      const double g = double{gradient[i]};
      velocity[i] = sgd.momentum * velocity[i] - sgd.learning_rate * g;
      expected[i] +=
          sgd.nesterov ? sgd.momentum * velocity[i] - sgd.learning_rate * g : velocity[i];
    }
  }
  double worst = 0;
  for (std::size_t i = 0; i < count; ++i)
    worst = std::max(worst, std::abs(double{parameters[i]} - expected[i]));
  return worst;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(optimizers)

BOOST_AUTO_TEST_CASE(sgd_steps_as_its_formula_says_plain_with_momentum_and_nesterov) {
  for (const Isa isa : supported_isas()) {
    BOOST_TEST(worst_difference({0.1, 0, false}, isa) < 1e-6);
    BOOST_TEST(worst_difference({0.1, 0, true}, isa) < 1e-6);
    BOOST_TEST(worst_difference({0.1, 0.9, false}, isa) < 1e-6);
    BOOST_TEST(worst_difference({0.1, 0.9, true}, isa) < 1e-6);
  }
}

BOOST_AUTO_TEST_CASE(state_is_there_only_with_momentum_and_its_size_is_known_before) {
  BOOST_TEST(Optimizer::make(Sgd{0.1, 0, false}, 10, Isa::generic)->state().empty());
  BOOST_TEST(Optimizer::make(Sgd{0.1, 0.5, false}, 10, Isa::generic)->state().size() == 10U);
  BOOST_TEST(Optimizer::state_bytes(Sgd{0.1, 0.5, false}, 10) == 40U);
  BOOST_TEST(Optimizer::state_bytes(Sgd{0.1, 0, false}, 10) == 0U);
}

BOOST_AUTO_TEST_CASE(after_a_reset_it_steps_as_when_it_was_made) {
  Optimizer optimizer = Optimizer::make(Sgd{0.1, 0.9, false}, 3, Isa::generic).value();
  const std::vector<float> gradient{1.0F, 2.0F, 3.0F};
  std::vector<float> first(3), second(3);
  optimizer.step(gradient, first);
  optimizer.reset();
  optimizer.step(gradient, second);
  BOOST_TEST(first == second);
}

BOOST_AUTO_TEST_CASE(numbers_outside_their_range_are_refused) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Sgd& sgd : {Sgd{0, 0, false}, Sgd{-1, 0, false}, Sgd{nan, 0, false},
                         Sgd{std::numeric_limits<double>::infinity(), 0, false}, Sgd{0.1, 1, false},
                         Sgd{0.1, -0.1, false}, Sgd{0.1, nan, false}}) {
    BOOST_TEST(!Optimizer::make(sgd, 3, Isa::generic).has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
