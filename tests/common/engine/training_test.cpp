// SPDX-License-Identifier: Apache-2.0
//
// Whole trainings: that they learn, that their bits depend on nothing but their arguments, and what
// they refuse.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "common/base/parallel.hpp"
#include "common/engine/initial.hpp"
#include "common/engine/metrics.hpp"
#include "common/engine/network.hpp"
#include "common/engine/optimizer.hpp"
#include "tests/common/engine/networks.hpp"

namespace entente::engine {
namespace {

struct Trained {
  std::vector<float> parameters;
  std::vector<double> losses;
  friend bool operator==(const Trained&, const Trained&) = default;
};

// `steps` steps on batches cut from `features`, of changing sizes.
Trained train(const Network& network, std::span<const float> features,
              std::span<const std::uint32_t> labels, std::size_t steps, const Sgd& sgd,
              std::span<const std::size_t> batch_sizes) {
  Trained result;
  result.parameters.resize(network.parameter_count());
  initial_values(network, 42, 0, result.parameters);
  std::vector<float> gradient(result.parameters.size());
  Workspace workspace = network.make_workspace(
      *std::max_element(batch_sizes.begin(), batch_sizes.end()), Purpose::training);
  Optimizer optimizer = Optimizer::make(sgd, network.parameter_count(), network.isa()).value();
  std::size_t row = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    const std::size_t rows = batch_sizes[step % batch_sizes.size()];
    if (row + rows > labels.size()) row = 0;
    const Batch batch{features.subspan(row * network.input_count(), rows * network.input_count()),
                      labels.subspan(row, rows)};
    result.losses.push_back(
        network.loss_and_gradient(result.parameters, batch, gradient, workspace).value());
    optimizer.step(gradient, result.parameters);
    row += rows;
  }
  return result;
}

const std::vector<std::size_t> sizes{50, 33, 1, 7, 50};
constexpr std::size_t step_count = sanitized ? 3 : 10;

Trained train_mlp(std::optional<Isa> isa = std::nullopt) {
  const Network network = network_of({784}, mlp_layers(), isa);
  return train(network, random_values<float>(200 * 784, 1), random_labels(200, 10, 1), step_count,
               {0.05, 0.9, false}, sizes);
}

Trained train_cnn(std::optional<Isa> isa = std::nullopt) {
  const Network network = network_of({28, 28, 1}, cnn_layers(), isa);
  return train(network, random_values<float>(200 * 784, 2), random_labels(200, 10, 2), step_count,
               {0.05, 0.9, true}, sizes);
}

double worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(double{a[i]} - double{b[i]}));
  return worst;
}

