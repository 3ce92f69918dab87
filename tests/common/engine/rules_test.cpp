// SPDX-License-Identifier: Apache-2.0
//
// Optimisers, schedules, losses and metrics beside independent implementations:
// tests/golden/engine_rules.json and engine_metrics.json. The scripts beside them state what is
// drawn and where the implementations' rules differ.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>

#include "common/engine/loss.hpp"
#include "common/engine/metrics.hpp"
#include "common/engine/optimizer.hpp"
#include "tests/common/engine/golden.hpp"

namespace entente::engine {
namespace {

double greatest_difference(std::span<const double> expected, auto&& seen) {
  BOOST_TEST_REQUIRE(expected.size() == seen.size());
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double apart = std::abs(expected[i] - static_cast<double>(seen[i]));
    if (!(apart <= worst)) worst = apart;
  }
  return worst;
}

constexpr std::size_t first_tensor = 25, second_tensor = 15, step_count = 12;

OptimizerSpec with(OptimizerSpec spec, Clipping clipping) {
  spec.clipping = clipping;
  return spec;
}
OptimizerSpec with(OptimizerSpec spec, WeightDecay decay) {
  spec.decay = decay;
  return spec;
}
OptimizerSpec with(OptimizerSpec spec, Schedule schedule) {
  spec.schedule = schedule;
  return spec;
}

std::map<std::string, OptimizerSpec> optimizers() {
  using Clip = Clipping::Kind;
  using Decay = WeightDecay::Kind;
  const auto rmsprop = [](double momentum, bool centred) {
    return RmsProp{0.01, 0.9, momentum, 1e-30, centred};
  };
  return {{"sgd", Sgd{0.1}},
          {"momentum", Sgd{0.1, 0.9}},
          {"nesterov", Sgd{0.1, 0.9, true}},
          {"sgd l2", with(Sgd{0.1, 0.5}, WeightDecay{Decay::l2, 0.1})},
          {"sgd clipped by value", with(Sgd{0.1}, Clipping{Clip::value, 0.5})},
          {"sgd clipped by norms", with(Sgd{0.1}, Clipping{Clip::norm, 2})},
          {"adam clipped by global norm", with(Adam{0.02}, Clipping{Clip::global_norm, 2})},
          {"adam", Adam{0.02}},
          {"adam other betas", Adam{0.02, 0.8, 0.95}},
          {"adamw", with(Adam{0.02}, WeightDecay{Decay::decoupled, 0.1})},
          {"adagrad", Adagrad{0.05}},
          {"rmsprop", rmsprop(0, false)},
          {"rmsprop momentum", rmsprop(0.8, false)},
          {"rmsprop centred", rmsprop(0, true)},
          {"rmsprop centred momentum", rmsprop(0.8, true)},
          {"steps", with(Sgd{0.1}, Schedule{StepDecay{5, 0.3}})},
          {"cosine", with(Sgd{0.1}, Schedule{CosineDecay{step_count, 0.2}})},
          {"warm-up", with(Adam{0.02}, Schedule{ConstantRate{}, 4})}};
}

template <class S>
std::vector<S> run(const OptimizerSpec& spec, Isa isa) {
  const auto layout =
      tensor::ParameterLayout::make({{"a", {first_tensor}}, {"b", {second_tensor}}}).value();
  auto optimizer = BasicOptimizer<S>::make(spec, layout, isa).value();
  Generator random(11);
  const auto drawn = random.units(first_tensor + second_tensor);
  std::vector<S> parameters(drawn.begin(), drawn.end());
  for (std::size_t step = 0; step < step_count; ++step) {
    const auto values = random.units(parameters.size());
    const std::vector<S> gradient(values.begin(), values.end());
    optimizer.step(gradient, parameters);
  }
  return parameters;
}

constexpr std::size_t rows = 7, outputs = 4;

std::map<std::string, LossSpec> losses() {
  const std::vector<double> weights{0.5, 2, 1, 3};
  return {{"categorical", CategoricalCrossEntropy{}},
          {"categorical smoothed", CategoricalCrossEntropy{0.1, {}}},
          {"categorical weighted", CategoricalCrossEntropy{0, weights}},
          {"categorical smoothed weighted", CategoricalCrossEntropy{0.2, weights}},
          {"binary", BinaryCrossEntropy{}},
          {"binary smoothed weighted", BinaryCrossEntropy{0.1, {0.5, 3}}},
          {"squared error", SquaredError{}},
          {"absolute error", AbsoluteError{}},
          {"huber", Huber{0.7}},
          {"quantile", Quantile{0.9}}};
}

std::vector<double> four_times(std::vector<double> values) {
  for (double& value : values) value *= 4;
  return values;
}

// The inputs of tests/golden/engine_metrics.py.
struct Predictions {
  static constexpr std::size_t rows = 200, classes = 5;
  Predictions() {
    Generator random(21);
    for (std::size_t row = 0; row < rows; ++row)
      labels.push_back(random.below(classes) % (classes - 1));
    for (std::size_t row = 0; row < rows; ++row) {
      std::vector<std::uint32_t> parts;
      for (std::uint32_t c = 0; c < classes; ++c) parts.push_back(1 + 5 * random.below(140) + c);
      std::uint32_t rest = 4096;
      for (const std::uint32_t part : parts) rest -= part;
      parts[random.below(classes)] += rest;
      for (const std::uint32_t part : parts)
        probabilities.push_back(static_cast<float>(part) / 4096.0F);
    }
    for (std::size_t row = 0; row < rows; ++row)
      scores.push_back(static_cast<float>(random.below(32)) / 32.0F);
    for (std::size_t row = 0; row < rows; ++row) positive.push_back(random.below(2));
    for (const double value : random.units(rows)) values.push_back(static_cast<float>(value));
    for (const double value : random.units(rows)) targets.push_back(static_cast<float>(value));
  }
  std::vector<std::uint32_t> labels, positive;
  std::vector<float> probabilities, scores, values, targets;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(golden_rules)

BOOST_AUTO_TEST_CASE(twelve_steps_of_each_optimiser_lead_where_an_independent_one_does) {
  const json::value document = golden_file("engine_rules.json");
  const auto known = optimizers();
  BOOST_TEST(document.at("optimizers").as_object().size() == known.size());
  for (const auto& [name, spec] : known) {
    const auto expected = numbers(document.at("optimizers").at(name));
    const double apart = greatest_difference(expected, run<double>(spec, Isa::generic));
    BOOST_TEST(apart < 1e-14, name << ": " << apart);
    for (const Isa isa : supported_isas()) {
      const double apart32 = greatest_difference(expected, run<float>(spec, isa));
      BOOST_TEST(apart32 < 2e-6, name << " on " << to_string(isa) << ": " << apart32);
    }
  }
}

BOOST_AUTO_TEST_CASE(each_loss_and_its_gradient_are_those_of_an_independent_implementation) {
  const json::value document = golden_file("engine_rules.json");
  const auto known = losses();
  BOOST_TEST(document.at("losses").as_object().size() == known.size());
  Generator random(12);
  const auto drawn = four_times(random.units(rows * outputs));
  std::vector<std::uint32_t> labels;
  for (std::size_t row = 0; row < rows; ++row) labels.push_back(random.below(outputs));
  const auto targets = four_times(random.units(rows * outputs));
  std::vector<double> above(targets.size());
  std::ranges::transform(targets, above.begin(), [](double x) { return x > 0 ? 1.0 : 0.0; });
  for (const auto& [name, spec] : known) {
    const json::value& entry = document.at("losses").at(name);
    const auto loss = Loss64::make(spec, outputs, Isa::generic).value();
    Targets64 to;
    if (taken_by(spec) == LossInput::softmax_logits) to.labels = labels;
    if (taken_by(spec) == LossInput::sigmoid_logits) to.values = above;
    if (taken_by(spec) == LossInput::predictions) to.values = targets;
    std::vector<double> gradient(drawn.size()), of_rows(rows);
    const double seen = loss.mean_and_gradient(drawn, to, {}, gradient, of_rows).value();
    BOOST_TEST(std::abs(seen - entry.at("loss").to_number<double>()) < 1e-14, name);
    const double apart = greatest_difference(numbers(entry.at("gradient")), gradient);
    BOOST_TEST(apart < 1e-15, name << ": " << apart);
  }
}

BOOST_AUTO_TEST_CASE(each_metric_is_that_of_an_independent_implementation) {
  const json::value document = golden_file("engine_metrics.json");
  const auto expected = [&](const std::string& name) {
    return document.at(name).to_number<double>();
  };
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-13; };
  const Predictions of;
  ClassificationMetrics metrics;
  metrics.add(of.probabilities, of.labels, of.classes);
  BOOST_TEST(near(metrics.accuracy(), expected("accuracy")));
  BOOST_TEST(near(metrics.mean_loss(), expected("log-loss")));
  BOOST_TEST(near(metrics.perplexity(), expected("perplexity")));
  TopK two{2};
  two.add(of.probabilities, of.labels, of.classes);
  BOOST_TEST(near(two.accuracy(), expected("top 2")));
  ConfusionMatrix matrix(of.classes);
  matrix.add(of.probabilities, of.labels);
  BOOST_TEST(greatest_difference(numbers(document.at("confusion")), matrix.counts()) == 0);
  const auto precision = numbers(document.at("precision")), recall = numbers(document.at("recall")),
             f1 = numbers(document.at("f1")), macro = numbers(document.at("macro"));
  // Where scikit-learn's are 0 by its zero_division, ours are nothing: the last class has no rows.
  for (std::size_t c = 0; c < of.classes; ++c) {
    BOOST_TEST(near(matrix.precision(c).value_or(0), precision[c]));
    BOOST_TEST(near(matrix.recall(c).value_or(0), recall[c]));
    BOOST_TEST(near(matrix.f1(c).value_or(0), f1[c]));
  }
  BOOST_TEST(!matrix.recall(of.classes - 1).has_value());
  BOOST_TEST_REQUIRE(matrix.macro().has_value());
  BOOST_TEST(near(matrix.macro()->precision, macro[0]));
  BOOST_TEST(near(matrix.macro()->recall, macro[1]));
  BOOST_TEST(near(matrix.macro()->f1, macro[2]));
  RankedScores ranked;
  ranked.add(of.scores, of.positive);
  BOOST_TEST(near(ranked.roc_auc().value(), expected("roc auc")));
  BOOST_TEST(near(ranked.average_precision().value(), expected("average precision")));
  RegressionMetrics regression;
  regression.add(of.values, of.targets);
  BOOST_TEST(near(regression.rmse().value(), expected("rmse")));
  BOOST_TEST(near(regression.mae().value(), expected("mae")));
  BOOST_TEST(near(regression.r2().value(), expected("r2")));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
