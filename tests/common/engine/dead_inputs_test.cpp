// SPDX-License-Identifier: Apache-2.0
//
// Inputs at the edges: one row, one step, nothing that counts, nothing at all, numbers that are
// none, classes that do not occur, and numbers too small for float32.
#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "common/base/parallel.hpp"
#include "common/engine/initial.hpp"
#include "common/engine/metrics.hpp"
#include "common/engine/network.hpp"
#include "common/engine/optimizer.hpp"
#include "tests/common/engine/checks.hpp"

namespace entente::engine {
namespace {

// A model with its weights and room for `rows` rows.
struct Model {
  explicit Model(const GraphSpec& graph, std::size_t rows = 6)
      : Model(ExampleModel{"", graph}, rows) {}
  explicit Model(const ExampleModel& of, std::size_t rows = 6)
      : network(Network::compile(of.graph, std::nullopt, of.loss).value()),
        parameters(network.parameter_count()),
        gradient(parameters.size(), 7.0F),
        workspace(network.make_workspace(rows, Purpose::training)) {
    initial_values(network, 3, 0, parameters);
    const auto random = random_features(of.graph, rows, 3);
    features.assign(random.begin(), random.end());
    const std::size_t targets = rows * network.position_count();
    if (of.has_classes()) labels = random_labels(targets, network.output_count(), 3);
    if (!of.has_classes()) numbers = random_values<float>(targets, 3);
  }
  Result<double> step(std::size_t rows) {
    const std::size_t targets = rows * network.position_count();
    Batch batch{std::span(features).first(rows * network.input_count()), {}, 1, {}};
    if (!labels.empty()) batch.labels = std::span(labels).first(targets);
    if (!numbers.empty()) batch.values = std::span(numbers).first(targets);
    return network.loss_and_gradient(parameters, batch, gradient, workspace);
  }
  bool gradient_is_finite() const {
    return std::ranges::all_of(gradient, [](float g) { return std::isfinite(g); });
  }
  Network network;
  std::vector<float> parameters, gradient, features, numbers;
  std::vector<std::uint32_t> labels;
  Workspace workspace;
};

// The text models on sequences of one step.
std::vector<std::pair<std::string, GraphSpec>> one_step_models() {
  std::vector<std::pair<std::string, GraphSpec>> models{
      {"tagger", tagger()}, {"character network", character_network()}, {"decoder", decoder()}};
  for (auto& [name, graph] : models) {
    graph.inputs.front().shape = {1};
    for (LayerSpec& of : graph.layers) {
      if (auto* place = std::get_if<PositionEmbedding>(&of.kind)) place->steps = 1;
    }
  }
  return models;
}

bool is_subnormal_here() {
  volatile float small = std::numeric_limits<float>::min();
  volatile const float smaller = small / 4;
  return std::fpclassify(smaller) == FP_SUBNORMAL;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(dead_inputs)

BOOST_AUTO_TEST_CASE(a_batch_of_one_trains_every_example_model) {
  for (const ExampleModel& of : example_models()) {
    Model model(of);
    const auto loss = model.step(1);
    BOOST_TEST_REQUIRE(loss.has_value(), of.name);
    BOOST_TEST(std::isfinite(*loss), of.name);
    BOOST_TEST(model.gradient_is_finite(), of.name);
  }
}

// With one value for each channel there is no variance: what is normalised is 0, and so is the
// gradient by what it was.
BOOST_AUTO_TEST_CASE(batch_normalisation_of_one_row_gives_its_shift) {
  Model model(graph_of({3}, {layer("n", BatchNormalization{}), dense("d", 2, Activation::softmax)}),
              1);
  BOOST_TEST(std::abs(model.step(1).value() - std::log(2.0)) < 1e-6);
  BOOST_TEST(model.gradient_is_finite());
  model.network.write_state(model.parameters, model.workspace);
  const auto& variance = model.network.layout().tensors()[3];
  BOOST_TEST(variance.name == "n/moving_variance");
  BOOST_TEST(model.parameters[variance.offset] == 0.99F, boost::test_tools::tolerance(1e-6F));
}

BOOST_AUTO_TEST_CASE(sequences_of_one_step_train_and_have_the_right_gradient) {
  for (const auto& [name, graph] : one_step_models()) {
    Model model(graph);
    BOOST_TEST(std::isfinite(model.step(6).value()), name);
    BOOST_TEST(std::isfinite(model.step(1).value()), name);
    BOOST_TEST(model.gradient_is_finite(), name);
    if (sanitized) continue;
    const double worst = worst_gradient(graph, 2, 9);
    BOOST_TEST(worst < 1e-6, name << ": " << worst);
  }
}

BOOST_AUTO_TEST_CASE(where_every_step_is_masked_there_is_no_loss_and_no_gradient) {
  Model model(tagger());
  std::ranges::fill(model.features, 0.0F);
  BOOST_TEST(model.step(6).value() == 0.0);
  BOOST_TEST(std::ranges::count(model.gradient, 0.0F) == std::ssize(model.gradient));
}

// A row of nothing but padding among others, before each kind of layer that knows masks.
BOOST_AUTO_TEST_CASE(a_row_that_is_masked_as_a_whole_gives_finite_numbers_and_changes_no_other) {
  MultiHeadAttention attention;
  attention.heads = 2;
  attention.key_size = 3;
  Recurrent last;
  last.units = 4;
  Recurrent all = last;
  all.return_sequences = true;
  const GlobalPooling mean{GlobalPooling::Kind::average, 1, false};
  const LayerSpec embed = layer("e", Embedding{8, 4, true}),
                  out = dense("o", 3, Activation::softmax);
  for (const GraphSpec& graph :
       {graph_of({5}, {embed, layer("a", attention, {"e", "e"}), layer("m", mean), out}),
        graph_of({5}, {embed, layer("r", last), out}),
        graph_of({5}, {embed, layer("b", Bidirectional{all}), flatten(), out}),
        graph_of({5}, {embed, layer("b", Bidirectional{last}), out})}) {
    Model model(graph);
    std::vector<float> before(6 * 3), after(6 * 3);
    model.network.predict(model.parameters, model.features, before, model.workspace).value();
    std::fill_n(model.features.begin() + 10, 5, 0.0F);
    model.network.predict(model.parameters, model.features, after, model.workspace).value();
    for (std::size_t i = 0; i < after.size(); ++i)
      BOOST_TEST((i / 3 == 2 ? std::isfinite(after[i]) : after[i] == before[i]));
    BOOST_TEST(std::isfinite(model.step(6).value()));
    BOOST_TEST(model.gradient_is_finite());
  }
}

BOOST_AUTO_TEST_CASE(shapes_and_sizes_of_zero_are_refused) {
  const auto refused = [](const GraphSpec& graph) { return Network::compile(graph).has_error(); };
  const LayerSpec out = dense("o", 3, Activation::softmax);
  BOOST_TEST(refused(graph_of({0}, {out})));
  BOOST_TEST(refused(graph_of({}, {out})));
  BOOST_TEST(refused(graph_of({4, 0, 3}, {flatten(), out})));
  BOOST_TEST(refused(graph_of({4}, {})));
  BOOST_TEST(refused({{}, {out}}));
  BOOST_TEST(refused(graph_of({4}, {dense("d", 0), out})));
  BOOST_TEST(refused(graph_of({4}, {layer("e", Embedding{0, 3}), flatten(), out})));
  BOOST_TEST(refused(graph_of({4}, {layer("e", Embedding{3, 0}), flatten(), out})));
  BOOST_TEST(refused(graph_of({4, 2}, {layer("r", Recurrent{}), out})));
  BOOST_TEST(
      refused(graph_of({4, 2}, {layer("a", MultiHeadAttention{}, {"input", "input"}), out})));
  BOOST_TEST(refused(graph_of({4, 4, 1}, {convolution("c", 0, {3, 3}, Padding::same), out})));
  BOOST_TEST(refused(graph_of({4, 4, 1}, {convolution("c", 2, {0, 3}, Padding::same), out})));
  BOOST_TEST(
      refused(graph_of({4, 4, 1}, {convolution("c", 2, {3, 3}, Padding::same, {0, 1}), out})));
  BOOST_TEST(refused(graph_of({4, 4, 1}, {pooling({0, 2}, {2, 2}, Padding::valid), out})));
  BOOST_TEST(refused(graph_of({2, 2, 1}, {convolution("c", 2, {3, 3}, Padding::valid), out})));
}

BOOST_AUTO_TEST_CASE(a_batch_or_a_prediction_of_no_rows) {
  Model model(mlp_model());
  const auto trained = model.step(0);
  BOOST_TEST_REQUIRE(!trained.has_value());
  BOOST_TEST(trained.error().detail == "the batch has 0 targets; expected 1 to 6");
  BOOST_TEST(model.network.predict(model.parameters, {}, {}, model.workspace).has_value());
}

BOOST_AUTO_TEST_CASE(numbers_that_are_none_are_named_by_row_and_value_in_every_example_model) {
  for (const ExampleModel& of : example_models()) {
    for (const float value :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
      Model model(of);
      const std::size_t values = model.network.input_count();
      model.features[4 * values + values - 1] = value;
      const std::string place = "row 4, value " + std::to_string(values - 1) + " (both from 0)";
      const auto trained = model.step(6);
      std::vector<float> probabilities(6 * model.network.position_count() *
                                       model.network.output_count());
      const auto predicted =
          model.network.predict(model.parameters, model.features, probabilities, model.workspace);
      BOOST_TEST_REQUIRE(!trained.has_value(), of.name);
      BOOST_TEST_REQUIRE(!predicted.has_value(), of.name);
      BOOST_TEST(trained.error().detail.find(place) != std::string::npos,
                 of.name << ": " << trained.error().detail);
      BOOST_TEST(predicted.error().detail.find(place) != std::string::npos, of.name);
      BOOST_TEST(model.step(4).has_value(), of.name);  // the rows before it are fine
    }
  }
}

BOOST_AUTO_TEST_CASE(a_label_that_is_no_class_is_named_in_every_example_model) {
  for (const ExampleModel& of : example_models()) {
    if (!of.has_classes()) continue;
    Model model(of);
    model.labels[5 * model.network.position_count()] = 10;
    const auto trained = model.step(6);
    BOOST_TEST_REQUIRE(!trained.has_value(), of.name);
    BOOST_TEST(trained.error().detail.find("label 10") == 0U, trained.error().detail);
    BOOST_TEST(trained.error().detail.find("expected 0 to 9") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_number_that_is_none_among_the_targets_is_named) {
  Model model(ExampleModel{"", regression(), SquaredError{}});
  model.numbers[4] = std::numeric_limits<float>::quiet_NaN();
  const auto trained = model.step(6);
  BOOST_TEST_REQUIRE(!trained.has_value());
  BOOST_TEST(trained.error().detail ==
             "the target of row 4 (from 0) has nan; expected a finite number");
}

// Its logit only falls; metrics have nothing to say of it.
BOOST_AUTO_TEST_CASE(a_class_that_no_row_has_is_learnt_to_be_unlikely_and_has_no_figures) {
  Model model(graph_of({4}, {dense("d", 3, Activation::softmax)}));
  for (std::uint32_t& label : model.labels) label %= 2;
  Optimizer optimizer =
      Optimizer::make(Sgd{0.5}, model.parameters.size(), model.network.isa()).value();
  for (int i = 0; i < 200; ++i) {
    model.step(6).value();
    optimizer.step(model.gradient, model.parameters);
  }
  std::vector<float> probabilities(18);
  model.network.predict(model.parameters, model.features, probabilities, model.workspace).value();
  ConfusionMatrix matrix(3);
  RankedScores ranked;
  matrix.add(probabilities, model.labels);
  ranked.add(probabilities, model.labels, 3, 2);
  for (std::size_t row = 0; row < 6; ++row) BOOST_TEST(probabilities[row * 3 + 2] < 0.1F);
  BOOST_TEST(!matrix.recall(2).has_value());
  BOOST_TEST(!ranked.roc_auc().has_value());
  BOOST_TEST(!ranked.average_precision().has_value());
}

// Every thread that worked has its own way with small numbers back.
BOOST_AUTO_TEST_CASE(denormals_are_themselves_again_on_every_thread_after_a_step_and_a_prediction) {
  const Threads threads(4);
  Model model(cnn_model(), 40);
  std::vector<float> probabilities(40 * 10);
  Optimizer optimizer =
      Optimizer::make(Sgd{0.1, 0.9}, model.parameters.size(), model.network.isa()).value();
  model.step(40).value();
  BOOST_TEST(is_subnormal_here());
  optimizer.step(model.gradient, model.parameters);
  BOOST_TEST(is_subnormal_here());
  model.network.predict(model.parameters, model.features, probabilities, model.workspace).value();
  BOOST_TEST(is_subnormal_here());
  std::atomic<std::size_t> kept = 0;
  parallel_for(64, [&](std::size_t) { kept += is_subnormal_here() ? 1 : 0; });
  BOOST_TEST(kept == 64U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