double accuracy(const Network& network, std::span<const float> parameters,
                std::span<const float> features, std::span<const std::uint32_t> labels) {
  Workspace workspace = network.make_workspace(64, Purpose::inference);
  std::vector<float> probabilities(labels.size() * network.output_count());
  network.predict(parameters, features, probabilities, workspace).value();
  ClassificationMetrics metrics;
  metrics.add(probabilities, labels, network.output_count());
  return metrics.accuracy();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(training)

BOOST_AUTO_TEST_CASE(exclusive_or_is_learnt) {
  const Network network =
      network_of({2}, {dense("a", 16, Activation::relu), dense("b", 2, Activation::softmax)});
  std::vector<float> features;
  std::vector<std::uint32_t> labels;
  for (int i = 0; i < 64; ++i) {
    features.insert(features.end(), {static_cast<float>(i % 2), static_cast<float>(i / 2 % 2)});
    labels.push_back(static_cast<std::uint32_t>((i % 2) ^ (i / 2 % 2)));
  }
  const Trained trained =
      train(network, features, labels, 400, {0.2, 0.9, false}, std::vector<std::size_t>{32});
  BOOST_TEST(accuracy(network, trained.parameters, features, labels) == 1.0);
  BOOST_TEST(trained.losses.back() < 0.05);
}

// Bright squares in one of four corners, in noise.
BOOST_AUTO_TEST_CASE(a_convolutional_network_learns_where_a_square_is) {
  const Network network = network_of(
      {12, 12, 1}, {convolution("a", 8, {3, 3}, Padding::same, {1, 1}, Activation::relu),
                    pooling({2, 2}, {2, 2}, Padding::valid),
                    convolution("b", 8, {3, 3}, Padding::valid, {1, 1}, Activation::relu),
                    flatten(), dense("c", 4, Activation::softmax)});
  auto features = random_values<float>(400 * 144, 3);
  const auto labels = random_labels(400, 4, 3);
  for (std::size_t row = 0; row < 400; ++row) {
    for (std::size_t y = 0; y < 4; ++y) {
      for (std::size_t x = 0; x < 4; ++x) {
        features[row * 144 + (y + labels[row] / 2 * 7) * 12 + x + labels[row] % 2 * 7] += 1.5F;
      }
    }
  }
  const Trained trained =
      train(network, features, labels, 200, {0.05, 0.9, false}, std::vector<std::size_t>{40});
  BOOST_TEST(accuracy(network, trained.parameters, features, labels) > 0.98);
}

BOOST_AUTO_TEST_CASE(
    the_bits_of_a_training_are_the_same_on_1_2_3_and_8_threads_and_from_run_to_run) {
  const std::vector<Isa> isas = sanitized ? std::vector{supported_isas().back()} : supported_isas();
  for (const Isa isa : isas) {
    const auto on_threads = [isa](std::size_t count) {
      const Threads threads(count);
      return std::pair(train_mlp(isa), train_cnn(isa));
    };
    const auto one = on_threads(1);
    for (const std::size_t count : {1U, 2U, 3U, 8U}) {
      const auto more = on_threads(count);
      BOOST_TEST((more.first == one.first),
                 "MLP, " << to_string(isa) << ", " << count << " threads");
      BOOST_TEST((more.second == one.second),
                 "CNN, " << to_string(isa) << ", " << count << " threads");
    }
  }
}

BOOST_AUTO_TEST_CASE(instruction_sets_agree_closely_over_a_training) {
  const Trained mlp = train_mlp(Isa::generic), cnn = train_cnn(Isa::generic);
  for (const Isa isa : supported_isas()) {
    BOOST_TEST(worst_difference(train_mlp(isa).parameters, mlp.parameters) < 1e-4);
    BOOST_TEST(worst_difference(train_cnn(isa).parameters, cnn.parameters) < 1e-4);
  }
}

BOOST_AUTO_TEST_CASE(float32_follows_float64) {
  const Network network = network_of({28, 28, 1}, cnn_layers());
  std::vector<float> parameters(network.parameter_count()), gradient(network.parameter_count());
  initial_values(network, 1, 0, parameters);
  const auto features = random_values<float>(50 * 784, 1);
  const auto labels = random_labels(50, 10, 1);
  Workspace workspace = network.make_workspace(50, Purpose::training);
  const double loss =
      network.loss_and_gradient(parameters, {features, labels}, gradient, workspace).value();
  const std::vector<double> parameters64(parameters.begin(), parameters.end());
  const std::vector<double> features64(features.begin(), features.end());
  std::vector<double> gradient64(parameters.size());
  Workspace64 workspace64 = network.make_workspace64(50, Purpose::training);
  const double loss64 =
      network.loss_and_gradient(parameters64, {features64, labels}, gradient64, workspace64)
          .value();
  BOOST_TEST(std::abs(loss - loss64) < 1e-5);
  BOOST_TEST(worst_difference(gradient, {gradient64.begin(), gradient64.end()}) < 1e-5);
}

BOOST_AUTO_TEST_CASE(a_prediction_does_not_depend_on_the_rows_around_it_or_on_the_workspace) {
  const Network network = network_of({28, 28, 1}, cnn_layers());
  std::vector<float> parameters(network.parameter_count());
  initial_values(network, 1, 0, parameters);
  const auto features = random_values<float>(100 * 784, 1);
  std::vector<float> together(1000), alone(1000);
  Workspace large = network.make_workspace(100, Purpose::training);
  Workspace small = network.make_workspace(7, Purpose::inference);
  network.predict(parameters, features, together, large).value();
  network.predict(parameters, features, alone, small).value();
  BOOST_TEST(together == alone);
}

BOOST_AUTO_TEST_CASE(what_an_earlier_batch_left_in_the_workspace_changes_nothing) {
  const Network network = network_of({28, 28, 1}, cnn_layers());
  std::vector<float> parameters(network.parameter_count()), fresh(parameters.size()),
      used(parameters.size());
  initial_values(network, 1, 0, parameters);
  const auto features = random_values<float>(60 * 784, 1);
  const auto labels = random_labels(60, 10, 1);
  const auto part = [&](std::size_t first, std::size_t rows) {
    return Batch{std::span(features).subspan(first * 784, rows * 784),
                 std::span(labels).subspan(first, rows)};
  };
  Workspace one = network.make_workspace(60, Purpose::training),
            two = network.make_workspace(60, Purpose::training);
  const double expected = network.loss_and_gradient(parameters, part(5, 20), fresh, one).value();
  network.loss_and_gradient(parameters, part(0, 60), used, two).value();
  BOOST_TEST(network.loss_and_gradient(parameters, part(5, 20), used, two).value() == expected);
  BOOST_TEST(used == fresh);
}

BOOST_AUTO_TEST_CASE(wrong_sizes_and_labels_are_named) {
  const Network network = network_of({4}, {dense("a", 3, Activation::softmax)});
  std::vector<float> parameters(15), gradient(15), features(20);
  std::vector<std::uint32_t> labels{0, 1, 2, 0, 1};
  Workspace workspace = network.make_workspace(5, Purpose::training);
  const auto error = [&](std::span<float> p, std::span<float> f, std::span<std::uint32_t> l,
                         std::span<float> g) {
    const auto loss = network.loss_and_gradient(p, {f, l}, g, workspace);
    BOOST_TEST_REQUIRE(!loss.has_value());
    BOOST_TEST((loss.error().code == Errc::invalid_argument));
    return loss.error().detail;
  };
  const auto less = [](auto& values) { return std::span(values).first(values.size() - 1); };
  BOOST_TEST(error(less(parameters), features, labels, gradient) ==
             "parameters: expected 15 values, saw 14");
  BOOST_TEST(error(parameters, less(features), labels, gradient) ==
             "features: expected 20 values, saw 19");
  BOOST_TEST(error(parameters, features, labels, less(gradient)) ==
             "gradient: expected 15 values, saw 14");
  BOOST_TEST(error(parameters, {}, {}, gradient) == "the batch has 0 targets; expected 1 to 5");
  labels[3] = 3;
  BOOST_TEST(error(parameters, features, labels, gradient) ==
             "label 3 in row 3 (from 0); expected 0 to 2");
  std::vector<std::uint32_t> many(6);
  BOOST_TEST(error(parameters, features, many, gradient) ==
             "the batch has 6 targets; expected 1 to 5");
}

BOOST_AUTO_TEST_CASE(a_feature_that_is_not_finite_is_named_by_row_and_value) {
  const Network network = network_of({4}, {dense("a", 3, Activation::softmax)});
  std::vector<float> parameters(15), gradient(15), features(4 * 40), probabilities(3 * 40);
  const std::vector<std::uint32_t> labels(40);
  features[4 * 37 + 2] = std::numeric_limits<float>::quiet_NaN();
  Workspace workspace = network.make_workspace(40, Purpose::training);
  Workspace small = network.make_workspace(8, Purpose::inference);
  const auto trained =
      network.loss_and_gradient(parameters, {features, labels}, gradient, workspace);
  const auto predicted = network.predict(parameters, features, probabilities, small);
  BOOST_TEST_REQUIRE(!trained.has_value());
  BOOST_TEST_REQUIRE(!predicted.has_value());
  BOOST_TEST(trained.error().detail ==
             "features: row 37, value 2 (both from 0) is nan; expected a finite number");
  BOOST_TEST(predicted.error().detail == trained.error().detail);
}

BOOST_AUTO_TEST_CASE(a_training_that_has_diverged_says_so) {
  const Network network = network_of({4}, mlp_layers());
  std::vector<float> parameters(network.parameter_count(), 1e30F), gradient(parameters.size());
  const std::vector<float> features(4, 1.0F);
  const std::vector<std::uint32_t> labels{0};
  Workspace workspace = network.make_workspace(1, Purpose::training);
  const auto loss = network.loss_and_gradient(parameters, {features, labels}, gradient, workspace);
  BOOST_TEST_REQUIRE(!loss.has_value());
  BOOST_TEST(loss.error().detail.find("the loss is not finite") == 0U);
}

// 1e-30 * 1e-15 is below float's normal range; a thread that computes it with denormals would give
// 1e-45.
BOOST_AUTO_TEST_CASE(denormals_count_as_zero_in_the_engine_and_as_themselves_after_it) {
  const Network network = network_of({1}, {dense("a", 2, Activation::softmax)}, Isa::generic);
  std::vector<float> parameters{1e-30F, 0.0F, 0.0F, 0.0F}, gradient(4);
  const std::vector<float> features{1e-39F};
  const std::vector<std::uint32_t> labels{0};
  Workspace workspace = network.make_workspace(1, Purpose::training);
  network.loss_and_gradient(parameters, {features, labels}, gradient, workspace).value();
  BOOST_TEST(gradient[0] == 0.0F);
  volatile float small = std::numeric_limits<float>::min();
  volatile const float smaller = small / 4;
  BOOST_TEST(std::fpclassify(smaller) == FP_SUBNORMAL);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
