// SPDX-License-Identifier: Apache-2.0
#include "common/engine/metrics.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

namespace entente::engine {

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_CASE(accuracy_and_loss_are_those_of_the_rows_added) {
  const std::vector<float> probabilities{0.5F, 0.25F, 0.25F, 0.125F, 0.25F, 0.625F};
  const std::vector<std::uint32_t> labels{0, 1};
  ClassificationMetrics metrics;
  metrics.add(probabilities, labels, 3);
  BOOST_TEST(metrics.rows == 2U);
  BOOST_TEST(metrics.accuracy() == 0.5);
  BOOST_TEST(std::abs(metrics.mean_loss() - (std::log(2.0) + std::log(4.0)) / 2) < 1e-15);
}

BOOST_AUTO_TEST_CASE(of_equal_probabilities_the_first_class_counts) {
  const std::vector<float> probabilities{0.5F, 0.5F, 0.5F, 0.5F};
  const std::vector<std::uint32_t> labels{0, 1};
  ClassificationMetrics metrics;
  metrics.add(probabilities, labels, 2);
  BOOST_TEST(metrics.correct == 1U);
}

BOOST_AUTO_TEST_CASE(a_class_of_probability_zero_costs_a_finite_loss) {
  ClassificationMetrics metrics;
  metrics.add(std::vector<float>{0.0F, 1.0F}, std::vector<std::uint32_t>{0}, 2);
  BOOST_TEST(std::abs(metrics.loss_sum - 7 * std::log(10.0)) < 1e-12);
}

BOOST_AUTO_TEST_CASE(sums_of_parts_are_sums_of_the_whole_and_no_rows_are_zero) {
  ClassificationMetrics one, other, none;
  one.add(std::vector<float>{0.5F, 0.5F}, std::vector<std::uint32_t>{0}, 2);
  other.add(std::vector<float>{0.25F, 0.75F}, std::vector<std::uint32_t>{0}, 2);
  one.add(other);
  BOOST_TEST(one.rows == 2U);
  BOOST_TEST(one.correct == 1U);
  BOOST_TEST(std::abs(one.loss_sum - std::log(8.0)) < 1e-15);
  BOOST_TEST(none.accuracy() == 0.0);
  BOOST_TEST(none.mean_loss() == 0.0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
