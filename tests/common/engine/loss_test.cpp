// SPDX-License-Identifier: Apache-2.0
#include "common/engine/loss.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <string>

#include "common/engine/kernels.hpp"
#include "tests/common/engine/networks.hpp"

namespace entente::engine {
namespace {

constexpr std::size_t rows = 150;  // more than a task's, and not a multiple of it

// A loss and targets for it.
struct Case {
  std::string name;
  LossSpec spec;
  std::size_t outputs;
  bool labels;
};

std::vector<Case> cases() {
  const std::vector<double> weights{0.5, 2, 1, 0, 3};
  return {{"sparse labels", CategoricalCrossEntropy{}, 5, true},
          {"one-hot labels", CategoricalCrossEntropy{}, 5, false},
          {"smoothed sparse labels", CategoricalCrossEntropy{0.1, {}}, 5, true},
          {"smoothed and weighted one-hot labels", CategoricalCrossEntropy{0.2, weights}, 5, false},
          {"weighted sparse labels", CategoricalCrossEntropy{0, weights}, 5, true},
          {"many classes", CategoricalCrossEntropy{0.1, {}}, 97, true},
          {"two classes", CategoricalCrossEntropy{}, 2, true},
          {"one binary output", BinaryCrossEntropy{}, 1, true},
          {"weighted, smoothed binary outputs", BinaryCrossEntropy{0.1, {0.5, 3}}, 4, false},
          {"squared error", SquaredError{}, 3, false},
          {"absolute error", AbsoluteError{}, 3, false},
          {"huber", Huber{0.7}, 3, false},
          {"quantile", Quantile{0.9}, 2, false}};
}

bool is_categorical(const LossSpec& spec) {
  return std::holds_alternative<CategoricalCrossEntropy>(spec);
}
bool is_binary(const LossSpec& spec) {
  return std::holds_alternative<BinaryCrossEntropy>(spec);
}

template <class S>
struct Data {
  explicit Data(const Case& of)
      : outputs(random_values<S>(rows * of.outputs, 1)),
        labels(random_labels(rows, is_categorical(of.spec) ? of.outputs : 2, 2)) {
    for (S& value : outputs) value *= S(4);
    values = random_values<S>(rows * of.outputs, 3);
    if (is_binary(of.spec)) {
      for (S& value : values) value = value > S(0) ? S(1) : S(0);
    } else if (is_categorical(of.spec)) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = i % of.outputs == labels[i / of.outputs] ? S(1) : S(0);
      }
    }
    if (of.labels) {
      targets.labels = labels;
    } else {
      targets.values = values;
    }
  }
  std::vector<S> outputs;
  std::vector<std::uint32_t> labels;
  std::vector<S> values;
  BasicTargets<S> targets;  // of the above
  Data(const Data&) = delete;
  Data& operator=(const Data&) = delete;
};

// The header's formulas for one row, in double and as they stand there.
double twin(const LossSpec& spec, const std::vector<double>& z, const std::vector<double>& y) {
  const auto k = static_cast<double>(z.size());
  double sum = 0;
  if (const auto* loss = std::get_if<CategoricalCrossEntropy>(&spec)) {
    double all = 0;
    for (const double value : z) all += std::exp(value);
    for (std::size_t j = 0; j < z.size(); ++j) {
      const double wanted = (1 - loss->label_smoothing) * y[j] + loss->label_smoothing / k;
      sum -= wanted * std::log(std::exp(z[j]) / all);
    }
    const auto label = static_cast<std::size_t>(std::max_element(y.begin(), y.end()) - y.begin());
    return loss->class_weights.empty() ? sum : loss->class_weights[label] * sum;
  }
  for (std::size_t j = 0; j < z.size(); ++j) {
    const double e = z[j] - y[j];
    if (const auto* loss = std::get_if<BinaryCrossEntropy>(&spec)) {
      const double p = 1 / (1 + std::exp(-z[j]));
      const double wanted = (1 - loss->label_smoothing) * y[j] + loss->label_smoothing / 2;
      const double weight =
          loss->class_weights.empty() ? 1 : loss->class_weights[y[j] > 0.5 ? 1 : 0];
      sum -= weight * (wanted * std::log(p) + (1 - wanted) * std::log(1 - p));
    } else if (std::holds_alternative<SquaredError>(spec)) {
      sum += e * e;
    } else if (std::holds_alternative<AbsoluteError>(spec)) {
      sum += std::abs(e);
    } else if (const auto* huber = std::get_if<Huber>(&spec)) {
      sum +=
          std::abs(e) <= huber->delta ? e * e / 2 : huber->delta * (std::abs(e) - huber->delta / 2);
    } else {
      const double level = std::get<Quantile>(spec).level;
      sum += std::max(level * -e, (level - 1) * -e);
    }
  }
  return sum / k;
}

