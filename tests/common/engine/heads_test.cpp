// SPDX-License-Identifier: Apache-2.0
//
// A network's end: what each loss asks of it, and that the whole then learns by that loss.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "common/engine/initial.hpp"
#include "common/engine/optimizer.hpp"
#include "tests/common/engine/checks.hpp"

namespace entente::engine {
namespace {

struct Head {
  std::string what;
  LossSpec loss;
  Activation activation;
  bool labels;  // else values
};

const std::vector<Head> heads{
    {"categorical", CategoricalCrossEntropy{}, Activation::softmax, true},
    {"weighted", CategoricalCrossEntropy{0.1, {1, 2, 0.5}}, Activation::softmax, true},
    {"distributions", CategoricalCrossEntropy{}, Activation::softmax, false},
    {"binary", BinaryCrossEntropy{0.1, {1, 3}}, Activation::sigmoid, false},
    {"squared", SquaredError{}, Activation::linear, false},
    {"squared behind a sigmoid", SquaredError{}, Activation::sigmoid, false},
    {"absolute", AbsoluteError{}, Activation::linear, false},
    {"huber", Huber{0.3}, Activation::tanh, false},
    {"quantile", Quantile{0.9}, Activation::linear, false},
};

constexpr std::size_t outputs = 3;

GraphSpec ends_in(Activation activation, bool sequence) {
  if (!sequence) return graph_of({4}, {dense("a", 5, Activation::tanh), dense("b", 3, activation)});
  Recurrent lstm;
  lstm.units = 5;
  lstm.return_sequences = true;
  return {{{"words", {6}}},
          {layer("embed", Embedding{9, 4, true}), layer("a", lstm), dense("b", 3, activation)}};
}

// Distributions over the outputs, which every loss takes as values.
std::vector<double> random_targets(std::size_t rows, std::uint64_t seed) {
  auto values = random_values<double>(rows * outputs, seed);
  for (std::size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (std::size_t j = 0; j < outputs; ++j) sum += values[row * outputs + j] += 1.001;
    for (std::size_t j = 0; j < outputs; ++j) values[row * outputs + j] /= sum;
  }
  return values;
}

struct Case {
  Network network;
  std::vector<double> parameters, features, values;
  std::vector<std::uint32_t> labels;
  std::size_t rows = 5;
  Batch64 batch() const { return {features, labels, 1, values}; }
};

Case case_of(const Head& head, bool sequence) {
  const GraphSpec graph = ends_in(head.activation, sequence);
  Case made{Network::compile(graph, std::nullopt, head.loss).value(), {}, {}, {}, {}};
  const std::size_t targets = made.rows * made.network.position_count();
  made.parameters = random_parameters(made.network, 3);
  made.features = random_features(graph, made.rows, 4);
  if (head.labels) made.labels = random_labels(targets, outputs, 5);
  if (!head.labels) made.values = random_targets(targets, 6);
  return made;
}

double loss_of(const Case& made, std::span<double> gradient) {
  Workspace64 workspace = made.network.make_workspace64(made.rows, Purpose::training);
  return made.network.loss_and_gradient(made.parameters, made.batch(), gradient, workspace).value();
}

std::string error_of(Activation activation, const LossSpec& loss) {
  const auto network = Network::compile(ends_in(activation, false), std::nullopt, loss);
  return network ? "" : network.error().detail;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(heads_of_networks)

BOOST_AUTO_TEST_CASE(every_loss_at_the_end_has_its_gradient_through_the_network) {
  for (const Head& head : heads) {
    for (const bool sequence : {false, true}) {
      Case made = case_of(head, sequence);
      std::vector<double> gradient(made.parameters.size()), ignored(gradient.size());
      loss_of(made, gradient);
      double worst = 0;
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        const double before = made.parameters[i];
        constexpr double h = 1e-5;
        const auto at = [&](double step) {
          made.parameters[i] = before + step;
          return loss_of(made, ignored);
        };
        const double numeric = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
        made.parameters[i] = before;
        const double size = std::max({std::abs(numeric), std::abs(gradient[i]), 1e-3});
        worst = std::max(worst, std::abs(numeric - gradient[i]) / size);
      }
      BOOST_TEST(worst < 1e-6, head.what << (sequence ? " by step: " : ": ") << worst);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_loss_is_that_of_the_predictions) {
  for (const Head& head : heads) {
    if (taken_by(head.loss) != LossInput::predictions) continue;
    const Case made = case_of(head, false);
    std::vector<double> gradient(made.parameters.size()), predictions(made.rows * outputs),
        ignored(predictions.size()), losses(made.rows);
    Workspace64 workspace = made.network.make_workspace64(2, Purpose::inference);
    made.network.predict(made.parameters, made.features, predictions, workspace).value();
    const auto alone = Loss64::make(head.loss, outputs, Isa::generic).value();
    const double expected =
        alone.mean_and_gradient(predictions, {{}, made.values}, {}, ignored, losses).value();
    BOOST_TEST(loss_of(made, gradient) == expected, boost::test_tools::tolerance(1e-13));
  }
}

BOOST_AUTO_TEST_CASE(sigmoid_predictions_are_probabilities) {
  const Case made = case_of(heads[3], false);
  std::vector<double> predictions(made.rows * outputs);
  Workspace64 workspace = made.network.make_workspace64(5, Purpose::inference);
  made.network.predict(made.parameters, made.features, predictions, workspace).value();
  for (const double p : predictions) BOOST_TEST((p > 0 && p < 1));
  double cost = 0;  // by the formula
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const double wanted = 0.9 * made.values[i] + 0.05;
    const double weight = 3 * made.values[i] + (1 - made.values[i]);
    cost -=
        weight * (wanted * std::log(predictions[i]) + (1 - wanted) * std::log(1 - predictions[i]));
  }
  std::vector<double> gradient(made.parameters.size());
  BOOST_TEST(loss_of(made, gradient) == cost / static_cast<double>(predictions.size()),
             boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(one_output_takes_labels_0_and_1_as_values_0_and_1) {
  const GraphSpec graph = graph_of({4}, {dense("only", 1, Activation::sigmoid)});
  const Network network = Network::compile(graph, std::nullopt, BinaryCrossEntropy{}).value();
  const auto parameters = random_values<float>(network.parameter_count(), 1);
  const auto features = random_values<float>(3 * 4, 2);
  const std::vector<std::uint32_t> labels{1, 0, 1}, strange{1, 2, 0};
  const std::vector<float> values{1, 0, 1};
  std::vector<float> of_labels(parameters.size()), of_values(parameters.size());
  Workspace workspace = network.make_workspace(3, Purpose::training);
  const auto with = [&](const Batch& batch, std::span<float> gradient) {
    return network.loss_and_gradient(parameters, batch, gradient, workspace);
  };
  BOOST_TEST(with({features, labels}, of_labels).value() ==
             with({features, {}, 0, values}, of_values).value());
  BOOST_TEST(of_labels == of_values);
  BOOST_TEST(with({features, strange}, of_labels).error().detail ==
             "label 2 in row 1 (from 0); expected 0 to 1");
}

BOOST_AUTO_TEST_CASE(a_loss_that_does_not_fit_the_last_layer_is_refused) {
  BOOST_TEST(error_of(Activation::softmax, BinaryCrossEntropy{}) ==
             "the last layer ('b') must have the activation sigmoid (its loss is the binary "
             "cross-entropy)");
  BOOST_TEST(error_of(Activation::sigmoid, CategoricalCrossEntropy{}) ==
             "the last layer ('b') must have the activation softmax (its loss is the categorical "
             "cross-entropy)");
  BOOST_TEST(error_of(Activation::softmax, CategoricalCrossEntropy{0, {1, 2}}) ==
             "loss: expected 3 class weights, saw 2");
  BOOST_TEST(error_of(Activation::linear, Huber{}) == "");
}

BOOST_AUTO_TEST_CASE(targets_that_are_not_the_losss_are_refused) {
  const Network network =
      Network::compile(ends_in(Activation::linear, false), std::nullopt, SquaredError{}).value();
  const std::vector<float> features(8), parameters(network.parameter_count());
  const std::vector<float> values(6), few(5), wrong{0, 0, 0, 0, std::nanf(""), 0};
  const std::vector<std::uint32_t> labels{0, 1};
  std::vector<float> gradient(parameters.size());
  Workspace workspace = network.make_workspace(2, Purpose::training);
  const auto error = [&](const Batch& batch) {
    const auto loss = network.loss_and_gradient(parameters, batch, gradient, workspace);
    return loss ? "" : loss.error().detail;
  };
  BOOST_TEST(error({features, {}, 0, values}) == "");
  BOOST_TEST(error({features, {}, 0, few}) == "targets: expected 6 values, saw 5");
  BOOST_TEST(error({features, labels}) == "expected targets of numbers alone, saw labels");
  BOOST_TEST(error({features, {}, 0, wrong}) ==
             "the target of row 1 (from 0) has nan; expected a finite number");
}

BOOST_AUTO_TEST_CASE(a_regression_learns_what_was_linear) {
  const Network network =
      Network::compile(graph_of({4}, {dense("a", 16, Activation::relu), dense("b", 2)}),
                       std::nullopt, SquaredError{})
          .value();
  const auto features = random_values<float>(64 * 4, 1);
  std::vector<float> values;
  for (std::size_t row = 0; row < 64; ++row) {
    values.push_back(features[row * 4] - 2 * features[row * 4 + 1]);
    values.push_back(0.5F * features[row * 4 + 2] + 0.25F);
  }
  std::vector<float> parameters(network.parameter_count()), gradient(parameters.size());
  initial_values(network, 1, 0, parameters);
  Optimizer optimizer = Optimizer::make(Adam{0.02}, parameters.size(), network.isa()).value();
  Workspace workspace = network.make_workspace(64, Purpose::training);
  double loss = 0;
  for (int step = 0; step < 300; ++step) {
    loss = network.loss_and_gradient(parameters, {features, {}, 0, values}, gradient, workspace)
               .value();
    optimizer.step(gradient, parameters);
  }
  BOOST_TEST(loss < 0.002);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
