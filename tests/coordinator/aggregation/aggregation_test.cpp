// SPDX-License-Identifier: Apache-2.0
#include "coordinator/aggregation/aggregation.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>

#include "common/base/random.hpp"

using namespace entente;
using namespace entente::coordinator;

BOOST_AUTO_TEST_SUITE(aggregation_of_blocks)

BOOST_AUTO_TEST_CASE(the_average_is_weighted_by_examples) {
  const std::vector<std::uint64_t> examples{30, 10};
  const std::vector<double> weights = aggregation::weights_of(examples);
  std::vector<float> model{1.0F, 2.0F};
  std::vector<double> sum(2);
  aggregation::add_weighted(std::vector<float>{4.0F, 0.0F}, weights[0], sum);
  aggregation::add_weighted(std::vector<float>{0.0F, 8.0F}, weights[1], sum);
  aggregation::finish(sum, model);
  BOOST_TEST(model[0] == 4.0F);
  BOOST_TEST(model[1] == 4.0F);
}

BOOST_AUTO_TEST_CASE(blocks_of_any_size_give_the_bits_of_one_whole) {
  Random random(7);
  constexpr std::size_t count = 1000;
  const std::vector<std::uint64_t> examples{3, 1, 4, 1, 5};
  const auto weights = aggregation::weights_of(examples);
  std::vector<std::vector<float>> updates(examples.size(), std::vector<float>(count));
  std::vector<float> model(count);
  for (float& value : model) value = static_cast<float>(random.uniform() - 0.5);
  for (auto& update : updates) {
    for (float& value : update) value = static_cast<float>(random.uniform() - 0.5);
  }
  const auto average = [&](std::size_t block) {
    std::vector<float> result = model;
    for (std::size_t at = 0; at < count; at += block) {
      const std::size_t size = std::min(block, count - at);
      std::vector<double> sum(size);
      for (std::size_t p = 0; p < updates.size(); ++p) {
        aggregation::add_weighted(std::span(updates[p]).subspan(at, size), weights[p], sum);
      }
      aggregation::finish(sum, std::span(result).subspan(at, size));
    }
    return result;
  };
  const auto whole = average(count);
  for (const std::size_t block : {1U, 7U, 64U, 999U}) BOOST_TEST((average(block) == whole));
}

BOOST_AUTO_TEST_SUITE_END()
