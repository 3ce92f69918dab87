// SPDX-License-Identifier: Apache-2.0
#include "bench/engine_models.hpp"

#include <utility>

namespace entente::bench {
namespace {

using namespace entente::engine;

LayerSpec dense(std::string name, std::uint64_t units, Activation activation) {
  Dense layer;
  layer.units = units;
  layer.activation = activation;
  return {std::move(name), layer};
}

LayerSpec convolution(std::string name, std::uint64_t filters, std::uint64_t size) {
  Conv2D layer;
  layer.filters = filters;
  layer.kernel_size = {size, size};
  layer.padding = Padding::same;
  layer.activation = Activation::relu;
  return {std::move(name), layer};
}

LayerSpec pool(std::string name) {
  return {std::move(name), MaxPooling2D{}};
}

LayerSpec embedding(std::uint64_t vocabulary, std::uint64_t size) {
  Embedding layer;
  layer.vocabulary = vocabulary;
  layer.size = size;
  return {"tokens", layer};
}

LayerSpec lstm(std::string name, std::uint64_t units, bool sequences) {
  Recurrent layer;
  layer.units = units;
  layer.return_sequences = sequences;
  return {std::move(name), layer};
}

GraphSpec chain(Shape input, std::vector<LayerSpec> layers) {
  return {{InputSpec{"input", std::move(input)}}, std::move(layers)};
}

double taps(double pixels, double size, double from, double to) {
  return pixels * size * size * from * to;
}

BenchModel mlp() {
  BenchModel model{"mlp", "MLP 784-200-200-10, SGD", {}, Sgd{1e-4, 0, false}, {10, 50, 256}};
  model.graph = chain({784}, {dense("a", 200, Activation::relu), dense("b", 200, Activation::relu),
                              dense("c", 10, Activation::softmax)});
  model.first_layer = 784.0 * 200;
  model.multiply_adds = model.first_layer + 200 * 200 + 200 * 10;
  return model;
}

BenchModel cnn() {
  BenchModel model{"cnn", "CNN 5x5 32-64, fc 512, SGD", {}, Sgd{1e-4, 0, false}, {10, 50, 256}};
  model.graph = chain({28, 28, 1}, {convolution("a", 32, 5),
                                    pool("p"),
                                    convolution("b", 64, 5),
                                    pool("q"),
                                    {"flat", Flatten{}},
                                    dense("c", 512, Activation::relu),
                                    dense("d", 10, Activation::softmax)});
  model.first_layer = taps(784, 5, 1, 32);
  model.multiply_adds = model.first_layer + taps(196, 5, 32, 64) + 3136.0 * 512 + 5120;
  return model;
}

BenchModel cnn_4() {
  BenchModel model{"cnn4", "CNN 3x3 32-32-64-64, fc 512, SGD", {}, Sgd{1e-4, 0, false}, {32, 128}};
  model.graph = chain({32, 32, 3}, {convolution("a", 32, 3),
                                    convolution("b", 32, 3),
                                    pool("p"),
                                    convolution("c", 64, 3),
                                    convolution("d", 64, 3),
                                    pool("q"),
                                    {"flat", Flatten{}},
                                    dense("e", 512, Activation::relu),
                                    dense("f", 10, Activation::softmax)});
  model.first_layer = taps(1024, 3, 3, 32);
  model.multiply_adds = model.first_layer + taps(1024, 3, 32, 32) + taps(256, 3, 32, 64) +
                        taps(256, 3, 64, 64) + 4096.0 * 512 + 5120;
  return model;
}

double lstm_adds(double steps, double inputs, double units) {
  return steps * 4 * units * (inputs + units);
}

BenchModel text_lstm() {
  BenchModel model{
      "text_lstm", "text: 2 x LSTM(128), Dense 64 and 10 a step, Adam", {}, Adam{1e-4}, {32}};
  model.vocabulary = 10'000;
  model.graph =
      chain({80}, {embedding(model.vocabulary, 128), lstm("a", 128, true), lstm("b", 128, true),
                   dense("c", 64, Activation::relu), dense("d", 10, Activation::softmax)});
  model.multiply_adds = 2 * lstm_adds(80, 128, 128) + 80.0 * (128 * 64 + 64 * 10);
  return model;
}

BenchModel char_lstm() {
  BenchModel model{
      "char_lstm", "characters: 2 x LSTM(256), Dense 90, SGD", {}, Sgd{1e-4, 0, false}, {10, 64}};
  model.vocabulary = 90;
  model.graph = chain({80}, {embedding(model.vocabulary, 8), lstm("a", 256, true),
                             lstm("b", 256, false), dense("c", 90, Activation::softmax)});
  model.multiply_adds = lstm_adds(80, 8, 256) + lstm_adds(80, 256, 256) + 256 * 90;
  return model;
}

void add_gpt_block(const std::string& name, std::uint64_t heads, std::uint64_t size,
                   std::string& from, GraphSpec& graph) {
  const auto add = [&](const std::string& part, LayerKind kind, std::vector<std::string> inputs) {
    graph.layers.push_back({name + part, std::move(kind), std::move(inputs)});
    return name + part;
  };
  MultiHeadAttention attention;
  attention.heads = heads;
  attention.key_size = size / heads;
  attention.causal = true;
  Dense wide, narrow;
  wide.units = 4 * size;
  wide.activation = Activation::gelu;
  narrow.units = size;
  const std::string first = add("norm", LayerNormalization{}, {from});
  const std::string seen = add("attention", attention, {first, first});
  const std::string middle = add("add", Add{}, {from, seen});
  const std::string second = add("norm2", LayerNormalization{}, {middle});
  const std::string widened = add("wide", wide, {second});
  const std::string narrowed = add("narrow", narrow, {widened});
  from = add("add2", Add{}, {middle, narrowed});
}

BenchModel gpt() {
  constexpr double size = 256, length = 128, layers = 4, vocabulary = 96;
  OptimizerSpec adam_w = Adam{1e-4};
  adam_w.decay.rate = 0.01;
  BenchModel model{"gpt", "GPT: d 256, 4 heads, 4 layers, context 128, AdamW", {}, adam_w, {16}};
  model.vocabulary = 96;
  PositionEmbedding positions;
  positions.steps = 128;
  positions.adds = true;
  model.graph = chain({128}, {embedding(model.vocabulary, 256), {"positions", positions}});
  std::string from = "positions";
  for (const char* name : {"a_", "b_", "c_", "d_"}) add_gpt_block(name, 4, 256, from, model.graph);
  model.graph.layers.push_back({"norm", LayerNormalization{}, {from}});
  model.graph.layers.push_back(dense("head", 96, Activation::softmax));
  // Of the attention's products only what a step may look at.
  const double looks = length * (length + 1) / 2 * 2 * size;
  model.multiply_adds = layers * (length * 12 * size * size + looks) + length * size * vocabulary;
  return model;
}

}  // namespace

BenchModel large_model() {
  OptimizerSpec adam_w = Adam{1e-4};
  adam_w.decay.rate = 0.01;
  BenchModel model{"gpt2", "GPT-2 small, context 256, AdamW", {}, adam_w, {1}};
  model.vocabulary = 50'257;
  PositionEmbedding positions;
  positions.steps = 256;
  positions.adds = true;
  model.graph = chain({256}, {embedding(model.vocabulary, 768), {"positions", positions}});
  std::string from = "positions";
  for (int i = 0; i < 12; ++i)
    add_gpt_block("block" + std::to_string(i) + "_", 12, 768, from, model.graph);
  model.graph.layers.push_back({"norm", LayerNormalization{}, {from}});
  model.graph.layers.push_back(dense("head", model.vocabulary, Activation::softmax));
  return model;
}

std::vector<BenchModel> bench_models() {
  return {mlp(), cnn(), cnn_4(), text_lstm(), char_lstm(), gpt()};
}

}  // namespace entente::bench
