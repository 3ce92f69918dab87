// SPDX-License-Identifier: Apache-2.0
//
// Whole trainings of graphs: a tagger, a decoder, a residual network.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "common/engine/initial.hpp"
#include "common/engine/metrics.hpp"
#include "common/engine/network.hpp"
#include "common/engine/optimizer.hpp"
#include "tests/common/engine/checks.hpp"

namespace entente::engine {
namespace {

struct Trained {
  std::vector<float> parameters;
  std::vector<double> losses;
  friend bool operator==(const Trained&, const Trained&) = default;
};

// `steps` steps on batches of changing sizes of 60 random examples. With a label for each token, it
// is the token modulo ten.
Trained train(const GraphSpec& graph, std::optional<Isa> isa, std::size_t steps, double rate) {
  const Network network = Network::compile(graph, isa).value();
  const std::size_t positions = network.position_count(), values = network.input_count();
  const std::vector<double> random = random_features(graph, 60, 3);
  const std::vector<float> features(random.begin(), random.end());
  auto labels = random_labels(60 * positions, 10, 3);
  if (positions == values) {
    for (std::size_t i = 0; i < labels.size(); ++i)
      labels[i] = static_cast<std::uint32_t>(features[i]) % 10;
  }
  Trained trained;
  trained.parameters.resize(network.parameter_count());
  initial_values(network, 5, 0, trained.parameters);
  std::vector<float> gradient(trained.parameters.size());
  Workspace workspace = network.make_workspace(33, Purpose::training);
  Optimizer optimizer =
      Optimizer::make(Sgd{rate, 0.9, false}, gradient.size(), network.isa()).value();
  for (std::size_t step = 0; step < steps; ++step) {
    const std::size_t rows = step % 3 == 0 ? 33 : (step % 3 == 1 ? 7 : 1);
    const std::size_t first = step * 5 % (61 - rows);
    const Batch batch{std::span(features).subspan(first * values, rows * values),
                      std::span(labels).subspan(first * positions, rows * positions), step};
    trained.losses.push_back(
        network.loss_and_gradient(trained.parameters, batch, gradient, workspace).value());
    optimizer.step(gradient, trained.parameters);
    network.write_state(trained.parameters, workspace);
  }
  return trained;
}

double worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(double{a[i]} - double{b[i]}));
  return worst;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(trainings_of_graphs)

BOOST_AUTO_TEST_CASE(the_bits_are_the_same_on_1_2_3_and_8_threads_and_from_run_to_run) {
  const std::vector<Isa> isas = sanitized ? std::vector{supported_isas().back()} : supported_isas();
  for (const GraphSpec& graph : {tagger(), decoder(), residual_network()}) {
    for (const Isa isa : isas) {
      const auto on_threads = [&](std::size_t count) {
        const Threads threads(count);
        return train(graph, isa, 4, 0.05);
      };
      const Trained one = on_threads(1);
      for (const std::size_t count : {1U, 2U, 3U, 8U})
        BOOST_TEST((on_threads(count) == one), to_string(isa) << ", " << count << " threads");
    }
  }
}

BOOST_AUTO_TEST_CASE(instruction_sets_agree_closely_over_a_training) {
  for (const GraphSpec& graph : {tagger(), decoder(), residual_network()}) {
    const Trained first = train(graph, Isa::generic, 4, 0.05);
    for (const Isa isa : supported_isas())
      BOOST_TEST(worst_difference(train(graph, isa, 4, 0.05).parameters, first.parameters) < 1e-4);
  }
}

BOOST_AUTO_TEST_CASE(a_tagger_and_a_decoder_learn_what_each_word_is) {
  for (GraphSpec graph : {tagger(), decoder()}) {
    // Keras' own begin so small that plain gradient descent takes long to leave them.
    std::get<Embedding>(graph.layers[0].kind).initializer = {Initializer::Kind::uniform, -1, 1,
                                                             Initializer::Fan::average};
    const Trained trained = train(graph, std::nullopt, sanitized ? 10 : 300, 0.2);
    BOOST_TEST(trained.losses.front() > 2.0);
    if (!sanitized) BOOST_TEST(trained.losses[297] < 0.1);
  }
}

// All rows at once and in parts, in a training's workspace and in one for prediction alone.
BOOST_AUTO_TEST_CASE(a_prediction_depends_on_nothing_but_its_row) {
  for (const GraphSpec& graph : {tagger(), decoder(), residual_network()}) {
    const Network network = Network::compile(graph).value();
    std::vector<float> parameters(network.parameter_count());
    initial_values(network, 1, 0, parameters);
    const std::vector<double> random = random_features(graph, 40, 1);
    const std::vector<float> features(random.begin(), random.end());
    std::vector<float> together(40 * network.position_count() * 10), alone(together.size());
    Workspace large = network.make_workspace(40, Purpose::training);
    Workspace small = network.make_workspace(3, Purpose::inference);
    network.predict(parameters, features, together, large).value();
    network.predict(parameters, features, alone, small).value();
    BOOST_TEST(together == alone);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