template <class S>
double twin(const Case& of, const Data<S>& data, std::size_t row) {
  const std::size_t k = of.outputs;
  std::vector<double> z(k), y(k);
  for (std::size_t j = 0; j < k; ++j) {
    z[j] = static_cast<double>(data.outputs[row * k + j]);
    y[j] = static_cast<double>(data.values[row * k + j]);
    if (of.labels) y[j] = k == 1 ? data.labels[row] : (data.labels[row] == j ? 1 : 0);
  }
  return twin(of.spec, z, y);
}

template <class S>
struct Outcome {
  double loss = 0;
  std::vector<S> gradient, losses;
};

template <class S>
Outcome<S> outcome(const Case& of, const Data<S>& data, Isa isa,
                   const std::vector<std::uint8_t>& mask = {}) {
  Outcome<S> out;
  out.gradient.resize(data.outputs.size());
  out.losses.resize(rows);
  const auto loss = BasicLoss<S>::make(of.spec, of.outputs, isa).value();
  out.loss =
      loss.mean_and_gradient(data.outputs, data.targets, mask, out.gradient, out.losses).value();
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(losses)

BOOST_AUTO_TEST_CASE(each_loss_is_what_its_formula_gives_row_by_row) {
  for (const Case& of : cases()) {
    const Data<double> data(of);
    const auto seen = outcome(of, data, Isa::generic);
    double mean = 0, worst = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      const double expected = twin(of, data, row);
      mean += expected / rows;
      worst = std::max(worst, std::abs(seen.losses[row] - expected));
    }
    BOOST_TEST(worst < 2e-13, of.name << ": " << worst);
    BOOST_TEST(std::abs(seen.loss - mean) < 1e-13, of.name);

    const Data<float> single(of);
    for (const Isa isa : supported_isas()) {
      const auto in_float = outcome(of, single, isa);
      double mean_of_singles = 0;
      for (std::size_t row = 0; row < rows; ++row) mean_of_singles += twin(of, single, row) / rows;
      BOOST_TEST(std::abs(in_float.loss - mean_of_singles) < 2e-6, of.name);
    }
  }
}

BOOST_AUTO_TEST_CASE(each_gradient_is_the_numerical_one_in_float64) {
  constexpr double step = 1e-5;
  for (const Case& of : cases()) {
    Data<double> data(of);
    const auto seen = outcome(of, data, Isa::generic);
    double worst = 0;
    for (std::size_t i = 0; i < data.outputs.size(); i += 3) {
      const double before = data.outputs[i];
      const std::size_t row = i / of.outputs;
      data.outputs[i] = before + step;
      const double above = twin(of, data, row);
      data.outputs[i] = before - step;
      const double below = twin(of, data, row);
      data.outputs[i] = before;
      const double numerical = (above - below) / (2 * step) / rows;
      worst = std::max(worst, std::abs(seen.gradient[i] - numerical) * rows);
    }
    BOOST_TEST(worst < 1e-6, of.name << ": " << worst);
  }
}

BOOST_AUTO_TEST_CASE(labels_and_their_one_hot_rows_are_the_same_to_the_bit) {
  for (const double smoothing : {0.0, 0.1}) {
    Case of{"", CategoricalCrossEntropy{smoothing, {}}, 5, true};
    const Data<float> sparse(of);
    of.labels = false;
    const Data<float> one_hot(of);
    const auto a = outcome(of, sparse, Isa::generic), b = outcome(of, one_hot, Isa::generic);
    BOOST_TEST(a.loss == b.loss);
    BOOST_TEST((a.gradient == b.gradient));
  }
}

BOOST_AUTO_TEST_CASE(a_plain_cross_entropy_has_the_bits_of_the_kernel_that_networks_use) {
  const Case of{"", CategoricalCrossEntropy{}, 10, true};
  const Data<float> data(of);
  for (const Isa isa : supported_isas()) {
    const auto seen = outcome(of, data, isa);
    std::vector<float> gradient(10);
    for (std::size_t row = 0; row < rows; ++row) {
      const float loss =
          kernels_of<float>(isa).cross_entropy(data.outputs.data() + row * 10, 10, data.labels[row],
                                               1.0F / float{rows}, gradient.data());
      BOOST_TEST(loss == seen.losses[row]);
      BOOST_TEST(std::equal(gradient.begin(), gradient.end(), seen.gradient.begin() + row * 10));
    }
  }
}

