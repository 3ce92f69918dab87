// SPDX-License-Identifier: Apache-2.0
#include "common/engine/initial.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "tests/common/engine/networks.hpp"

namespace entente::engine {
namespace {

// 300 x 200 values drawn by `initializer`, then 200 of the bias.
std::vector<float> drawn(const Initializer& initializer) {
  Dense layer;
  layer.units = 200;
  layer.kernel_initializer = initializer;
  const Network network = network_of({300}, {{"a", layer}, dense("b", 2, Activation::softmax)});
  std::vector<float> values(60'200);
  initial_values(network, 9, 0, values);
  return values;
}

struct Moments {
  double mean = 0, deviation = 0, least = 0, most = 0;
  // The share beyond one deviation on either side.
  double beyond_one = 0;
};
Moments moments(const Initializer& initializer) {
  auto values = drawn(initializer);
  values.resize(60'000);
  Moments m;
  for (const float v : values) m.mean += double{v} / 60'000;
  for (const float v : values) m.deviation += (double{v} - m.mean) * (double{v} - m.mean) / 60'000;
  m.deviation = std::sqrt(m.deviation);
  for (const float v : values)
    m.beyond_one += std::abs(double{v} - m.mean) > m.deviation ? 1.0 / 60'000 : 0;
  m.least = double{*std::min_element(values.begin(), values.end())};
  m.most = double{*std::max_element(values.begin(), values.end())};
  return m;
}

bool near(double a, double b, double tolerance) {
  BOOST_TEST_INFO(a << " and " << b);
  return std::abs(a - b) <= tolerance;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(initial_parameters)

BOOST_AUTO_TEST_CASE(any_part_of_the_buffer_is_what_it_is_in_the_whole) {
  const Network network = network_of({28, 28, 1}, cnn_layers());
  std::vector<float> whole(network.parameter_count());
  initial_values(network, 5, 0, whole);
  for (const std::size_t size : {1U, 7U, 1000U, 33'333U}) {
    std::vector<float> parts(whole.size());
    for (std::size_t at = 0; at < parts.size(); at += size) {
      initial_values(network, 5, at,
                     std::span(parts).subspan(at, std::min<std::size_t>(size, parts.size() - at)));
    }
    BOOST_TEST((parts == whole));
  }
  initial_values(network, 5, whole.size(), {});
}

BOOST_AUTO_TEST_CASE(another_seed_gives_other_values_and_the_same_seed_the_same) {
  const Network network = network_of({8}, {dense("a", 3, Activation::softmax)});
  std::vector<float> one(27), again(27), other(27);
  initial_values(network, 1, 0, one);
  initial_values(network, 1, 0, again);
  initial_values(network, std::uint64_t{1} << 40U, 0, other);
  BOOST_TEST(one == again);
  BOOST_TEST(one != other);
}

// Frozen: a plan's seed must give the same model for ever.
BOOST_AUTO_TEST_CASE(the_first_values_of_seed_1_are_what_they_always_were) {
  const Network network = network_of({8}, {dense("a", 4, Activation::softmax)});
  std::vector<float> values(36);
  initial_values(network, 1, 0, values);
  BOOST_TEST(values[0] == 0.551909804F);
  BOOST_TEST(values[5] == 0.529074192F);
  BOOST_TEST(values[31] == 0.0284658764F);
  BOOST_TEST(values[32] == 0.0F);
}

BOOST_AUTO_TEST_CASE(glorot_uniform_fills_its_interval_evenly) {
  const double limit = std::sqrt(6.0 / 500.0);
  const Moments m = moments(glorot_uniform);
  BOOST_TEST(near(m.mean, 0, 0.01 * limit));
  BOOST_TEST(near(m.deviation, limit / std::sqrt(3.0), 0.01 * limit));
  BOOST_TEST(m.most <= limit);
  BOOST_TEST(m.least >= -limit);
  BOOST_TEST(m.most > 0.999 * limit);
}

BOOST_AUTO_TEST_CASE(a_scaled_normal_has_the_variance_that_its_fan_asks_for) {
  using Kind = Initializer::Kind;
  using Fan = Initializer::Fan;
  const Moments in = moments({Kind::scaled_normal, 2.0, 0, Fan::in});
  BOOST_TEST(near(in.deviation, std::sqrt(2.0 / 300), 0.001));
  BOOST_TEST(near(in.beyond_one, 0.3173, 0.01));
  BOOST_TEST(near(moments({Kind::scaled_normal, 1.0, 0, Fan::out}).deviation, std::sqrt(1.0 / 200),
                  0.001));
  const Moments cut = moments({Kind::scaled_truncated_normal, 2.0, 0, Fan::in});
  BOOST_TEST(near(cut.deviation, std::sqrt(2.0 / 300), 0.001));
  BOOST_TEST(cut.most <= 2.0 * std::sqrt(2.0 / 300) / 0.8796 * 1.0001);
}

BOOST_AUTO_TEST_CASE(normal_uniform_and_constant_values_are_as_given) {
  using Kind = Initializer::Kind;
  const Moments normal = moments({Kind::normal, 3.0, 0.5, {}});
  BOOST_TEST(near(normal.mean, 3.0, 0.01));
  BOOST_TEST(near(normal.deviation, 0.5, 0.01));
  const Moments uniform = moments({Kind::uniform, -1.0, 3.0, {}});
  BOOST_TEST(near(uniform.mean, 1.0, 0.02));
  BOOST_TEST(uniform.least >= -1.0);
  BOOST_TEST(uniform.most <= 3.0);
  const Moments cut = moments({Kind::truncated_normal, 0.0, 1.0, {}});
  BOOST_TEST(cut.most <= 2.0);
  BOOST_TEST(near(cut.deviation, 0.8796, 0.01));
  BOOST_TEST(moments({Kind::constant, 0.25, 0, {}}).least == 0.25);
  BOOST_TEST(drawn({Kind::constant, 0.25, 0, {}})[60'000] == 0.0F);
}

BOOST_AUTO_TEST_CASE(identity_has_its_gain_on_the_diagonal_in_any_part_of_the_buffer) {
  Dense layer;
  layer.units = 200;
  layer.kernel_initializer = {Initializer::Kind::identity, 0.5, 0, {}};
  const Network network = network_of({300}, {{"a", layer}, dense("b", 2, Activation::softmax)});
  std::vector<float> whole(60'200), part(700);
  initial_values(network, 9, 0, whole);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < 60'000; ++i)
    wrong += whole[i] == (i / 200 == i % 200 ? 0.5F : 0.0F) ? 0 : 1;
  BOOST_TEST(wrong == 0U);
  initial_values(network, 9, 12'345, part);
  BOOST_TEST(std::equal(part.begin(), part.end(), whole.begin() + 12'345));
}

BOOST_AUTO_TEST_CASE(identity_of_what_is_no_matrix_is_refused_with_the_tensors_shape) {
  Dense layer;
  layer.units = 2;
  layer.activation = Activation::softmax;
  layer.bias_initializer = {Initializer::Kind::identity, 1, 0, {}};
  const auto network = Network::compile({{{"input", {3}}}, {{"a", layer}}});
  BOOST_TEST_REQUIRE(!network.has_value());
  BOOST_TEST(network.error().detail ==
             "layer 'a': the initialiser Identity makes matrices alone, but bias is (2)");
}

// The quantile function behind them: the C library's distribution function of it gives the
// probability back.
BOOST_AUTO_TEST_CASE(normal_values_follow_the_normal_distribution_in_every_tenth) {
  auto values = drawn({Initializer::Kind::normal, 0, 1, {}});
  values.resize(60'000);
  std::vector<int> counts(10);
  for (const float v : values) {
    const double p = 0.5 * std::erfc(-double{v} / std::sqrt(2.0));
    ++counts[static_cast<std::size_t>(std::min(9.0, p * 10.0))];
  }
  for (const int count : counts) BOOST_TEST(std::abs(count - 6000) < 350);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
