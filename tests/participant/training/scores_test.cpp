// SPDX-License-Identifier: Apache-2.0
#include "participant/training/scores.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "common/plan/metrics.hpp"

namespace entente::participant::training {
namespace {

plan::Plan of_classes(std::size_t count, std::vector<std::string> metrics, engine::LossSpec loss) {
  plan::Plan plan;
  for (std::size_t i = 0; i < count; ++i) plan.data.classes.push_back("c" + std::to_string(i));
  plan.data.kind = data::Image{};
  plan.rules.metrics = std::move(metrics);
  plan.training.loss = std::move(loss);
  return plan;
}

constexpr auto close = [](double a, double b) { return std::abs(a - b) < 1e-6; };

}  // namespace

BOOST_AUTO_TEST_SUITE(scores)

BOOST_AUTO_TEST_CASE(figures_of_classes_are_those_of_the_rows_in_any_parts) {
  const auto plan = of_classes(3,
                               {"accuracy", "loss", "log_loss", "perplexity", "top_2_accuracy",
                                "precision", "recall", "f1", "roc_auc", "average_precision"},
                               engine::CategoricalCrossEntropy{0.1, {1, 2, 3}});
  const std::vector<float> p{0.5F, 0.3F, 0.2F, 0.1F, 0.2F, 0.7F,
                             0.6F, 0.3F, 0.1F, 0.2F, 0.5F, 0.3F};
  const std::vector<std::uint32_t> labels{0, 2, 1, 1};
  Scores once(plan), parts(plan);
  once.add(p, labels, {});
  parts.add(std::span(p).first(3), std::span(labels).first(1), {});
  parts.add(std::span(p).subspan(3), std::span(labels).subspan(1), {});
  const auto figures = once.figures();
  BOOST_TEST((parts.figures() == figures));
  BOOST_TEST(figures.size() == 10U);
  const double loss =
      -(std::log(0.5) + std::log(0.7) + std::log(0.3) + std::log(0.5)) / 4;  // as if unweighted
  BOOST_TEST(close(figures.at("loss"), loss));
  BOOST_TEST(close(figures.at("log_loss"), loss));
  BOOST_TEST(close(figures.at("perplexity"), std::exp(loss)));
  BOOST_TEST(figures.at("accuracy") == 0.75);
  BOOST_TEST(figures.at("top_2_accuracy") == 1.0);
  // Precision 1/2, 1, 1; recall 1, 1/2, 1; F1 2/3, 2/3, 1.
  BOOST_TEST(close(figures.at("precision"), 2.5 / 3));
  BOOST_TEST(close(figures.at("recall"), 2.5 / 3));
  BOOST_TEST(close(figures.at("f1"), (2.0 / 3 + 2.0 / 3 + 1) / 3));
  // Class 0: 0.5 against 0.1, 0.6, 0.2: 2 of 3. Class 1: 0.3, 0.5 against 0.3, 0.2: 3.5 of 4.
  BOOST_TEST(close(figures.at("roc_auc"), (2.0 / 3 + 3.5 / 4 + 1) / 3));
  BOOST_TEST(once.confusion()->count(1, 0) == 1U);
}

BOOST_AUTO_TEST_CASE(one_output_is_the_second_class) {
  const auto plan = of_classes(2, {"accuracy", "loss", "precision", "recall", "f1", "roc_auc"},
                               engine::BinaryCrossEntropy{});
  Scores scores(plan);
  scores.add(std::vector<float>{0.9F, 0.6F, 0.2F, 0.4F}, std::vector<std::uint32_t>{1, 0, 0, 1},
             {});
  const auto figures = scores.figures();
  BOOST_TEST(figures.at("accuracy") == 0.5);
  BOOST_TEST(figures.at("precision") == 0.5);
  BOOST_TEST(figures.at("recall") == 0.5);
  BOOST_TEST(figures.at("roc_auc") == 0.75);
  BOOST_TEST(close(figures.at("loss"),
                   -(std::log(0.9) + std::log(0.4) + std::log(0.8) + std::log(0.4)) / 4));
}

BOOST_AUTO_TEST_CASE(positions_without_a_label_do_not_count) {
  const auto plan = of_classes(2, {"accuracy", "loss"}, engine::CategoricalCrossEntropy{});
  Scores scores(plan), without(plan);
  scores.add(std::vector<float>{0.9F, 0.1F, 0.5F, 0.5F, 0.2F, 0.8F},
             std::vector<std::uint32_t>{0, data::no_label, 1}, {});
  without.add(std::vector<float>{0.9F, 0.1F, 0.2F, 0.8F}, std::vector<std::uint32_t>{0, 1}, {});
  BOOST_TEST((scores.figures() == without.figures()));
}

// Should not: make up 0, 0 and 1 of nothing.
BOOST_AUTO_TEST_CASE(rows_without_a_position_that_counts_have_no_figures_and_that_may_be) {
  const std::vector<std::string> metrics{"accuracy",  "loss",   "log_loss", "perplexity",
                                         "precision", "recall", "f1",       "top_2_accuracy"};
  for (const std::size_t classes : {2U, 3U}) {
    Scores scores(of_classes(classes, metrics, engine::CategoricalCrossEntropy{}));
    scores.add(std::vector<float>(classes, 0.5F), std::vector<std::uint32_t>{data::no_label}, {});
    BOOST_TEST(scores.figures().empty());
  }
  for (const std::string& metric : metrics) {
    BOOST_TEST(plan::find_metric(metric)->may_be_undefined, metric);
  }
}

BOOST_AUTO_TEST_CASE(what_the_rows_do_not_define_is_left_out) {
  const auto plan = of_classes(2, {"accuracy", "roc_auc"}, engine::CategoricalCrossEntropy{});
  Scores scores(plan);
  scores.add(std::vector<float>{0.9F, 0.1F}, std::vector<std::uint32_t>{0}, {});
  BOOST_TEST(scores.figures().size() == 1U);
  BOOST_TEST(scores.figures().contains("accuracy"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::participant::training
