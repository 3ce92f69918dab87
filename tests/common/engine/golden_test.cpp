// SPDX-License-Identifier: Apache-2.0
//
// Losses and gradients as an independent implementation computes them in float64:
// tests/golden/engine_layers.json, made by the script beside it.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>

#include "common/engine/network.hpp"
#include "tests/common/engine/checks.hpp"
#include "tests/common/engine/golden.hpp"

namespace entente::engine {
namespace {

Recurrent cell(Recurrent::Cell kind, bool sequences) {
  Recurrent made;
  made.cell = kind;
  made.units = 4;
  made.return_sequences = sequences;
  return made;
}

GraphSpec convolutions() {
  DepthwiseConv2D depthwise;
  depthwise.kernel_size = {3, 3};
  depthwise.depth_multiplier = 2;
  depthwise.activation = Activation::swish;
  return graph_of({6, 6, 2}, {convolution("a", 4, {3, 3}, Padding::same, {1, 1}, Activation::relu),
                              layer("b", depthwise), layer("p", AveragePooling2D{}), flatten(),
                              dense("head", 3, Activation::softmax)});
}

GraphSpec causal() {
  Conv1D along;
  along.filters = 5;
  along.kernel_size = 3;
  along.padding = Padding::causal;
  along.activation = Activation::elu;
  return graph_of({8, 2}, {layer("a", along), layer("p", Pooling1D{}), flatten(),
                           dense("head", 3, Activation::softmax)});
}

GraphSpec norms() {
  GroupNormalization groups;
  groups.groups = 2;
  return graph_of({3, 4, 4},
                  {layer("b", BatchNormalization{}), layer("g", ActivationLayer{Activation::gelu}),
                   layer("n", groups), layer("l", LayerNormalization{}),
                   layer("r", ActivationLayer{Activation::leaky_relu, 0.2}),
                   layer("p", GlobalPooling{}), dense("head", 3, Activation::softmax)});
}

GraphSpec attention() {
  MultiHeadAttention heads;
  heads.heads = 2;
  heads.key_size = 2;
  heads.causal = true;
  return graph_of({5, 4}, {layer("a", heads, {"input", "input"}), flatten(),
                           dense("head", 3, Activation::softmax)});
}

std::map<std::string, GraphSpec> graphs() {
  using Cell = Recurrent::Cell;
  const LayerSpec head = dense("head", 3, Activation::softmax);
  return {{"lstm", graph_of({5, 3}, {layer("r", cell(Cell::lstm, false)), head})},
          {"gru", graph_of({5, 3}, {layer("r", cell(Cell::gru, true)), flatten(), head})},
          {"simple", graph_of({5, 3}, {layer("r", cell(Cell::simple, true)), flatten(), head})},
          {"attention", attention()},
          {"convolutions", convolutions()},
          {"causal", causal()},
          {"norms", norms()}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(golden_values)

BOOST_AUTO_TEST_CASE(losses_and_gradients_are_those_of_an_independent_implementation) {
  const json::value document = golden_file("engine_layers.json");
  const auto known = graphs();
  const auto& cases = document.at("cases").as_array();
  BOOST_TEST(cases.size() == known.size());
  for (const json::value& entry : cases) {
    const std::string name(entry.at("name").as_string());
    const Network network = Network::compile(known.at(name)).value();
    const auto parameters = numbers(entry.at("parameters"));
    const auto features = numbers(entry.at("features"));
    const auto expected = numbers(entry.at("gradient"));
    std::vector<std::uint32_t> labels;
    for (const double label : numbers(entry.at("labels")))
      labels.push_back(static_cast<std::uint32_t>(label));
    BOOST_TEST_REQUIRE(parameters.size() == network.parameter_count(), name);
    std::vector<double> gradient(parameters.size());
    Workspace64 workspace = network.make_workspace64(labels.size(), Purpose::training);
    const double loss =
        network.loss_and_gradient(parameters, Batch64{features, labels}, gradient, workspace)
            .value();
    BOOST_TEST(std::abs(loss - entry.at("loss").to_number<double>()) < 1e-12, name);
    BOOST_TEST(greatest_difference(expected, gradient) < 1e-12, name);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
