// SPDX-License-Identifier: Apache-2.0
#include "participant/training/training.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>
#include <vector>

#include "common/base/parallel.hpp"
#include "common/crypto/hash.hpp"
#include "common/engine/initial.hpp"
#include "common/model/model.hpp"
#include "tests/folders.hpp"

namespace entente::participant::training {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) BOOST_FAIL(result.error().detail);
  return std::move(*result);
}

const std::filesystem::path example = tests_folder().parent_path() / "examples" / "breast-cancer";

// The example's first part, its plan and a fresh model.
struct Example {
  plan::Plan plan = must(plan::read_plan(example / "plan.toml"));
  engine::Network network = must(plan::compile(plan));
  data::Dataset dataset = must(data::load(plan.data, source()));
  std::string name = "alice";
  std::vector<float> global = initial();

  ~Example() { set_thread_count(0); }

  static data::Source source() {
    data::Source source;
    source.table = example / "participant-1.csv";
    return source;
  }
  std::vector<float> initial() const {
    std::vector<float> values(network.parameter_count());
    engine::initial_values(network, 1, 0, values);
    return values;
  }
  Setting setting() const { return {plan, network, dataset, name}; }
  Outcome trained(std::uint64_t round = 1) const { return must(train(setting(), round, global)); }
};

Digest bits(const Outcome& outcome) {
  return crypto::sha256(std::as_bytes(outcome.update.values()));
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(participant_training, Example)

BOOST_AUTO_TEST_CASE(the_same_round_trained_again_gives_the_same_bits_on_any_number_of_threads) {
  set_thread_count(1);
  const Outcome once = trained();
  for (const std::size_t threads : {1, 2, 3, 8}) {
    set_thread_count(threads);
    const Outcome again = trained();
    BOOST_TEST((bits(again) == bits(once)), threads << " threads");
    BOOST_TEST(again.loss == once.loss);
    BOOST_TEST(again.norm == once.norm);
  }
}

BOOST_AUTO_TEST_CASE(round_name_and_seed_each_make_another_update) {
  std::set<Digest> seen{bits(trained(1)), bits(trained(2))};
  name = "bob";
  seen.insert(bits(trained(1)));
  name = "alice";
  plan.training.seed += 1;
  seen.insert(bits(trained(1)));
  BOOST_TEST(seen.size() == 4u);
}

BOOST_AUTO_TEST_CASE(the_seed_depends_on_plan_seed_round_and_name_and_nothing_else) {
  const std::uint64_t seed = training_seed(plan, 1, "alice");
  BOOST_TEST(training_seed(plan, 1, "alice") == seed);
  BOOST_TEST(training_seed(plan, 2, "alice") != seed);
  BOOST_TEST(training_seed(plan, 1, "alicf") != seed);
  plan::Plan other = plan;
  other.training.seed += 1;
  BOOST_TEST(training_seed(other, 1, "alice") != seed);
  other = plan;
  other.digest.bytes[0] ^= std::byte{1};
  BOOST_TEST(training_seed(other, 1, "alice") != seed);
}

BOOST_AUTO_TEST_CASE(the_update_is_the_difference_that_training_made_and_its_norm_is_told) {
  const Outcome outcome = trained();
  BOOST_TEST(outcome.examples == split_rows(setting()).training.size());
  double squares = 0;
  for (const float value : outcome.update.values()) squares += double(value) * double(value);
  BOOST_TEST(outcome.norm == std::sqrt(squares), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(outcome.norm > 0);

  // Applied to the global model it classifies better than that.
  const data::Split split = split_rows(setting());
  std::vector<float> after(global);
  for (std::size_t i = 0; i < after.size(); ++i) after[i] += outcome.update.values()[i];
  const Figures before = must(evaluate(setting(), split.training, global));
  const Figures trained_figures = must(evaluate(setting(), split.training, after));
  BOOST_TEST(trained_figures.metrics.at("accuracy") > 0.9);
  BOOST_TEST(trained_figures.metrics.at("loss") < before.metrics.at("loss"));
}

// The optimiser's momentum does not survive a round.
BOOST_AUTO_TEST_CASE(a_round_does_not_depend_on_the_rounds_before_it) {
  const Digest alone = bits(trained(5));
  trained(4);
  BOOST_TEST((bits(trained(5)) == alone));
}

// Should: go on where the optimiser stood. Should not: differ when the round is trained again.
BOOST_AUTO_TEST_CASE(a_plan_that_keeps_the_optimisers_state_goes_on_with_it) {
  plan.training.optimizer = "adam";
  BOOST_TEST(!trained(1).optimizer.has_value());
  plan.training.optimizer_state = plan::OptimizerState::keep;
  const Outcome first = trained(1);
  BOOST_REQUIRE(first.optimizer.has_value());
  BOOST_TEST(first.optimizer->steps() > 0u);
  Remembered remembered{first.optimizer->steps(),
                        tensor::ParameterBuffer(remembered_count(setting()))};
  BOOST_REQUIRE(remembered.values.values().size() == first.optimizer->state().size());
  std::ranges::copy(first.optimizer->state(), remembered.values.values().begin());

  const auto second = must(train(setting(), 2, global, {}, &remembered));
  BOOST_TEST(second.optimizer->steps() == 2 * first.optimizer->steps());
  BOOST_TEST((bits(second) == bits(must(train(setting(), 2, global, {}, &remembered)))));
  BOOST_TEST((bits(second) != bits(trained(2))));
}

BOOST_AUTO_TEST_CASE(each_optimiser_trains_and_a_schedule_by_rounds_moves_its_rate) {
  const data::Split split = split_rows(setting());
  const double before = must(evaluate(setting(), split.training, global)).metrics.at("loss");
  for (const std::string optimizer : {"sgd", "adam", "adamw", "adagrad", "rmsprop"}) {
    plan.training.optimizer = optimizer;
    plan.training.learning_rate = 0.01;
    plan.training.clipping = {engine::Clipping::Kind::norm, 1};
    std::vector<float> after(global);
    const Outcome outcome = trained(1);
    for (std::size_t i = 0; i < after.size(); ++i) after[i] += outcome.update.values()[i];
    BOOST_TEST(must(evaluate(setting(), split.training, after)).metrics.at("loss") < before,
               optimizer);
  }
  plan.training.optimizer = "sgd";
  plan.training.schedule = {engine::StepDecay{1, 0.5}, 0};
  plan.training.schedule_by = plan::ScheduleBy::round;
  const double first = trained(1).norm, fifth = trained(5).norm;
  BOOST_TEST(fifth < first / 4);
  BOOST_TEST(fifth > 0);
}

BOOST_AUTO_TEST_CASE(the_held_out_rows_are_the_same_in_every_round_and_never_trained_on) {
  const data::Split split = split_rows(setting());
  BOOST_TEST(split.holdout == split_rows(setting()).holdout, boost::test_tools::per_element());
  BOOST_TEST(split.holdout.size() == 15u);
  BOOST_TEST(split.training.size() + split.holdout.size() == dataset.rows());
  for (const std::uint32_t row : split.holdout) {
    BOOST_TEST(!std::ranges::binary_search(split.training, row));
  }
  name = "bob";
  BOOST_TEST((split_rows(setting()).holdout != split.holdout));
}

// 137 rows in batches of 8: the last has one row. Every row is stepped on once, in its batch.
BOOST_AUTO_TEST_CASE(an_epochs_last_batch_may_have_one_row) {
  plan.training.batch_size = 8;
  plan.training.local_epochs = 1;
  data::Split split = split_rows(setting());
  BOOST_REQUIRE(split.training.size() % 8 == 1);
  std::vector<float> parameters(global), gradient(global.size());
  std::vector<float> features(8 * dataset.feature_count());
  std::vector<std::uint32_t> labels(8);
  auto workspace = network.make_workspace(8, engine::Purpose::training);
  auto optimizer = must(engine::Optimizer::make(plan::optimizer_of(plan.training, 1),
                                                network.layout(), network.isa()));
  data::Batches batches(split.training, 8, training_seed(plan, 1, name));
  batches.start_epoch(0);
  double loss = 0;
  std::size_t last = 0;
  for (auto rows = batches.next(); !rows.empty(); rows = batches.next()) {
    last = rows.size();
    dataset.gather(rows, {features, labels, {}});
    const engine::Batch batch{std::span(features).first(last * dataset.feature_count()),
                              std::span(labels).first(last)};
    loss += must(network.loss_and_gradient(parameters, batch, gradient, workspace)) *
            static_cast<double>(last);
    optimizer.step(gradient, parameters);
  }
  BOOST_TEST(last == 1U);
  for (std::size_t i = 0; i < global.size(); ++i) parameters[i] -= global[i];
  const Outcome outcome = trained();
  BOOST_TEST(std::ranges::equal(outcome.update.values(), parameters));
  BOOST_TEST(outcome.loss == loss / static_cast<double>(split.training.size()));
}

BOOST_AUTO_TEST_CASE(training_stops_before_the_next_batch_when_it_is_asked_to) {
  int asked = 0;
  const auto outcome = train(setting(), 1, global, [&] { return ++asked == 4; });
  BOOST_REQUIRE(!outcome.has_value());
  BOOST_TEST((outcome.error().code == Errc::cancelled));
  BOOST_TEST(asked == 4);
  BOOST_TEST((evaluate(setting(), split_rows(setting()).holdout, global, [] { return true; })
                  .error()
                  .code == Errc::cancelled));
}

BOOST_AUTO_TEST_CASE(training_that_does_not_stay_finite_is_no_update) {
  plan.training.learning_rate = 1e6;
  plan.training.local_epochs = 50;
  const auto outcome = train(setting(), 1, global);
  BOOST_REQUIRE(!outcome.has_value());
  BOOST_TEST((outcome.error().code == Errc::invalid_argument));
}

// Should not: give such a model figures, which may look better than a perfect one's.
BOOST_AUTO_TEST_CASE(a_model_that_has_diverged_has_no_figures_but_the_row_where_that_is_seen) {
  const data::Split split = split_rows(setting());
  std::ranges::fill(global, 3e38F);
  const auto figures = evaluate(setting(), split.holdout, global);
  BOOST_REQUIRE(!figures.has_value());
  BOOST_TEST((figures.error().code == Errc::invalid_argument));
  BOOST_TEST(figures.error().detail == "the model's prediction for row " +
                                           std::to_string(split.holdout.front() + 1) +
                                           " is not finite: its parameters have diverged");
}

BOOST_AUTO_TEST_CASE(parameters_of_another_model_are_refused_with_both_sizes) {
  global.pop_back();
  const auto outcome = train(setting(), 1, global);
  BOOST_REQUIRE(!outcome.has_value());
  BOOST_TEST(outcome.error().detail == "expected 530 parameters, saw 529");
  BOOST_TEST(!evaluate(setting(), split_rows(setting()).holdout, global).has_value());
}

BOOST_AUTO_TEST_CASE(the_plan_says_which_metrics_are_given) {
  const data::Split split = split_rows(setting());
  const Figures both = must(evaluate(setting(), split.holdout, global));
  BOOST_TEST(both.examples == 15u);
  BOOST_TEST(both.metrics.size() == 2u);
  plan.rules.metrics = {"accuracy"};
  const Figures one = must(evaluate(setting(), split.holdout, global));
  BOOST_TEST(one.metrics.size() == 1u);
  BOOST_TEST(one.metrics.at("accuracy") == both.metrics.at("accuracy"));
  BOOST_TEST(evaluate(setting(), {}, global).error().detail ==
             "no rows are held out for the plan's metrics");
  plan.rules.metrics.clear();
  BOOST_TEST(must(evaluate(setting(), {}, global)).metrics.empty());
}

BOOST_AUTO_TEST_CASE(figures_do_not_depend_on_the_number_of_threads) {
  const data::Split split = split_rows(setting());
  set_thread_count(1);
  const auto once = must(evaluate(setting(), split.training, global)).metrics;
  set_thread_count(3);
  BOOST_TEST((must(evaluate(setting(), split.training, global)).metrics == once));
}

BOOST_AUTO_TEST_CASE(memory_grows_with_the_model_and_the_rows) {
  BOOST_TEST(memory_of(setting()).total() >
             dataset.rows() * dataset.feature_count() * sizeof(float) +
                 3 * network.parameter_count() * sizeof(float));
}

// Ranked metrics keep eight bytes for each class of each position held out.
BOOST_AUTO_TEST_CASE(memory_counts_what_the_plans_metrics_keep) {
  plan.rules.metrics = {"accuracy"};
  const Memory without = memory_of(setting());
  plan.rules.metrics = {"accuracy", "roc_auc"};
  const Memory with = memory_of(setting());
  const std::uint64_t held_out = split_rows(setting()).holdout.size();
  BOOST_TEST(with.evaluation == without.evaluation + 2 * 8 * held_out);  // and sorted
  BOOST_TEST(with.training() == without.training());
  Memory more = with;
  more.evaluation = with.training() + 1'000;
  BOOST_TEST(more.total() == with.rows + with.training() + 1'000);
  plan.rules.metrics.clear();
  BOOST_TEST(memory_of(setting()).evaluation == 0U);
}

BOOST_AUTO_TEST_CASE(what_saves_memory_changes_the_bits_or_the_memory_as_it_says) {
  const Outcome whole = trained();
  plan.training.recompute = true;
  BOOST_TEST((bits(trained()) == bits(whole)));
  plan.training.micro_batch = 5;
  const Outcome parts = trained();
  BOOST_TEST(parts.loss == whole.loss, boost::test_tools::tolerance(1e-5));
  BOOST_TEST(parts.norm == whole.norm, boost::test_tools::tolerance(1e-4));
  const auto less = memory_of(setting()).activations;
  plan.training = must(plan::read_plan(example / "plan.toml")).training;
  BOOST_TEST(less < memory_of(setting()).activations + network.parameter_count() * sizeof(float));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant::training
