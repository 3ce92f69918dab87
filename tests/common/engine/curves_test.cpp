// SPDX-License-Identifier: Apache-2.0
//
// Two hundred training steps beside an independent implementation's, from the same weights and
// batches: tests/golden/engine_curves.json. The script beside it states how both draw them.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <map>

#include "common/engine/network.hpp"
#include "common/engine/optimizer.hpp"
#include "tests/common/engine/checks.hpp"
#include "tests/common/engine/golden.hpp"

namespace entente::engine {
namespace {

struct Data {
  std::vector<double> features, numbers;
  std::vector<std::uint32_t> labels;
};
using Draw = std::function<Data(Generator& random, std::size_t rows)>;

Draw rows_of(std::size_t values, std::uint32_t classes) {
  return [=](Generator& random, std::size_t rows) {
    Data data;
    for (std::size_t i = 0; i < rows * values; ++i) data.features.push_back(random.unit());
    for (std::size_t i = 0; i < rows; ++i) data.labels.push_back(random.below(classes));
    return data;
  };
}

Draw numbers_of(std::size_t values, std::size_t targets) {
  return [=](Generator& random, std::size_t rows) {
    Data data;
    data.features = random.units(rows * values);
    data.numbers = random.units(rows * targets);
    return data;
  };
}

Draw sums(std::size_t steps, std::uint32_t vocabulary, std::uint32_t classes) {
  return [=](Generator& random, std::size_t rows) {
    Data data;
    for (std::size_t row = 0; row < rows; ++row) {
      std::uint32_t before = 0;
      for (std::size_t step = 0; step < steps; ++step) {
        const std::uint32_t token = random.below(vocabulary);
        data.features.push_back(token);
        data.labels.push_back((token + before) % classes);
        before = token;
      }
    }
    return data;
  };
}

Draw next_tokens(std::size_t steps, std::uint32_t vocabulary) {
  return [=](Generator& random, std::size_t rows) {
    Data data;
    for (std::size_t row = 0; row < rows; ++row) {
      std::uint32_t token = random.below(vocabulary);
      for (std::size_t step = 0; step < steps; ++step) {
        data.features.push_back(token);
        token = (3 * token + 1 + random.below(2)) % vocabulary;
        data.labels.push_back(token);
      }
    }
    return data;
  };
}

GraphSpec mlp() {
  return graph_of({10}, {dense("a", 16, Activation::relu), dense("b", 16, Activation::relu),
                         dense("head", 4, Activation::softmax)});
}

GraphSpec regression_of_two() {
  return graph_of({6}, {dense("a", 12, Activation::tanh), dense("b", 2)});
}

GraphSpec cnn() {
  const auto pool = [](const std::string& name) { return layer(name, MaxPooling2D{}); };
  return graph_of(
      {8, 8, 2},
      {convolution("a", 4, {3, 3}, Padding::same, {1, 1}, Activation::relu), pool("p"),
       convolution("b", 6, {3, 3}, Padding::same, {1, 1}, Activation::relu), pool("q"), flatten(),
       dense("c", 12, Activation::relu), dense("head", 4, Activation::softmax)});
}

GraphSpec resnet() {
  const auto relu = [](const std::string& name) {
    return layer(name, ActivationLayer{Activation::relu});
  };
  return graph_of(
      {6, 6, 3},
      {convolution("a", 4, {3, 3}, Padding::same), layer("na", BatchNormalization{}), relu("ra"),
       convolution("b", 4, {3, 3}, Padding::same), layer("nb", BatchNormalization{}), relu("rb"),
       convolution("c", 4, {3, 3}, Padding::same), layer("nc", BatchNormalization{}),
       layer("sum", Add{}, {"ra", "nc"}), relu("rc"), layer("mean", GlobalPooling{}),
       dense("head", 4, Activation::softmax)});
}

GraphSpec lstm() {
  Recurrent cell;
  cell.units = 8;
  cell.return_sequences = true;
  return graph_of({7}, {layer("embed", Embedding{12, 6}), layer("one", cell), layer("two", cell),
                        dense("c", 8, Activation::relu), dense("head", 4, Activation::softmax)});
}

GraphSpec gpt() {
  MultiHeadAttention attention;
  attention.heads = 2;
  attention.key_size = 4;
  attention.causal = true;
  std::vector<LayerSpec> layers{layer("embed", Embedding{11, 8}),
                                layer("place", PositionEmbedding{9, true})};
  std::string before = "place";
  for (const std::string block : {"1", "2"}) {
    layers.insert(
        layers.end(),
        {layer("na" + block, LayerNormalization{}, {before}),
         layer("attend" + block, attention, {"na" + block, "na" + block}),
         layer("x" + block, Add{}, {before, "attend" + block}),
         layer("nb" + block, LayerNormalization{}), dense("up" + block, 16, Activation::gelu),
         dense("down" + block, 8), layer("y" + block, Add{}, {"x" + block, "down" + block})});
    before = "y" + block;
  }
  layers.push_back(layer("n", LayerNormalization{}));
  layers.push_back(dense("head", 11, Activation::softmax));
  return graph_of({9}, layers);
}

struct Course {
  GraphSpec graph;
  Draw draw;
  std::size_t rows, batch;
  OptimizerSpec optimizer;
  std::uint64_t seed;
  LossSpec loss = CategoricalCrossEntropy{};
};

std::map<std::string, Course> courses() {
  OptimizerSpec adamw = Adam{0.003};
  adamw.decay = {WeightDecay::Kind::decoupled, 0.01};
  return {
      {"mlp", {mlp(), rows_of(10, 4), 48, 16, Sgd{0.05, 0.9, false}, 1}},
      {"cnn", {cnn(), rows_of(128, 4), 24, 8, Sgd{0.05, 0.5, false}, 2}},
      {"resnet", {resnet(), rows_of(108, 4), 24, 8, Sgd{0.05, 0.5, false}, 3}},
      {"lstm", {lstm(), sums(7, 12, 4), 24, 8, Adam{0.01}, 4}},
      {"gpt", {gpt(), next_tokens(9, 11), 16, 8, adamw, 5}},
      {"regression", {regression_of_two(), numbers_of(6, 2), 24, 8, Adam{0.01}, 6, Huber{0.5}}}};
}

// The loss of each of `steps` steps.
template <class S>
std::vector<double> train(const Course& course, std::size_t steps, std::optional<Isa> isa) {
  const Network network = Network::compile(course.graph, isa, course.loss).value();
  Generator random(course.seed);
  std::vector<S> parameters(network.parameter_count()), gradient(parameters.size());
  for (const auto& tensor : network.layout().tensors()) {
    const double centre = tensor.name.ends_with("/gamma") ? 1 : 0;
    for (std::uint64_t i = 0; i < tensor.count; ++i)
      parameters[tensor.offset + i] = static_cast<S>(random.unit() / 4 + centre);
  }
  const Data data = course.draw(random, course.rows);
  const std::vector<S> features(data.features.begin(), data.features.end());
  const std::vector<S> targets(data.numbers.begin(), data.numbers.end());
  const std::size_t values = network.input_count(), positions = network.position_count();
  const std::size_t outputs = network.output_count();
  const auto training = [&] {
    if constexpr (sizeof(S) == sizeof(double)) {
      return network.make_workspace64(course.batch, Purpose::training);
    } else {
      return network.make_workspace(course.batch, Purpose::training);
    }
  };
  auto workspace = training();
  auto optimizer =
      BasicOptimizer<S>::make(course.optimizer, parameters.size(), network.isa()).value();
  std::vector<double> losses;
  for (std::size_t step = 0; step < steps; ++step) {
    const std::size_t first = step * course.batch % course.rows;
    BasicBatch<S> batch{
        std::span(features).subspan(first * values, course.batch * values), {}, step, {}};
    if (!data.labels.empty())
      batch.labels = std::span(data.labels).subspan(first * positions, course.batch * positions);
    if (!targets.empty())
      batch.values = std::span(targets).subspan(first * outputs, course.batch * outputs);
    losses.push_back(
        network.loss_and_gradient(std::span<const S>(parameters), batch, gradient, workspace)
            .value());
    optimizer.step(gradient, parameters);
    network.write_state(parameters, workspace);
  }
  return losses;
}

// The greatest relative difference, and the step at which it is.
std::pair<double, std::size_t> apart(std::span<const double> expected,
                                     std::span<const double> seen) {
  std::pair<double, std::size_t> worst{0, 0};
  for (std::size_t step = 0; step < seen.size(); ++step) {
    const double here = std::abs(seen[step] / expected[step] - 1);
    if (!(here <= worst.first)) worst = {here, step};
  }
  return worst;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(training_curves)

BOOST_AUTO_TEST_CASE(in_float64_every_loss_of_200_steps_is_that_of_an_independent_implementation) {
  const Threads one(1);
  const json::value document = golden_file("engine_curves.json");
  const auto known = courses();
  BOOST_TEST(document.at("curves").as_object().size() == known.size());
  for (const auto& [name, course] : known) {
    const auto expected = numbers(document.at("curves").at(name).at("losses"));
    BOOST_TEST_REQUIRE(expected.size() == 200U);
    const auto [worst, step] = apart(expected, train<double>(course, 200, std::nullopt));
    BOOST_TEST(worst < 1e-9, name << ": " << worst << " at step " << step);
    BOOST_TEST_MESSAGE(name << ", float64: at most " << worst << ", at step " << step);
  }
}

BOOST_AUTO_TEST_CASE(in_float32_the_first_20_losses_are_close_on_each_instruction_set) {
  const json::value document = golden_file("engine_curves.json");
  for (const auto& [name, course] : courses()) {
    const auto expected = numbers(document.at("curves").at(name).at("losses"));
    for (const Isa isa : supported_isas()) {
      const auto [worst, step] = apart(expected, train<float>(course, 20, isa));
      BOOST_TEST(worst < 1e-5, name << " on " << to_string(isa) << ": " << worst << " at " << step);
      BOOST_TEST_MESSAGE(name << ", " << to_string(isa) << ": at most " << worst);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
