// SPDX-License-Identifier: Apache-2.0
//
// The plans in examples/ are right, and the small one reaches what its page says, by federated
// averaging in one process.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>
#include <string>

#include "common/data/dataset.hpp"
#include "common/engine/initial.hpp"
#include "common/engine/metrics.hpp"
#include "common/engine/network.hpp"
#include "common/engine/optimizer.hpp"
#include "common/plan/plan.hpp"
#include "tests/folders.hpp"

namespace entente::plan {
namespace {

namespace fs = std::filesystem;

const fs::path examples = tests_folder().parent_path() / "examples";

// What a participant adds to `global` by training on `rows` of `dataset` as the plan says.
std::vector<float> train(const Plan& plan, const engine::Network& network,
                         const data::Dataset& dataset, std::vector<std::uint32_t> rows,
                         std::span<const float> global, std::uint64_t seed) {
  std::vector<float> parameters(global.begin(), global.end());
  std::vector<float> gradient(parameters.size());
  const std::size_t batch_size = plan.training.batch_size;
  std::vector<float> features(batch_size * dataset.feature_count());
  std::vector<std::uint32_t> labels(batch_size);
  auto workspace = network.make_workspace(batch_size, engine::Purpose::training);
  const engine::Sgd sgd{plan.training.learning_rate, plan.training.momentum, false};
  auto optimizer = engine::Optimizer::make(sgd, parameters.size(), network.isa()).value();
  data::Batches batches(std::move(rows), batch_size, seed);
  for (std::uint32_t epoch = 0; epoch < plan.training.local_epochs; ++epoch) {
    batches.start_epoch(epoch);
    for (auto batch = batches.next(); !batch.empty(); batch = batches.next()) {
      dataset.gather(batch, {features, labels, {}});
      const engine::Batch seen{std::span(features).first(batch.size() * dataset.feature_count()),
                               std::span(labels).first(batch.size())};
      BOOST_REQUIRE(network.loss_and_gradient(parameters, seen, gradient, workspace));
      optimizer.step(gradient, parameters);
    }
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i] -= global[i];
  return parameters;
}

double accuracy(const engine::Network& network, const data::Dataset& dataset,
                std::span<const float> parameters) {
  std::vector<std::uint32_t> rows(dataset.rows());
  std::iota(rows.begin(), rows.end(), 0U);
  std::vector<float> features(rows.size() * dataset.feature_count());
  std::vector<std::uint32_t> labels(rows.size());
  dataset.gather(rows, {features, labels, {}});
  std::vector<float> probabilities(rows.size() * network.output_count());
  auto workspace = network.make_workspace(64, engine::Purpose::inference);
  BOOST_REQUIRE(network.predict(parameters, features, probabilities, workspace));
  engine::ClassificationMetrics metrics;
  metrics.add(probabilities, labels, network.output_count());
  return metrics.accuracy();
}

// The accuracy on the test rows after all rounds of the breast-cancer plan, begun from `seed`.
double federated_accuracy(const Plan& plan, std::uint64_t seed) {
  const auto network = model::compile(plan.model).value();
  const auto read = [&](const std::string& name) {
    return data::load(plan.data,
                      data::source_of(plan.data, examples / "breast-cancer" / name).value())
        .value();
  };
  std::vector<data::Dataset> parts;
  std::vector<data::Split> splits;
  double rows = 0;
  for (const std::string name : {"participant-1.csv", "participant-2.csv", "participant-3.csv"}) {
    parts.push_back(read(name));
    splits.push_back(data::split_holdout(parts.back(), plan.holdout, seed));
    rows += static_cast<double>(splits.back().training.size());
  }
  std::vector<float> global(network.parameter_count());
  engine::initial_values(network, seed, 0, global);
  for (std::uint32_t round = 0; round < plan.rules.rounds; ++round) {
    std::vector<double> sum(global.size());
    for (std::size_t part = 0; part < parts.size(); ++part) {
      const double share = static_cast<double>(splits[part].training.size()) / rows;
      const auto update = train(plan, network, parts[part], splits[part].training, global,
                                seed + 1000 * round + part);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += share * static_cast<double>(update[i]);
    }
    for (std::size_t i = 0; i < sum.size(); ++i)
      global[i] = static_cast<float>(static_cast<double>(global[i]) + sum[i]);
  }
  return accuracy(network, read("test.csv"), global);
}

BOOST_AUTO_TEST_SUITE(examples_)

BOOST_AUTO_TEST_CASE(the_breast_cancer_plan_fits_its_data) {
  const auto plan = read_plan(examples / "breast-cancer/plan.toml");
  BOOST_REQUIRE_MESSAGE(plan, plan.error().detail);
  std::size_t rows = 0;
  for (const std::string name :
       {"participant-1.csv", "participant-2.csv", "participant-3.csv", "test.csv"}) {
    const auto part = data::load(plan->data, {examples / "breast-cancer" / name, {}, {}});
    BOOST_REQUIRE_MESSAGE(part, part.error().detail);
    rows += part->rows();
  }
  BOOST_TEST(rows == 569U);
}

BOOST_AUTO_TEST_CASE(the_fashion_plan_is_right) {
  const auto plan = read_plan(examples / "fashion-mnist/plan.toml");
  BOOST_REQUIRE_MESSAGE(plan, plan.error().detail);
  BOOST_TEST(model::compile(plan->model)->parameter_count() == 156'394U);
  BOOST_TEST(plan->data.classes.size() == 10U);
}

// Not from one lucky seed.
BOOST_AUTO_TEST_CASE(the_breast_cancer_plan_reaches_95_percent_whatever_its_seed) {
  const auto plan = read_plan(examples / "breast-cancer/plan.toml");
  BOOST_REQUIRE(plan);
  for (const std::uint64_t seed :
       {plan->training.seed, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{4}}) {
    const double reached = federated_accuracy(*plan, seed);
    BOOST_TEST_MESSAGE("seed " << seed << ": " << reached);
    BOOST_TEST(reached >= 0.95);
  }
}

// The README explains the plan line by line; its lines are the plan's.
BOOST_AUTO_TEST_CASE(the_readme_shows_the_example_plan_as_it_is) {
  std::ifstream readme(examples.parent_path() / "README.md");
  std::ifstream file(examples / "breast-cancer" / "plan.toml");
  std::set<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.insert(line);
  bool inside = false;
  std::size_t shown = 0;
  for (std::string line; std::getline(readme, line);) {
    if (line.starts_with("```")) inside = line == "```toml";
    if (!inside || line.empty() || line.starts_with("```")) continue;
    line.resize(std::min(line.size(), line.find(" #")));
    line.resize(line.find_last_not_of(' ') + 1);
    BOOST_TEST(lines.contains(line), "README.md: not in the example plan: " << line);
    ++shown;
  }
  BOOST_TEST(shown > 25U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace entente::plan
