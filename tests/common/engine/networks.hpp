// SPDX-License-Identifier: Apache-2.0
//
// Small networks and repeatable random data for the engine's tests.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/parallel.hpp"
#include "common/base/random.hpp"
#include "common/engine/network.hpp"

namespace entente::engine {

// Sanitizers make arithmetic up to a hundred times slower: some tests do less there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

// While it lives, loops use that many threads.
struct Threads {
  explicit Threads(std::size_t count) { set_thread_count(count); }
  ~Threads() { set_thread_count(0); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
};

inline LayerSpec dense(std::string name, std::uint64_t units,
                       Activation activation = Activation::linear) {
  Dense layer;
  layer.units = units;
  layer.activation = activation;
  return {std::move(name), layer};
}

inline LayerSpec convolution(std::string name, std::uint64_t filters,
                             std::array<std::uint64_t, 2> kernel_size, Padding padding,
                             std::array<std::uint64_t, 2> strides = {1, 1},
                             Activation activation = Activation::linear) {
  Conv2D layer;
  layer.filters = filters;
  layer.kernel_size = kernel_size;
  layer.padding = padding;
  layer.strides = strides;
  layer.activation = activation;
  return {std::move(name), layer};
}

inline LayerSpec pooling(std::array<std::uint64_t, 2> size, std::array<std::uint64_t, 2> strides,
                         Padding padding) {
  return {"pool", MaxPooling2D{size, strides, padding}};
}

inline LayerSpec flatten() {
  return {"flatten", Flatten{}};
}
inline LayerSpec activation(Activation kind) {
  return {"activation", ActivationLayer{kind}};
}

inline std::vector<LayerSpec> mlp_layers() {
  return {dense("first", 200, Activation::relu), dense("second", 200, Activation::relu),
          dense("third", 10, Activation::softmax)};
}

inline std::vector<LayerSpec> cnn_layers() {
  return {convolution("one", 16, {3, 3}, Padding::same, {1, 1}, Activation::relu),
          pooling({2, 2}, {2, 2}, Padding::valid),
          convolution("two", 32, {3, 3}, Padding::same, {1, 1}, Activation::relu),
          pooling({2, 2}, {2, 2}, Padding::valid),
          flatten(),
          dense("three", 64, Activation::relu),
          dense("four", 10, Activation::softmax)};
}

// A layer of its own inputs; without any it reads the one before it.
inline LayerSpec layer(std::string name, LayerKind kind, std::vector<std::string> inputs = {}) {
  return {std::move(name), std::move(kind), std::move(inputs)};
}

// Tokens to one class for each step.
inline GraphSpec tagger() {
  Recurrent lstm;
  lstm.units = 24;
  lstm.return_sequences = true;
  return {{{"words", {12}}},
          {layer("embed", Embedding{40, 16, true}), layer("one", lstm), layer("two", lstm),
           dense("three", 16, Activation::relu), dense("four", 10, Activation::softmax)}};
}

// A decoder of one block, causal, with dropout.
inline GraphSpec decoder() {
  MultiHeadAttention attention;
  attention.heads = 4;
  attention.key_size = 8;
  attention.causal = true;
  return {{{"words", {30}}},
          {layer("embed", Embedding{40, 32}), layer("place", PositionEmbedding{30, true}),
           layer("drop", Dropout{0.1}), layer("n1", LayerNormalization{}),
           layer("attend", attention, {"n1", "n1"}), layer("x1", Add{}, {"drop", "attend"}),
           layer("n2", LayerNormalization{}), dense("up", 64, Activation::gelu), dense("down", 32),
           layer("x2", Add{}, {"x1", "down"}), layer("n3", LayerNormalization{}),
           dense("out", 10, Activation::softmax)}};
}

// A residual block with batch normalisation.
inline GraphSpec residual_network() {
  return {{{"image", {12, 12, 3}}},
          {convolution("a", 8, {3, 3}, Padding::same), layer("n1", BatchNormalization{}),
           layer("r1", ActivationLayer{Activation::relu}),
           convolution("b", 8, {3, 3}, Padding::same), layer("n2", BatchNormalization{}),
           layer("x", Add{}, {"r1", "n2"}), layer("r2", ActivationLayer{Activation::relu}),
           layer("pool", GlobalPooling{GlobalPooling::Kind::average, 2, false}),
           dense("out", 10, Activation::softmax)}};
}

// The models that people bring, small: what a whole training is tested with. Those that
// have classes have ten.

inline GraphSpec mlp_model() {
  return {{{"row", {40}}}, mlp_layers()};
}
inline GraphSpec cnn_model() {
  return {{{"image", {12, 12, 1}}}, cnn_layers()};
}

// Four convolutions in pairs, as for small photographs.
inline GraphSpec four_convolutions() {
  const auto convolve = [](std::string name, std::uint64_t filters) {
    return convolution(std::move(name), filters, {3, 3}, Padding::same, {1, 1}, Activation::relu);
  };
  return {{{"image", {12, 12, 3}}},
          {convolve("a", 8), convolve("b", 8), layer("p", MaxPooling2D{}), convolve("c", 16),
           convolve("d", 16), layer("q", MaxPooling2D{}), flatten(),
           dense("e", 48, Activation::relu), dense("out", 10, Activation::softmax)}};
}

// Characters to the one that comes next.
inline GraphSpec character_network() {
  Recurrent first;
  first.units = 24;
  first.return_sequences = true;
  Recurrent last = first;
  last.return_sequences = false;
  return {{{"characters", {14}}},
          {layer("embed", Embedding{30, 8}), layer("one", first), layer("two", last),
           dense("out", 10, Activation::softmax)}};
}

// Numbers and three categories.
inline GraphSpec table_network() {
  GraphSpec graph{{{"numbers", {6}}}, {}};
  std::vector<std::string> parts{"numbers"};
  for (const std::string name : {"a", "b", "c"}) {
    graph.inputs.push_back({name, {1}});
    graph.layers.push_back(layer("table_" + name, Embedding{9, 4}, {name}));
    graph.layers.push_back(layer("row_" + name, Flatten{}));
    parts.push_back("row_" + name);
  }
  graph.layers.push_back(layer("joined", Concatenate{}, parts));
  graph.layers.push_back(dense("one", 32, Activation::relu));
  graph.layers.push_back(dense("two", 24, Activation::relu));
  graph.layers.push_back(dense("out", 10, Activation::softmax));
  return graph;
}

// The same inputs to one number.
inline GraphSpec regression() {
  GraphSpec graph = table_network();
  graph.layers.back() = dense("out", 1);
  return graph;
}

struct ExampleModel {
  std::string name;
  GraphSpec graph;
  LossSpec loss = CategoricalCrossEntropy{};
  bool has_classes() const { return std::holds_alternative<CategoricalCrossEntropy>(loss); }
};
inline std::vector<ExampleModel> example_models() {
  return {{"MLP", mlp_model()},
          {"CNN", cnn_model()},
          {"four convolutions", four_convolutions()},
          {"residual network", residual_network()},
          {"tagger", tagger()},
          {"character network", character_network()},
          {"decoder", decoder()},
          {"table network", table_network()},
          {"regression", regression(), SquaredError{}},
          {"regression of a quantile", regression(), Quantile{0.9}}};
}

inline Network network_of(const Shape& input, const std::vector<LayerSpec>& layers,
                          std::optional<Isa> isa = std::nullopt) {
  return Network::compile(input, layers, isa).value();
}

// Uniform on [-1, 1).
template <class S>
std::vector<S> random_values(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<S> values(count);
  for (S& value : values) value = static_cast<S>(2.0 * random.uniform() - 1.0);
  return values;
}

inline std::vector<std::uint32_t> random_labels(std::size_t count, std::size_t classes,
                                                std::uint64_t seed) {
  Random random(seed, 1);
  std::vector<std::uint32_t> labels(count);
  for (std::uint32_t& label : labels) label = static_cast<std::uint32_t>(random.below(classes));
  return labels;
}

}  // namespace entente::engine
