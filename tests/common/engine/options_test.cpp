// SPDX-License-Identifier: Apache-2.0
//
// Layers' options and masks beside an independent implementation's losses and gradients, in
// float64: tests/golden/engine_options.json. The script beside it states how both draw their
// inputs.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "common/engine/network.hpp"
#include "tests/common/engine/checks.hpp"
#include "tests/common/engine/golden.hpp"

namespace entente::engine {
namespace {

using Cell = Recurrent::Cell;
constexpr std::size_t rows = 4;

LayerSpec head() {
  return dense("head", 3, Activation::softmax);
}
LayerSpec curve(std::string name, Activation kind, std::vector<std::string> inputs = {}) {
  return layer(std::move(name), ActivationLayer{kind, 0.3}, std::move(inputs));
}
LayerSpec tokens(std::string name, std::uint64_t size, bool mask,
                 std::vector<std::string> inputs = {}) {
  return layer(std::move(name), Embedding{4, size, mask}, std::move(inputs));
}
LayerSpec mean() {
  return layer("mean", GlobalPooling{GlobalPooling::Kind::average, 1, false});
}
Recurrent cell_of(Cell cell, bool sequences, bool backwards = false, bool bias = true) {
  Recurrent made;
  made.cell = cell;
  made.units = 3;
  made.return_sequences = sequences;
  made.go_backwards = backwards;
  made.use_bias = bias;
  return made;
}
MultiHeadAttention attention(std::uint64_t heads, std::uint64_t size, std::uint64_t value_size) {
  MultiHeadAttention made;
  made.heads = heads;
  made.key_size = size;
  made.value_size = value_size;
  return made;
}

// In the order of the file.
using Cases = std::vector<std::pair<std::string, GraphSpec>>;

void add_windows(Cases& cases) {
  const Shape image{7, 6, 2};
  Conv2D bare{3, {3, 2}, {2, 1}};
  bare.activation = Activation::relu;
  bare.use_bias = false;
  cases.emplace_back(
      "strided",
      graph_of(image, {layer("a", bare),
                       convolution("b", 4, {2, 3}, Padding::same, {2, 3}, Activation::tanh),
                       flatten(), head()}));
  const LayerSpec first = convolution("a", 3, {3, 3}, Padding::same);
  cases.emplace_back(
      "maxima", graph_of(image, {first, layer("b", MaxPooling2D{{3, 3}, {2, 2}, Padding::same}),
                                 layer("c", MaxPooling2D{{2, 2}, {1, 2}, Padding::valid}),
                                 flatten(), head()}));
  cases.emplace_back(
      "averages",
      graph_of(image, {first, layer("b", AveragePooling2D{{3, 1}, {2, 2}, Padding::same}),
                       flatten(), head()}));
  Conv1D along{4, 3, 2, Padding::same, Activation::relu, false}, next{3, 2};
  cases.emplace_back(
      "along",
      graph_of({9, 2}, {layer("a", along), layer("b", next),
                        layer("c", Pooling1D{Pooling1D::Kind::average, 2, 2, Padding::same}),
                        flatten(), head()}));
  DepthwiseConv2D one{{3, 2}, {1, 1}, Padding::same}, two{{2, 2}, {2, 1}, Padding::valid, 2};
  one.use_bias = false;
  cases.emplace_back("depthwise",
                     graph_of(image, {convolution("a", 3, {2, 2}, Padding::same), layer("b", one),
                                      layer("c", two), flatten(), head()}));
  cases.emplace_back(
      "maximum of all",
      graph_of(image, {convolution("a", 5, {2, 2}, Padding::valid),
                       layer("b", GlobalPooling{GlobalPooling::Kind::max}), head()}));
}

void add_rows(Cases& cases) {
  Dense bare;
  bare.units = 6;
  bare.use_bias = false;
  bare.activation = Activation::sigmoid;
  cases.emplace_back("rows",
                     graph_of({6}, {layer("a", bare), layer("m", Multiply{}, {"a", "input"}),
                                    layer("s", Add{}, {"m", "a"}), layer("r", Reshape{{2, 3}}),
                                    layer("p", Permute{{2, 1}}), flatten(),
                                    layer("c", Concatenate{}, {"flatten", "input"}), head()}));
  BatchNormalization shifted, scaled;
  shifted.epsilon = 1e-2;
  shifted.scale = scaled.center = false;
  GroupNormalization each;
  each.groups = 0;
  each.center = each.scale = false;
  LayerNormalization wide, low;
  wide.epsilon = 1e-2;
  wide.center = low.scale = false;
  cases.emplace_back(
      "norm options",
      graph_of({3, 3, 4}, {layer("a", shifted), curve("b", Activation::tanh), layer("c", scaled),
                           curve("d", Activation::tanh), layer("e", each),
                           curve("f", Activation::tanh), layer("g", wide),
                           curve("h", Activation::tanh), layer("i", low), flatten(), head()}));
  std::vector<LayerSpec> curves{dense("a", 9)};
  std::vector<std::string> names;
  for (const Activation kind : {Activation::elu, Activation::leaky_relu, Activation::tanh,
                                Activation::sigmoid, Activation::softmax, Activation::gelu,
                                Activation::swish, Activation::relu, Activation::linear}) {
    names.push_back("c" + std::to_string(names.size()));
    curves.push_back(curve(names.back(), kind, {"a"}));
  }
  curves.push_back(layer("all", Concatenate{}, names));
  curves.push_back(head());
  cases.emplace_back("curves", graph_of({5}, curves));
}

void add_sequences(Cases& cases) {
  const std::vector<std::pair<std::string, Cell>> cells{
      {"simple", Cell::simple}, {"lstm", Cell::lstm}, {"gru", Cell::gru}};
  for (const auto& [name, cell] : cells) {
    cases.emplace_back(name + " masked backwards",
                       graph_of({6}, {tokens("e", 3, true), layer("r", cell_of(cell, true, true)),
                                      flatten(), head()}));
  }
  for (const auto& [name, cell] : cells) {
    cases.emplace_back(name + " last of masked",
                       graph_of({6}, {tokens("e", 3, true),
                                      layer("r", cell_of(cell, false, true, false)), head()}));
  }
  using Merge = Bidirectional::Merge;
  const auto both = [](const Recurrent& of, Merge merge, bool mask) {
    return graph_of(
        {6}, {tokens("e", 2, mask), layer("b", Bidirectional{of, merge}), flatten(), head()});
  };
  cases.emplace_back("both concatenated",
                     both(cell_of(Cell::lstm, true), Merge::concatenate, true));
  cases.emplace_back("both added", both(cell_of(Cell::gru, true), Merge::sum, true));
  cases.emplace_back("both multiplied", both(cell_of(Cell::simple, true), Merge::multiply, true));
  cases.emplace_back("both averaged",
                     both(cell_of(Cell::lstm, false, false, false), Merge::average, false));
}

void add_attention(Cases& cases) {
  cases.emplace_back(
      "attention masked",
      graph_of({5}, {tokens("e", 4, true), layer("a", attention(2, 3, 2), {"e", "e"}),
                     layer("s", Add{}, {"e", "a"}), mean(), head()}));
  MultiHeadAttention causal = attention(2, 2, 2);
  causal.causal = true;
  cases.emplace_back(
      "attention causal masked",
      graph_of({5}, {tokens("e", 4, true), layer("a", causal, {"e", "e"}), mean(), head()}));
  MultiHeadAttention across = attention(3, 2, 2);
  across.outputs = 5;
  across.use_bias = false;
  cases.emplace_back("attention across",
                     GraphSpec{{{"words", {4}}, {"others", {3, 3}}},
                               {tokens("k", 4, true, {"words"}), tokens("v", 2, true, {"words"}),
                                layer("a", across, {"others", "v", "k"}), mean(), head()}});
  cases.emplace_back("tagger", graph_of({6}, {tokens("e", 3, true),
                                              layer("r", cell_of(Cell::lstm, true)), head()}));
  cases.emplace_back("tables", GraphSpec{{{"numbers", {3}}, {"pair", {2}}},
                                         {tokens("e", 3, false, {"pair"}), layer("f", Flatten{}),
                                          layer("c", Concatenate{}, {"numbers", "f"}), head()}});
  cases.emplace_back("positions",
                     graph_of({4, 3}, {dense("d", 2), layer("p", PositionEmbedding{6, false}),
                                       layer("s", Add{}, {"d", "p"}),
                                       layer("q", PositionEmbedding{4, true}), flatten(), head()}));
}

Cases all_cases() {
  Cases cases;
  add_windows(cases);
  add_rows(cases);
  add_sequences(cases);
  add_attention(cases);
  return cases;
}

bool reads_tokens(const GraphSpec& graph, const InputSpec& input) {
  return std::ranges::any_of(graph.layers, [&](const LayerSpec& of) {
    const auto* table = std::get_if<Embedding>(&of.kind);
    return table != nullptr &&
           (of.inputs.empty() ? &input == &graph.inputs.front() : of.inputs[0] == input.name);
  });
}

std::vector<double> draw_features(const GraphSpec& graph, Generator& random) {
  std::vector<double> features;
  for (std::size_t row = 0; row < rows; ++row) {
    for (const InputSpec& input : graph.inputs) {
      const bool words = reads_tokens(graph, input);
      for (std::uint64_t i = 0; i < element_count(input.shape); ++i)
        features.push_back(words ? random.below(4) : random.unit());
    }
  }
  return features;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(golden_options)

BOOST_AUTO_TEST_CASE(each_option_and_mask_does_what_an_independent_implementation_does) {
  const Threads one(1);
  const json::value document = golden_file("engine_options.json");
  const auto cases = all_cases();
  BOOST_TEST(document.at("cases").as_object().size() == cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto& [name, graph] = cases[i];
    const json::value& expected = document.at("cases").at(name);
    const Network network = Network::compile(graph).value();
    BOOST_TEST_REQUIRE(network.parameter_count() == expected.at("parameters").to_number<double>(),
                       name);
    Generator random(100 + i);
    std::vector<double> parameters = random.units(network.parameter_count());
    for (double& value : parameters) value /= 2;
    for (const auto& tensor : network.layout().tensors()) {
      if (!tensor.name.ends_with("/gamma")) continue;
      for (std::uint64_t k = 0; k < tensor.count; ++k) parameters[tensor.offset + k] += 1;
    }
    const auto features = draw_features(graph, random);
    std::vector<std::uint32_t> labels(rows * network.position_count());
    for (std::uint32_t& label : labels) label = random.below(3);
    std::vector<double> gradient(parameters.size());
    Workspace64 workspace = network.make_workspace64(rows, Purpose::training);
    const double loss =
        network.loss_and_gradient(parameters, Batch64{features, labels}, gradient, workspace)
            .value();
    BOOST_TEST(std::abs(loss - expected.at("loss").to_number<double>()) < 1e-12, name);
    for (const double product : numbers(expected.at("products"))) {
      double seen = 0;
      for (const double g : gradient) seen += g * random.unit();
      BOOST_TEST(std::abs(seen - product) < 1e-11, name << ": " << seen << " for " << product);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
