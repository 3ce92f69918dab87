// SPDX-License-Identifier: Apache-2.0
//
// Whole trainings of the models that people bring.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <thread>

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
Trained train(const ExampleModel& of, std::optional<Isa> isa, std::size_t steps,
              const OptimizerSpec& by) {
  const Network network = Network::compile(of.graph, isa, of.loss).value();
  const std::size_t positions = network.position_count(), values = network.input_count();
  const std::vector<double> random = random_features(of.graph, 60, 3);
  const std::vector<float> features(random.begin(), random.end());
  auto labels = random_labels(60 * positions, 10, 3);
  if (positions == values) {
    for (std::size_t i = 0; i < labels.size(); ++i)
      labels[i] = static_cast<std::uint32_t>(features[i]) % 10;
  }
  const auto numbers = random_values<float>(60, 4);
  Trained trained;
  trained.parameters.resize(network.parameter_count());
  initial_values(network, 5, 0, trained.parameters);
  std::vector<float> gradient(trained.parameters.size());
  Workspace workspace = network.make_workspace(33, Purpose::training);
  Optimizer optimizer = Optimizer::make(by, gradient.size(), network.isa()).value();
  for (std::size_t step = 0; step < steps; ++step) {
    const std::size_t rows = step % 3 == 0 ? 33 : (step % 3 == 1 ? 7 : 1);
    const std::size_t first = step * 5 % (61 - rows);
    Batch batch{std::span(features).subspan(first * values, rows * values), {}, step, {}};
    if (of.has_classes()) {
      batch.labels = std::span(labels).subspan(first * positions, rows * positions);
    } else {
      batch.values = std::span(numbers).subspan(first, rows);
    }
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
  const std::vector<OptimizerSpec> optimizers{Sgd{0.05, 0.9, false}, Adam{0.01}};
  std::size_t turn = 0;
  for (const ExampleModel& of : example_models()) {
    const OptimizerSpec& by = optimizers[turn++ % 2];
    for (const Isa isa : isas) {
      const auto on_threads = [&](std::size_t count) {
        const Threads threads(count);
        return train(of, isa, 4, by);
      };
      const Trained one = on_threads(1);
      for (const std::size_t count : {1U, 2U, 3U, 8U}) {
        BOOST_TEST((on_threads(count) == one),
                   of.name << ", " << to_string(isa) << ", " << count << " threads");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(instruction_sets_agree_closely_over_a_training) {
  for (const ExampleModel& of : example_models()) {
    const Trained first = train(of, Isa::generic, 4, Sgd{0.05, 0.9, false});
    for (const Isa isa : supported_isas()) {
      const Trained other = train(of, isa, 4, Sgd{0.05, 0.9, false});
      const double apart = worst_difference(other.parameters, first.parameters);
      BOOST_TEST(apart < 2e-5, of.name << " on " << to_string(isa) << ": " << apart);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_tagger_and_a_decoder_learn_what_each_word_is) {
  for (GraphSpec graph : {tagger(), decoder()}) {
    // Keras' own begin so small that plain gradient descent takes long to leave them.
    std::get<Embedding>(graph.layers[0].kind).initializer = {Initializer::Kind::uniform, -1, 1,
                                                             Initializer::Fan::average};
    const Trained trained =
        train({"", graph}, std::nullopt, sanitized ? 10 : 300, Sgd{0.2, 0.9, false});
    BOOST_TEST(trained.losses.front() > 2.0);
    if (!sanitized) BOOST_TEST(trained.losses[297] < 0.1);
  }
}

// Predictions of 21 random rows.
struct Predicting {
  explicit Predicting(const ExampleModel& of)
      : network(Network::compile(of.graph, std::nullopt, of.loss).value()),
        parameters(network.parameter_count()) {
    initial_values(network, 1, 0, parameters);
    const std::vector<double> random = random_features(of.graph, rows, 1);
    features.assign(random.begin(), random.end());
  }
  // `at_once` rows in a call, by a workspace for `rows_max`.
  std::vector<float> run(std::size_t at_once, std::size_t rows_max, Purpose purpose) const {
    const std::size_t values = network.input_count();
    const std::size_t results = network.position_count() * network.output_count();
    std::vector<float> probabilities(rows * results);
    Workspace workspace = network.make_workspace(rows_max, purpose);
    for (std::size_t row = 0; row < rows; row += at_once) {
      network
          .predict(parameters, std::span(features).subspan(row * values, at_once * values),
                   std::span(probabilities).subspan(row * results, at_once * results), workspace)
          .value();
    }
    return probabilities;
  }
  static constexpr std::size_t rows = 21;
  Network network;
  std::vector<float> parameters, features;
};

// All rows at once, in parts and one by one, in a training's workspace and in one for prediction
// alone.
BOOST_AUTO_TEST_CASE(a_prediction_depends_on_nothing_but_its_row) {
  for (const ExampleModel& of : example_models()) {
    const Predicting model(of);
    const auto together = model.run(21, 21, Purpose::training);
    BOOST_TEST((model.run(21, 21, Purpose::inference) == together), of.name);
    BOOST_TEST((model.run(21, 4, Purpose::inference) == together), of.name);
    BOOST_TEST((model.run(7, 7, Purpose::inference) == together), of.name);
    BOOST_TEST((model.run(1, 1, Purpose::inference) == together), of.name);
    BOOST_TEST((model.run(1, 21, Purpose::training) == together), of.name);
  }
}

BOOST_AUTO_TEST_CASE(several_threads_predict_at_once_on_one_set_of_weights) {
  for (const ExampleModel& of : example_models()) {
    const Predicting model(of);
    const auto expected = model.run(21, 21, Purpose::inference);
    std::vector<std::vector<float>> seen(4);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      threads.emplace_back([&, i] {
        for (std::size_t turn = 0; turn < 3; ++turn)
          seen[i] = model.run(i % 2 == 0 ? 21 : 3, 5, Purpose::inference);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& of_thread : seen) BOOST_TEST((of_thread == expected), of.name);
  }
}

// Dropout and the batch's statistics are for training alone, and training, of whichever parameters,
// leaves no trace.
BOOST_AUTO_TEST_CASE(a_prediction_is_the_same_before_and_after_a_step_in_its_workspace) {
  for (const ExampleModel& of : example_models()) {
    const Predicting model(of);
    const auto expected = model.run(21, 21, Purpose::inference);
    const std::size_t positions = model.network.position_count();
    const auto labels = random_labels(of.has_classes() ? 21 * positions : 0, 10, 1);
    const auto numbers = random_values<float>(of.has_classes() ? 0 : 21, 1);
    std::vector<float> gradient(model.parameters.size()), seen(expected.size());
    Workspace workspace = model.network.make_workspace(21, Purpose::training);
    auto others = model.parameters;  // of the step before
    for (float& value : others) value *= 0.5F;
    model.network
        .loss_and_gradient(others, {model.features, labels, 3, numbers}, gradient, workspace)
        .value();
    model.network.predict(model.parameters, model.features, seen, workspace).value();
    BOOST_TEST((seen == expected), of.name);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
