// SPDX-License-Identifier: Apache-2.0
#include "common/engine/elementary.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

namespace entente::engine {
namespace {

// The largest relative error of exp_of over [from, to], in units of the type's epsilon.
template <class S>
double worst_exp(double from, double to) {
  double worst = 0;
  for (int i = 0; i <= 200'000; ++i) {
    const S x = static_cast<S>(from + (to - from) * i / 200'000);
    const long double expected = std::exp(static_cast<long double>(x));
    const long double error = std::abs(static_cast<long double>(exp_of(x)) - expected) / expected;
    worst = std::max(worst, static_cast<double>(error));
  }
  return worst / static_cast<double>(std::numeric_limits<S>::epsilon());
}

// The largest error of log_of, relative where the logarithm is above 1 and absolute below, in
// epsilons.
template <class S>
double worst_log(double from, double to) {
  double worst = 0;
  for (int i = 0; i <= 200'000; ++i) {
    const S x = static_cast<S>(from * std::pow(to / from, i / 200'000.0));
    const long double expected = std::log(static_cast<long double>(x));
    const long double error = std::abs(static_cast<long double>(log_of(x)) - expected);
    worst = std::max(worst, static_cast<double>(error / std::max(1.0L, std::abs(expected))));
  }
  return worst / static_cast<double>(std::numeric_limits<S>::epsilon());
}

// The largest relative error of `seen` over [from, to], in epsilons, where the right value is
// normal.
template <class S, class Seen, class Right>
double worst_error(double from, double to, const Seen& seen, const Right& right) {
  double worst = 0;
  for (int i = 0; i <= 100'000; ++i) {
    const S x = static_cast<S>(from + (to - from) * i / 100'000);
    const long double expected = right(static_cast<long double>(x));
    if (std::abs(expected) < static_cast<long double>(std::numeric_limits<S>::min())) continue;
    const long double error = std::abs(static_cast<long double>(seen(x)) - expected);
    worst = std::max(worst, static_cast<double>(error / std::abs(expected)));
  }
  return worst / static_cast<double>(std::numeric_limits<S>::epsilon());
}

// Over three ranges: around zero, moderate, wide.
template <class S, class Seen, class Right>
double worst_of_ranges(double wide, const Seen& seen, const Right& right) {
  return std::max({worst_error<S>(-1e-3, 1e-3, seen, right), worst_error<S>(-1, 1, seen, right),
                   worst_error<S>(-wide, wide, seen, right)});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(elementary_functions)

BOOST_AUTO_TEST_CASE(expm1_tanh_sigmoid_and_erf_are_right_to_eight_units_in_the_last_place) {
  const auto check = [](auto zero) {
    using S = decltype(zero);
    using L = long double;
    BOOST_TEST(worst_of_ranges<S>(
                   20, [](S x) { return expm1_of(x); }, [](L x) { return std::expm1(x); }) < 8.0);
    BOOST_TEST(worst_of_ranges<S>(
                   20, [](S x) { return tanh_of(x); }, [](L x) { return std::tanh(x); }) < 8.0);
    BOOST_TEST(worst_of_ranges<S>(
                   20, [](S x) { return sigmoid_of(x); },
                   [](L x) { return 1 / (1 + std::exp(-x)); }) < 8.0);
    BOOST_TEST(worst_of_ranges<S>(
                   8, [](S x) { return erf_of(x); }, [](L x) { return std::erf(x); }) < 8.0);
  };
  check(0.0F);
  check(0.0);
}

BOOST_AUTO_TEST_CASE(tanh_sigmoid_and_erf_reach_their_ends_and_pass_nan_on) {
  BOOST_TEST(tanh_of(1000.0F) == 1.0F);
  BOOST_TEST(tanh_of(-1000.0F) == -1.0F);
  BOOST_TEST(sigmoid_of(1000.0F) == 1.0F);
  BOOST_TEST(sigmoid_of(-1000.0F) < 1e-37F);
  BOOST_TEST(erf_of(1000.0F) == 1.0F);
  BOOST_TEST(erf_of(-1000.0) == -1.0);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  BOOST_TEST(std::isnan(tanh_of(nan)));
  BOOST_TEST(std::isnan(sigmoid_of(nan)));
  BOOST_TEST(std::isnan(erf_of(nan)));
}

BOOST_AUTO_TEST_CASE(exp_is_right_to_two_units_in_the_last_place) {
  BOOST_TEST(worst_exp<float>(-87, 88) < 2.0);
  BOOST_TEST(worst_exp<float>(-1, 1) < 2.0);
  BOOST_TEST(worst_exp<double>(-708, 709) < 2.0);
  BOOST_TEST(worst_exp<double>(-1, 1) < 2.0);
}

BOOST_AUTO_TEST_CASE(log_is_right_to_two_units_in_the_last_place) {
  BOOST_TEST(worst_log<float>(1e-37, 1e38) < 2.0);
  BOOST_TEST(worst_log<float>(0.5, 2) < 2.0);
  BOOST_TEST(worst_log<double>(1e-307, 1e308) < 2.0);
  BOOST_TEST(worst_log<double>(0.5, 2) < 2.0);
}

BOOST_AUTO_TEST_CASE(values_that_are_exact_are_exact) {
  BOOST_TEST(exp_of(0.0F) == 1.0F);
  BOOST_TEST(exp_of(0.0) == 1.0);
  BOOST_TEST(log_of(1.0F) == 0.0F);
  BOOST_TEST(log_of(1.0) == 0.0);
}

BOOST_AUTO_TEST_CASE(exp_beyond_its_range_is_its_bound_and_of_nan_is_nan) {
  BOOST_TEST(exp_of(-1000.0F) == exp_of(-87.0F));
  BOOST_TEST(exp_of(1000.0F) == exp_of(88.0F));
  BOOST_TEST(std::isnan(exp_of(std::numeric_limits<float>::quiet_NaN())));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