// Logits 0 and log 3: probabilities 1/4 and 3/4.
BOOST_AUTO_TEST_CASE(losses_come_out_as_on_paper) {
  const double log_3 = std::log(3.0);
  const auto value = [](const LossSpec& spec, std::vector<double> outputs,
                        std::vector<double> target) {
    std::vector<double> gradient(outputs.size()), losses(1);
    return Loss64::make(spec, outputs.size(), Isa::generic)
        .value()
        .mean_and_gradient(outputs, {{}, target}, {}, gradient, losses)
        .value();
  };
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-14; };
  BOOST_TEST(near(value(CategoricalCrossEntropy{}, {0, log_3}, {1, 0}), std::log(4.0)));
  BOOST_TEST(near(value(CategoricalCrossEntropy{0.5, {}}, {0, log_3}, {1, 0}),
                  0.75 * std::log(4.0) + 0.25 * std::log(4.0 / 3)));
  BOOST_TEST(near(value(CategoricalCrossEntropy{}, {0, log_3}, {0.5, 0.5}),
                  0.5 * std::log(4.0) + 0.5 * std::log(4.0 / 3)));
  BOOST_TEST(near(value(BinaryCrossEntropy{}, {log_3}, {1}), std::log(4.0 / 3)));
  BOOST_TEST(near(value(BinaryCrossEntropy{0, {7, 2}}, {log_3}, {1}), 2 * std::log(4.0 / 3)));
  BOOST_TEST(near(value(BinaryCrossEntropy{0, {7, 2}}, {log_3}, {0}), 7 * std::log(4.0)));
  BOOST_TEST(value(SquaredError{}, {1, 5}, {0, 2}) == 5.0);
  BOOST_TEST(value(AbsoluteError{}, {1, 5}, {0, 2}) == 2.0);
  BOOST_TEST(value(Huber{1}, {0.5, 5}, {0, 2}) == (0.125 + 2.5) / 2);
  BOOST_TEST(value(Quantile{0.75}, {1, 5}, {3, 1}) == (1.5 + 1.0) / 2);
}

BOOST_AUTO_TEST_CASE(outputs_far_away_give_finite_losses_and_gradients) {
  for (const float far : {-1e4F, -200.0F, 200.0F, 1e4F}) {
    std::vector<float> gradient(2), losses(1);
    const std::vector<float> outputs{far, -far};
    const std::vector<float> target{1, 0};
    for (const LossSpec& spec : {LossSpec(CategoricalCrossEntropy{0.1, {}}),
                                 LossSpec(BinaryCrossEntropy{0.1, {}}), LossSpec(Huber{})}) {
      const auto loss = Loss::make(spec, 2, chosen_isa().value())
                            .value()
                            .mean_and_gradient(outputs, {{}, target}, {}, gradient, losses)
                            .value();
      BOOST_TEST(std::isfinite(loss));
      BOOST_TEST(std::isfinite(gradient[0]));
      BOOST_TEST(std::isfinite(gradient[1]));
    }
  }
  // Where the answer is nearly right, the loss is small and not nothing.
  std::vector<double> gradient(1), losses(1);
  const double small = Loss64::make(BinaryCrossEntropy{}, 1, Isa::generic)
                           .value()
                           .mean_and_gradient(std::vector<double>{40}, {{}, std::vector<double>{1}},
                                              {}, gradient, losses)
                           .value();
  BOOST_TEST(std::abs(small / std::exp(-40.0) - 1) < 1e-12);
  BOOST_TEST(std::abs(gradient[0] / -std::exp(-40.0) - 1) < 1e-12);
}

BOOST_AUTO_TEST_CASE(masked_rows_count_for_nothing_and_where_all_are_the_loss_is_zero) {
  for (const Case& of : cases()) {
    const Data<double> data(of);
    std::vector<std::uint8_t> mask(rows);
    double mean = 0, counted = 0;
    for (std::size_t row = 0; row < rows; row += 3) {
      mask[row] = 1;
      mean += twin(of, data, row);
      ++counted;
    }
    const auto seen = outcome(of, data, Isa::generic, mask);
    BOOST_TEST(std::abs(seen.loss - mean / counted) < 1e-12, of.name);
    bool others_zero = true;
    for (std::size_t i = 0; i < seen.gradient.size(); ++i) {
      others_zero &= mask[i / of.outputs] == 1 || seen.gradient[i] == 0;
    }
    BOOST_TEST(others_zero);

    const auto none = outcome(of, data, Isa::generic, std::vector<std::uint8_t>(rows));
    BOOST_TEST(none.loss == 0.0);
    BOOST_TEST((none.gradient == std::vector<double>(none.gradient.size())));
  }
}

