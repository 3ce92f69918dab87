// SPDX-License-Identifier: Apache-2.0
#include "common/engine/metrics.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "common/base/random.hpp"

namespace entente::engine {
namespace {

using Labels = std::vector<std::uint32_t>;
using Values = std::vector<float>;

bool near(std::optional<double> seen, double expected) {
  if (!seen) return false;
  BOOST_TEST_MESSAGE(*seen << " for " << expected);
  return std::abs(*seen - expected) < 1e-14;
}

RankedScores ranked(const Values& scores, const Labels& labels) {
  RankedScores made;
  made.add(scores, labels);
  return made;
}

RegressionMetrics regression(const Values& predictions, const Values& targets) {
  RegressionMetrics made;
  made.add(predictions, targets);
  return made;
}

// Scores of few values, so that many are equal.
struct Drawn {
  explicit Drawn(std::size_t rows) {
    Random random(5);
    for (std::size_t row = 0; row < rows; ++row) {
      labels.push_back(static_cast<std::uint32_t>(random.below(2)));
      scores.push_back(static_cast<float>(random.below(20) + 5 * labels.back()));
    }
  }
  Values scores;
  Labels labels;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_CASE(accuracy_and_loss_are_those_of_the_rows_added) {
  const std::vector<float> probabilities{0.5F, 0.25F, 0.25F, 0.125F, 0.25F, 0.625F};
  const std::vector<std::uint32_t> labels{0, 1};
  ClassificationMetrics metrics;
  metrics.add(probabilities, labels, 3);
  BOOST_TEST(metrics.rows == 2U);
  BOOST_TEST(metrics.accuracy() == 0.5);
  BOOST_TEST(std::abs(metrics.mean_loss() - (std::log(2.0) + std::log(4.0)) / 2) < 1e-15);
}

BOOST_AUTO_TEST_CASE(of_equal_probabilities_the_first_class_counts) {
  const std::vector<float> probabilities{0.5F, 0.5F, 0.5F, 0.5F};
  const std::vector<std::uint32_t> labels{0, 1};
  ClassificationMetrics metrics;
  metrics.add(probabilities, labels, 2);
  BOOST_TEST(metrics.correct == 1U);
}

// NaN is no number to take the logarithm of; it costs as much as a probability of zero.
BOOST_AUTO_TEST_CASE(a_probability_that_is_none_costs_as_much_as_none_at_all) {
  const float nan = std::nanf(""), infinite = HUGE_VALF;
  ClassificationMetrics nothing, bad, binary;
  nothing.add(Values{1, 0}, Labels{1}, 2);
  for (const float value : {nan, infinite, -infinite}) {
    bad.add(Values{0, value}, Labels{1}, 2);
    binary.add_binary(Values{value, value}, Labels{0, 1});
  }
  BOOST_TEST(bad.mean_loss() == nothing.mean_loss());
  BOOST_TEST(binary.mean_loss() == nothing.mean_loss());
}

BOOST_AUTO_TEST_CASE(a_class_of_probability_zero_costs_a_finite_loss) {
  ClassificationMetrics metrics;
  metrics.add(std::vector<float>{0.0F, 1.0F}, std::vector<std::uint32_t>{0}, 2);
  BOOST_TEST(std::abs(metrics.loss_sum - 7 * std::log(10.0)) < 1e-12);
}

BOOST_AUTO_TEST_CASE(sums_of_parts_are_sums_of_the_whole_and_no_rows_are_zero) {
  ClassificationMetrics one, other, none;
  one.add(std::vector<float>{0.5F, 0.5F}, std::vector<std::uint32_t>{0}, 2);
  other.add(std::vector<float>{0.25F, 0.75F}, std::vector<std::uint32_t>{0}, 2);
  one.add(other);
  BOOST_TEST(one.rows == 2U);
  BOOST_TEST(one.correct == 1U);
  BOOST_TEST(std::abs(one.loss_sum - std::log(8.0)) < 1e-15);
  BOOST_TEST(none.accuracy() == 0.0);
  BOOST_TEST(none.mean_loss() == 0.0);
}

BOOST_AUTO_TEST_CASE(one_output_is_the_probability_of_class_one) {
  ClassificationMetrics metrics;
  metrics.add_binary(Values{0.75F, 0.25F, 0.5F, 1.0F}, Labels{1, 1, 0, 0});
  BOOST_TEST(metrics.accuracy() == 0.5);  // one half is class 0
  BOOST_TEST(std::abs(metrics.loss_sum - (std::log(4.0 / 3) + std::log(4.0) + std::log(2.0) +
                                          7 * std::log(10.0))) < 1e-12);
}

BOOST_AUTO_TEST_CASE(perplexity_is_the_number_of_classes_for_a_guess) {
  ClassificationMetrics metrics;
  metrics.add(Values(8, 0.25F), Labels{0, 3}, 4);
  BOOST_TEST(std::abs(metrics.perplexity() - 4) < 1e-14);
  BOOST_TEST(ClassificationMetrics().perplexity() == 1.0);
}

BOOST_AUTO_TEST_CASE(top_k_looks_for_the_label_among_the_k_most_probable) {
  const Values probabilities{0.1F, 0.2F, 0.3F, 0.4F, 0.4F, 0.3F, 0.2F, 0.1F};
  const auto right = [&](std::size_t k, const Labels& labels) {
    TopK top{k};
    top.add(probabilities, labels, 4);
    return top.correct;
  };
  BOOST_TEST(right(1, {3, 0}) == 2U);
  BOOST_TEST(right(1, {2, 1}) == 0U);
  BOOST_TEST(right(2, {2, 1}) == 2U);
  BOOST_TEST(right(3, {0, 3}) == 0U);
  BOOST_TEST(right(4, {0, 3}) == 2U);
  BOOST_TEST(right(9, {0, 3}) == 2U);

  // Of four equal ones the first two are the top two.
  TopK equal{2};
  equal.add(Values(16, 0.25F), Labels{0, 1, 2, 3}, 4);
  BOOST_TEST(equal.correct == 2U);
  TopK more{2};
  more.add(equal);
  more.add(equal);
  BOOST_TEST(more.rows == 8U);
  BOOST_TEST(more.accuracy() == 0.5);
  BOOST_TEST(TopK{}.accuracy() == 0.0);
}

// Labels (rows) and predictions (columns): 3 1 0 | 2 4 0 | 0 0 0.
BOOST_AUTO_TEST_CASE(precision_recall_and_f1_come_out_as_on_paper) {
  ConfusionMatrix matrix(3);
  const auto times = [&](int count, std::uint32_t label, std::uint32_t predicted) {
    for (int i = 0; i < count; ++i) matrix.add(label, predicted);
  };
  times(3, 0, 0);
  times(1, 0, 1);
  times(2, 1, 0);
  times(4, 1, 1);
  BOOST_TEST(matrix.rows() == 10U);
  BOOST_TEST(matrix.count(1, 0) == 2U);
  BOOST_TEST(near(matrix.accuracy(), 0.7));
  BOOST_TEST(near(matrix.precision(0), 3.0 / 5));
  BOOST_TEST(near(matrix.recall(0), 3.0 / 4));
  BOOST_TEST(near(matrix.f1(0), 6.0 / 9));
  BOOST_TEST(near(matrix.precision(1), 4.0 / 5));
  BOOST_TEST(near(matrix.recall(1), 4.0 / 6));
  BOOST_TEST(near(matrix.f1(1), 8.0 / 11));

  // The third class does not occur: it has no figures and is in no mean.
  BOOST_TEST(!matrix.precision(2).has_value());
  BOOST_TEST(!matrix.recall(2).has_value());
  BOOST_TEST(!matrix.f1(2).has_value());
  BOOST_TEST_REQUIRE(matrix.macro().has_value());
  BOOST_TEST(near(matrix.macro()->precision, 0.7));
  BOOST_TEST(near(matrix.macro()->recall, (0.75 + 4.0 / 6) / 2));
  BOOST_TEST(near(matrix.macro()->f1, (6.0 / 9 + 8.0 / 11) / 2));

  // A class that is a label and never a prediction has no precision, and counts as 0.
  matrix.add(2, 0);
  BOOST_TEST(!matrix.precision(2).has_value());
  BOOST_TEST(near(matrix.recall(2), 0));
  BOOST_TEST(near(matrix.f1(2), 0));
  BOOST_TEST(near(matrix.macro()->precision, (3.0 / 6 + 4.0 / 5) / 3));

  ConfusionMatrix other(3);
  other.add(Values{0.2F, 0.3F, 0.5F, 0.4F, 0.4F, 0.2F}, Labels{2, 1});
  BOOST_TEST(other.count(2, 2) == 1U);
  BOOST_TEST(other.count(1, 0) == 1U);  // of equals the first
  matrix.add(other);
  BOOST_TEST(matrix.rows() == 13U);
  BOOST_TEST(matrix.count(1, 0) == 3U);
}

BOOST_AUTO_TEST_CASE(an_empty_matrix_has_no_figures) {
  const ConfusionMatrix none(2);
  BOOST_TEST(!none.accuracy().has_value());
  BOOST_TEST(!none.precision(0).has_value());
  BOOST_TEST(!none.macro().has_value());
}

// Positives 0.8 and 0.35, negatives 0.4 and 0.1: three of four pairs are in order.
BOOST_AUTO_TEST_CASE(auc_and_average_precision_come_out_as_on_paper) {
  const RankedScores scores = ranked({0.1F, 0.4F, 0.35F, 0.8F}, {0, 0, 1, 1});
  BOOST_TEST(near(scores.roc_auc(), 0.75));
  BOOST_TEST(near(scores.average_precision(), 0.5 * 1 + 0.5 * (2.0 / 3)));
  const RankedScores perfect = ranked({1, 2, 3, 4}, {0, 0, 1, 1});
  BOOST_TEST(near(perfect.roc_auc(), 1));
  BOOST_TEST(near(perfect.average_precision(), 1));
  const RankedScores reversed = ranked({4, 3, 2, 1}, {0, 0, 1, 1});
  BOOST_TEST(near(reversed.roc_auc(), 0));
  BOOST_TEST(near(reversed.average_precision(), 0.5 * (1.0 / 3) + 0.5 * (2.0 / 4)));
}

BOOST_AUTO_TEST_CASE(equal_scores_count_half_and_are_one_threshold) {
  const RankedScores all = ranked({0.5F, 0.5F, 0.5F, 0.5F}, {0, 1, 1, 1});
  BOOST_TEST(near(all.roc_auc(), 0.5));
  BOOST_TEST(near(all.average_precision(), 0.75));
  // 3: one positive; 2: a positive and a negative; 1: a negative. Pairs: 1 + 1 + 1/2 + 1 of 4.
  const RankedScores some = ranked({1, 2, 2, 3}, {0, 1, 0, 1});
  BOOST_TEST(near(some.roc_auc(), 3.5 / 4));
  BOOST_TEST(near(some.average_precision(), 0.5 * 1 + 0.5 * (2.0 / 3)));
}

BOOST_AUTO_TEST_CASE(ranks_without_one_of_the_kinds_or_with_nan_have_no_figures) {
  BOOST_TEST(!RankedScores().roc_auc().has_value());
  BOOST_TEST(!RankedScores().average_precision().has_value());
  BOOST_TEST(!ranked({1, 2}, {1, 1}).roc_auc().has_value());
  BOOST_TEST(near(ranked({1, 2}, {1, 1}).average_precision(), 1));
  BOOST_TEST(!ranked({1, 2}, {0, 0}).roc_auc().has_value());
  BOOST_TEST(!ranked({1, 2}, {0, 0}).average_precision().has_value());
  BOOST_TEST(!ranked({1, std::nanf("")}, {0, 1}).roc_auc().has_value());
  BOOST_TEST(!ranked({1, std::nanf("")}, {0, 1}).average_precision().has_value());
}

BOOST_AUTO_TEST_CASE(auc_is_the_share_of_pairs_in_order_and_any_parts_in_any_order_give_its_bits) {
  const Drawn drawn(500);
  double won = 0, pairs = 0;
  for (std::size_t p = 0; p < 500; ++p) {
    for (std::size_t n = 0; n < 500; ++n) {
      if (drawn.labels[p] != 1 || drawn.labels[n] != 0) continue;
      ++pairs;
      if (drawn.scores[p] >= drawn.scores[n]) won += drawn.scores[p] > drawn.scores[n] ? 1 : 0.5;
    }
  }
  const RankedScores whole = ranked(drawn.scores, drawn.labels);
  BOOST_TEST(whole.roc_auc().value() == won / pairs);
  RankedScores parts, first;
  parts.add(std::span(drawn.scores).subspan(200), std::span(drawn.labels).subspan(200));
  first.add(std::span(drawn.scores).first(200), std::span(drawn.labels).first(200));
  parts.add(first);
  BOOST_TEST(parts.rows() == 500U);
  BOOST_TEST(parts.roc_auc().value() == whole.roc_auc().value());
  BOOST_TEST(parts.average_precision().value() == whole.average_precision().value());
}

BOOST_AUTO_TEST_CASE(one_class_is_ranked_against_the_rest) {
  RankedScores scores;
  scores.add(Values{0.7F, 0.2F, 0.1F, 0.1F, 0.8F, 0.1F, 0.3F, 0.3F, 0.4F}, Labels{0, 1, 2}, 3, 1);
  BOOST_TEST(near(scores.roc_auc(), 1));
  RankedScores other;
  other.add(Values{0.7F, 0.2F, 0.1F, 0.1F, 0.8F, 0.1F, 0.3F, 0.3F, 0.4F}, Labels{1, 0, 2}, 3, 0);
  BOOST_TEST(near(other.roc_auc(), 0));
}

BOOST_AUTO_TEST_CASE(errors_of_a_regression_come_out_as_on_paper) {
  const RegressionMetrics metrics = regression({2, 4, 9}, {1, 5, 6});  // errors 1, -1, 3
  BOOST_TEST(near(metrics.rmse(), std::sqrt(11.0 / 3)));
  BOOST_TEST(near(metrics.mae(), 5.0 / 3));
  BOOST_TEST(near(metrics.r2(), 1 - 11.0 / 14));
  BOOST_TEST(near(regression({1, 5, 6}, {1, 5, 6}).r2(), 1));
  BOOST_TEST(near(regression({4, 4, 4}, {1, 5, 6}).r2(), 0));
}

BOOST_AUTO_TEST_CASE(a_regression_without_rows_or_with_targets_all_alike_has_no_r2) {
  BOOST_TEST(!RegressionMetrics().rmse().has_value());
  BOOST_TEST(!RegressionMetrics().mae().has_value());
  BOOST_TEST(!RegressionMetrics().r2().has_value());
  BOOST_TEST(!regression({1}, {2}).r2().has_value());
  BOOST_TEST(!regression({1, 2, 3}, {7, 7, 7}).r2().has_value());
  BOOST_TEST(near(regression({1}, {2}).rmse(), 1));
}

// Targets far from zero: their squares' sums would leave nothing of the deviations.
BOOST_AUTO_TEST_CASE(regressions_of_parts_are_those_of_the_whole_however_far_the_targets_lie) {
  Values predictions, targets;
  for (int i = 0; i < 1000; ++i) {
    targets.push_back(1e7F + static_cast<float>(i % 10));
    predictions.push_back(targets.back() + (i % 2 == 0 ? 1.0F : -1.0F));
  }
  const RegressionMetrics whole = regression(predictions, targets);
  RegressionMetrics parts;
  for (std::size_t first = 0; first < 1000; first += 125) {
    RegressionMetrics part;
    part.add(std::span(predictions).subspan(first, 125), std::span(targets).subspan(first, 125));
    parts.add(part);
  }
  parts.add(RegressionMetrics());
  BOOST_TEST(parts.rows() == 1000U);
  BOOST_TEST(near(whole.rmse(), 1));
  BOOST_TEST(near(parts.rmse(), 1));
  BOOST_TEST(std::abs(whole.r2().value() - (1 - 1 / 8.25)) < 1e-9);
  BOOST_TEST(std::abs(parts.r2().value() - (1 - 1 / 8.25)) < 1e-9);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
