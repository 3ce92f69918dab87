// SPDX-License-Identifier: Apache-2.0
//
// Less memory: activations computed again give the same bits, batches in parts the same gradient.
#include <boost/test/unit_test.hpp>

#include "tests/common/engine/checks.hpp"

namespace entente::engine {
namespace {

struct Example {
  std::string what;
  GraphSpec graph;
};

GraphSpec deep_decoder(std::size_t blocks) {
  GraphSpec graph = decoder();
  const std::vector<LayerSpec> block(graph.layers.begin() + 3, graph.layers.begin() + 10);
  const LayerSpec norm = graph.layers[10], head = graph.layers[11];
  graph.layers.resize(3);
  std::string before = "drop";
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::string suffix = std::to_string(b);
    for (LayerSpec layer : block) {
      if (layer.inputs.empty() && layer.name == "n1") layer.inputs = {before};
      for (std::string& input : layer.inputs) {
        if (input == "drop") input = before;
        if (input != before) input += suffix;
      }
      layer.name += suffix;
      graph.layers.push_back(layer);
    }
    before = "x2" + suffix;
  }
  graph.layers.push_back(norm);
  graph.layers.back().name = "last";
  graph.layers.push_back(head);
  return graph;
}

std::vector<Example> examples() {
  GraphSpec deep = graph_of({40}, {});
  for (int i = 0; i < 12; ++i)
    deep.layers.push_back(dense("d" + std::to_string(i), 40, Activation::relu));
  deep.layers.push_back(dense("out", 10, Activation::softmax));
  return {{"mlp", graph_of({784}, mlp_layers())},
          {"deep mlp", deep},
          {"cnn", graph_of({12, 12, 1}, cnn_layers())},
          {"residual", residual_network()},
          {"tagger", tagger()},
          {"decoder", deep_decoder(4)}};
}

struct Step {
  double loss = 0;
  std::vector<float> gradient;
};

template <class S>
struct Random {
  std::vector<S> parameters, features;
  std::vector<std::uint32_t> labels;
  Random(const GraphSpec& graph, const Network& network, std::size_t rows) {
    for (const double value : random_parameters(network, 1))
      parameters.push_back(static_cast<S>(0.3 * value));
    for (const double value : random_features(graph, rows, 2))
      features.push_back(static_cast<S>(value));
    labels = random_labels(rows * network.position_count(), network.output_count(), 3);
    if (network.position_count() > 1) labels[5] = labels[6] = no_label;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(saving_memory)

BOOST_AUTO_TEST_CASE(activations_computed_again_give_the_same_bits) {
  constexpr std::size_t rows = 37;
  for (const Example& example : examples()) {
    const Network network = Network::compile(example.graph).value();
    const Random<float> random(example.graph, network, rows);
    Workspace all = network.make_workspace(rows, Purpose::training);
    Workspace less = network.make_workspace(rows, Purpose::training, {true, false});
    for (const std::size_t count : {rows, std::size_t{5}, rows}) {  // what was there before is gone
      const Batch batch{std::span(random.features).first(count * network.input_count()),
                        std::span(random.labels).first(count * network.position_count()), 8};
      std::vector<float> expected(random.parameters.size()), seen(expected.size());
      const double loss =
          network.loss_and_gradient(random.parameters, batch, expected, all).value();
      BOOST_TEST(network.loss_and_gradient(random.parameters, batch, seen, less).value() == loss,
                 example.what);
      BOOST_TEST((seen == expected), example.what);
      auto state = random.parameters, state_less = random.parameters;
      network.write_state(state, all);
      network.write_state(state_less, less);
      BOOST_TEST((state == state_less), example.what);
    }
  }
}

BOOST_AUTO_TEST_CASE(deep_networks_take_a_fraction_of_the_memory) {
  for (const auto& [layers, fraction] : {std::pair{8U, 0.6}, std::pair{32U, 0.35}}) {
    const Network network = Network::compile(deep_decoder(layers)).value();
    const auto all = static_cast<double>(network.workspace_bytes(16, Purpose::training));
    const auto less =
        static_cast<double>(network.workspace_bytes(16, Purpose::training, {true, false}));
    BOOST_TEST(less < fraction * all, layers << " blocks: " << less / all);
  }
}

BOOST_AUTO_TEST_CASE(a_batch_in_parts_has_the_gradient_of_the_whole) {
  constexpr std::size_t rows = 23;
  for (const Example& example : examples()) {
    if (example.what == "residual") continue;  // the statistics are the parts'
    const Network network = Network::compile(example.graph).value();
    const Random<double> random(example.graph, network, rows);
    const Batch64 batch{random.features, random.labels, 8};
    std::vector<double> expected(random.parameters.size()), seen(expected.size());
    Workspace64 whole = network.make_workspace64(rows, Purpose::training);
    const double loss =
        network.loss_and_gradient(random.parameters, batch, expected, whole).value();
    for (const std::size_t together : {1U, 8U, 22U}) {
      for (const bool recompute : {false, true}) {
        Workspace64 parts =
            network.make_workspace64(together, Purpose::training, {recompute, true});
        const double seen_loss =
            network.loss_and_gradient(random.parameters, batch, seen, parts).value();
        BOOST_TEST(seen_loss == loss, boost::test_tools::tolerance(1e-13));
        BOOST_TEST(greatest_difference(expected, seen) < 1e-12, example.what);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_batch_beyond_a_workspace_without_parts_is_refused) {
  const Network network = network_of({784}, mlp_layers());
  const std::vector<float> features(3 * 784), parameters(network.parameter_count());
  std::vector<float> gradient(parameters.size());
  Workspace workspace = network.make_workspace(2, Purpose::training);
  const auto loss = network.loss_and_gradient(
      parameters, {features, std::vector<std::uint32_t>{1, 2, 3}}, gradient, workspace);
  BOOST_TEST(loss.error().detail == "the batch has 3 targets; expected 1 to 2");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