BOOST_AUTO_TEST_CASE(the_same_bits_on_any_number_of_threads) {
  for (const Case& of : cases()) {
    const Data<float> data(of);
    Outcome<float> once;
    for (const std::size_t threads : {1U, 2U, 3U, 8U}) {
      const Threads set(threads);
      const auto again = outcome(of, data, chosen_isa().value());
      if (threads == 1) once = again;
      BOOST_TEST(again.loss == once.loss);
      BOOST_TEST((again.gradient == once.gradient));
    }
  }
}

BOOST_AUTO_TEST_CASE(targets_that_do_not_fit_are_refused_with_their_row) {
  const auto refused = [](const LossSpec& spec, std::size_t outputs, const Targets& targets,
                          std::size_t of_rows, std::string_view part) {
    const auto fine = Loss::make(spec, outputs, Isa::generic).value().check(targets, of_rows);
    if (fine) return false;
    BOOST_TEST_MESSAGE(fine.error().detail);
    return fine.error().detail.find(part) != std::string::npos;
  };
  const std::vector<std::uint32_t> labels{0, 3};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  BOOST_TEST(refused(CategoricalCrossEntropy{}, 3, {labels, {}}, 2,
                     "the target of row 1 (from 0) is label 3; expected 0 to 2"));
  BOOST_TEST(refused(CategoricalCrossEntropy{}, 4, {labels, {}}, 3, "expected 3 labels, saw 2"));
  BOOST_TEST(refused(SquaredError{}, 1, {labels, {}}, 2, "saw labels"));
  BOOST_TEST(refused(BinaryCrossEntropy{}, 1, {labels, {}}, 2, "label 3; expected 0 to 1"));
  BOOST_TEST(refused(BinaryCrossEntropy{}, 2, {labels, {}}, 2, "saw labels"));
  const std::vector<float> halves{0.5F, 0.5F, 0.5F, 0.6F};
  BOOST_TEST(refused(CategoricalCrossEntropy{}, 2, {{}, halves}, 2, "row 1 (from 0) adds up to"));
  BOOST_TEST(refused(CategoricalCrossEntropy{}, 2, {{}, halves}, 3, "6 target values, saw 4"));
  const std::vector<float> odd{1.0F, 0.0F, 1.5F, -0.5F}, none{1.0F, nan};
  BOOST_TEST(refused(CategoricalCrossEntropy{}, 2, {{}, odd}, 2, "row 1 (from 0) has -0.5"));
  BOOST_TEST(refused(BinaryCrossEntropy{}, 2, {{}, odd}, 2, "row 1 (from 0) has 1.5"));
  BOOST_TEST(refused(SquaredError{}, 1, {{}, none}, 2, "row 1 (from 0) has nan"));
  BOOST_TEST(refused(SquaredError{}, 1, {labels, none}, 2, "two kinds"));
}

BOOST_AUTO_TEST_CASE(numbers_outside_their_range_are_refused) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refused = [](const LossSpec& spec, std::size_t outputs = 3) {
    return Loss::make(spec, outputs, Isa::generic).has_error();
  };
  BOOST_TEST(refused(CategoricalCrossEntropy{1, {}}));
  BOOST_TEST(refused(CategoricalCrossEntropy{nan, {}}));
  BOOST_TEST(refused(CategoricalCrossEntropy{0, {1, 1}}));
  BOOST_TEST(refused(CategoricalCrossEntropy{0, {1, 1, -1}}));
  BOOST_TEST(refused(CategoricalCrossEntropy{0, {1, 1, nan}}));
  BOOST_TEST(refused(CategoricalCrossEntropy{}, 1));
  BOOST_TEST(refused(BinaryCrossEntropy{-0.1, {}}));
  BOOST_TEST(refused(BinaryCrossEntropy{0, {1}}));
  BOOST_TEST(refused(Huber{0}));
  BOOST_TEST(refused(Quantile{1}));
  BOOST_TEST(refused(Quantile{nan}));
  BOOST_TEST(refused(SquaredError{}, 0));
  BOOST_TEST(!refused(CategoricalCrossEntropy{0.1, {0, 1, 2}}));
}

BOOST_AUTO_TEST_CASE(a_loss_says_which_activation_it_takes_over) {
  BOOST_TEST((taken_by(CategoricalCrossEntropy{}) == LossInput::softmax_logits));
  BOOST_TEST((taken_by(BinaryCrossEntropy{}) == LossInput::sigmoid_logits));
  BOOST_TEST((taken_by(Huber{}) == LossInput::predictions));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
