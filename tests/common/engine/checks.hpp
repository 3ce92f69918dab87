// SPDX-License-Identifier: Apache-2.0
//
// What every layer is held to: its forward against the plain twin, in float64 and on each
// instruction set in float32, and its backward against differences of the loss.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "tests/common/engine/networks.hpp"
#include "tests/common/engine/twin.hpp"

namespace entente::engine {

inline GraphSpec graph_of(Shape input, std::vector<LayerSpec> layers) {
  return {{{"input", std::move(input)}}, std::move(layers)};
}

// Random parameters on [-1, 1); variances positive.
inline std::vector<double> random_parameters(const Network& network, std::uint64_t seed) {
  auto parameters = random_values<double>(network.parameter_count(), seed);
  for (const auto& tensor : network.layout().tensors()) {
    if (tensor.name.find("variance") == std::string::npos) continue;
    for (std::uint64_t i = 0; i < tensor.count; ++i)
      parameters[tensor.offset + i] = 1.5 + parameters[tensor.offset + i];
  }
  return parameters;
}

// Random features: tokens where an Embedding reads an input (one in three is 0), else on [-1, 1).
inline std::vector<double> random_features(const GraphSpec& graph, std::size_t rows,
                                           std::uint64_t seed) {
  Random random(seed, 7);
  std::vector<double> features;
  for (std::size_t row = 0; row < rows; ++row) {
    for (const InputSpec& input : graph.inputs) {
      std::uint64_t vocabulary = 0;
      for (std::size_t i = 0; i < graph.layers.size(); ++i) {
        const auto* table = std::get_if<Embedding>(&graph.layers[i].kind);
        if (table == nullptr) continue;
        const auto& named = graph.layers[i].inputs;
        const std::string& from = named.empty() ? graph.inputs.front().name : named.front();
        if (from == input.name) vocabulary = table->vocabulary;
      }
      for (std::uint64_t i = 0; i < element_count(input.shape); ++i) {
        const double token =
            random.chance(1.0 / 3.0)
                ? 0
                : static_cast<double>(random.below(std::max<std::uint64_t>(vocabulary, 1)));
        features.push_back(vocabulary > 0 ? token : 2.0 * random.uniform() - 1.0);
      }
    }
  }
  return features;
}

inline double greatest_difference(std::span<const double> expected, auto&& seen) {
  BOOST_TEST_REQUIRE(expected.size() == seen.size());
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double apart = std::abs(expected[i] - static_cast<double>(seen[i]));
    if (!(apart <= worst)) worst = apart;
  }
  return worst;
}

inline void check_against_twin(const GraphSpec& graph, std::size_t rows, std::uint64_t seed,
                               const std::string& what, double tolerance32 = 1e-5) {
  const Network network = Network::compile(graph).value();
  const auto parameters = random_parameters(network, seed);
  const auto features = random_features(graph, rows, seed);
  Twin twin(graph, network.layout(), parameters);
  const std::vector<double> expected = twin.run(features, rows, false);
  Workspace64 workspace64 = network.make_workspace64(2, Purpose::inference);
  std::vector<double> seen(expected.size());
  network.predict(parameters, features, seen, workspace64).value();
  const double apart = greatest_difference(expected, seen);
  BOOST_TEST(apart < 1e-12, what << ": " << apart);
  const std::vector<float> parameters32(parameters.begin(), parameters.end());
  const std::vector<float> features32(features.begin(), features.end());
  for (const Isa isa : supported_isas()) {
    const Network of_isa = Network::compile(graph, isa).value();
    Workspace workspace = of_isa.make_workspace(3, Purpose::inference);
    std::vector<float> seen32(expected.size());
    of_isa.predict(parameters32, features32, seen32, workspace).value();
    const double apart32 = greatest_difference(expected, seen32);
    BOOST_TEST(apart32 < tolerance32, what << " on " << to_string(isa) << ": " << apart32);
  }
  const auto labels = random_labels(rows * network.position_count(), network.output_count(), seed);
  const double expected_loss =
      twin.loss(twin.run(features, rows, true), labels, network.output_count());
  Workspace64 training = network.make_workspace64(rows, Purpose::training);
  std::vector<double> gradient(parameters.size());
  const double loss =
      network.loss_and_gradient(parameters, Batch64{features, labels}, gradient, training).value();
  BOOST_TEST(std::abs(loss - expected_loss) < 1e-11 * std::max(1.0, expected_loss),
             what << ": loss " << loss << ", expected " << expected_loss);
}

// The largest relative difference between the gradient and a five-point difference quotient, over
// all parameters but state. Where a relu or a maximum changes sides between the points, their inner
// and outer pairs disagree and there is no derivative to compare with: such parameters are left
// out, and must be few.
inline double worst_gradient(const GraphSpec& graph, std::size_t rows, std::uint64_t seed,
                             double scale = 1) {
  const Threads one(1);  // a loop over threads costs more than these networks
  const Network network = Network::compile(graph).value();
  const auto features = random_features(graph, rows, seed);
  auto labels = random_labels(rows * network.position_count(), network.output_count(), seed);
  if (labels.size() > 2 && network.position_count() > 1) labels[1] = no_label;
  const Batch64 batch{features, labels, seed};
  auto parameters = random_parameters(network, seed + 1);
  for (double& parameter : parameters) parameter *= scale;
  std::vector<double> gradient(parameters.size(), 7.0), ignored(parameters.size());
  Workspace64 workspace = network.make_workspace64(rows, Purpose::training);
  network.loss_and_gradient(parameters, batch, gradient, workspace).value();
  const auto loss_at = [&](double& parameter, double value) {
    const double before = std::exchange(parameter, value);
    const double loss = network.loss_and_gradient(parameters, batch, ignored, workspace).value();
    parameter = before;
    return loss;
  };
  constexpr double h = 1e-4;
  double worst = 0;
  std::size_t left_out = 0;
  for (const auto& tensor : network.layout().tensors()) {
    for (std::uint64_t i = tensor.offset; i < tensor.offset + tensor.count; ++i) {
      double& p = parameters[i];
      const double near = (loss_at(p, p + h) - loss_at(p, p - h)) / (2 * h);
      const double far = (loss_at(p, p + 2 * h) - loss_at(p, p - 2 * h)) / (4 * h);
      if (std::abs(near - far) > 1e-5) {
        ++left_out;
        continue;
      }
      const double numeric = (4 * near - far) / 3;
      // What is zero by structure is compared with the size of gradients here.
      const double size = std::max({std::abs(numeric), std::abs(gradient[i]), 1e-4});
      const double apart = std::abs(numeric - gradient[i]) / size;
      if (!(apart <= worst)) {
        worst = apart;
        BOOST_TEST_MESSAGE(tensor.name << "[" << i - tensor.offset << "]: " << gradient[i]
                                       << " but by differences " << numeric);
      }
    }
  }
  BOOST_TEST(left_out * 5 <= parameters.size());
  return worst;
}

inline void check(const GraphSpec& graph, std::size_t rows, std::uint64_t seed,
                  const std::string& what) {
  check_against_twin(graph, rows, seed, what);
  const double worst = worst_gradient(graph, rows, seed);
  BOOST_TEST(worst < 1e-6, what << ": gradient " << worst);
}

}  // namespace entente::engine
