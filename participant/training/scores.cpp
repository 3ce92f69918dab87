// SPDX-License-Identifier: Apache-2.0
#include "participant/training/scores.hpp"

#include <algorithm>
#include <cmath>

#include "common/base/assert.hpp"
#include "common/plan/metrics.hpp"

namespace entente::participant::training {
namespace {

bool asks_for_ranks(const std::vector<std::string>& metrics) {
  return std::ranges::any_of(metrics, [](const std::string& name) {
    return name == "roc_auc" || name == "average_precision";
  });
}

// How many classes have their scores kept.
std::size_t ranked_classes(const plan::Plan& plan) {
  const data::Target target = plan.data.target();
  if (target.kind == data::Target::Kind::numbers || !asks_for_ranks(plan.rules.metrics)) return 0;
  return target.width == 2 ? 1 : target.width;
}

// The mean of those that are defined.
template <class Of, class Figure>
std::optional<double> mean_of(const std::vector<Of>& each, const Figure& figure) {
  double sum = 0;
  std::size_t count = 0;
  for (const Of& one : each) {
    const std::optional<double> value = figure(one);
    if (!value) continue;
    sum += *value;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

// What is left of a loss for figures: how wrong predictions are, not how classes are weighed.
engine::LossSpec plain(engine::LossSpec loss) {
  if (auto* binary = std::get_if<engine::BinaryCrossEntropy>(&loss)) *binary = {};
  if (auto* categorical = std::get_if<engine::CategoricalCrossEntropy>(&loss)) *categorical = {};
  return loss;
}

}  // namespace

std::uint64_t Scores::memory_bytes(const plan::Plan& plan, std::uint64_t positions) {
  const std::uint64_t ranked = ranked_classes(plan), width = plan.data.target().width;
  const std::uint64_t sorting = ranked > 0 ? 1 : 0;
  const bool confusion = plan.data.target().kind == data::Target::Kind::classes &&
                         width <= plan::confusion_classes_max;
  return (ranked + sorting) * engine::RankedScores::bytes_of(positions) +
         (confusion ? 2 * width * width * sizeof(std::uint64_t) : 0);  // and the copy that is given
}

Scores::Scores(const plan::Plan& plan, std::size_t positions)
    : metrics_(plan.rules.metrics), target_(plan.data.target()) {
  const engine::LossInput takes = engine::taken_by(plan.training.loss);
  outputs_ = target_.width;
  if (target_.kind == data::Target::Kind::numbers) {
    regressions_.resize(outputs_);
    distribution_ = takes == engine::LossInput::softmax_logits;
    if (takes == engine::LossInput::predictions) {
      loss_ = engine::Loss::make(plain(plan.training.loss), outputs_, engine::Isa::generic).value();
    }
    return;
  }
  binary_ = takes == engine::LossInput::sigmoid_logits;
  if (binary_) outputs_ = 1;
  for (const std::string& metric : metrics_) {
    if (const auto k = plan::top_k_of(metric)) tops_.push_back({*k});
  }
  if (target_.width <= plan::confusion_classes_max) confusion_.emplace(target_.width);
  ranked_.resize(ranked_classes(plan));
  for (engine::RankedScores& each : ranked_) each.reserve(positions);
}

void Scores::add(std::span<const float> predictions, std::span<const std::uint32_t> labels,
                 std::span<const float> values) {
  if (target_.kind == data::Target::Kind::numbers) return add_numbers(predictions, values);
  ENTENTE_ASSERT(predictions.size() == labels.size() * outputs_, "predictions of other rows");
  if (std::ranges::find(labels, data::no_label) == labels.end())
    return add_classes(predictions, labels);
  kept_.clear();
  kept_labels_.clear();
  for (std::size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] == data::no_label) continue;
    kept_labels_.push_back(labels[row]);
    const auto of_row = predictions.subspan(row * outputs_, outputs_);
    kept_.insert(kept_.end(), of_row.begin(), of_row.end());
  }
  add_classes(kept_, kept_labels_);
}

void Scores::add_classes(std::span<const float> predictions,
                         std::span<const std::uint32_t> labels) {
  if (binary_) {
    sums_.add_binary(predictions, labels);
    for (std::size_t row = 0; row < labels.size(); ++row)
      confusion_->add(labels[row], predictions[row] > 0.5F ? 1 : 0);
    if (!ranked_.empty()) ranked_.front().add(predictions, labels);
    return;
  }
  sums_.add(predictions, labels, outputs_);
  for (engine::TopK& top : tops_) top.add(predictions, labels, outputs_);
  if (confusion_) confusion_->add(predictions, labels);
  for (std::size_t i = 0; i < ranked_.size(); ++i)
    ranked_[i].add(predictions, labels, outputs_, ranked_.size() == 1 ? 1 : i);
}

void Scores::add_numbers(std::span<const float> predictions, std::span<const float> values) {
  ENTENTE_ASSERT(predictions.size() == values.size(), "predictions of other rows");
  const std::size_t rows = values.size() / outputs_;
  rows_ += rows;
  for (std::size_t j = 0; j < outputs_; ++j) {
    std::vector<float> column, wanted;
    for (std::size_t row = 0; row < rows; ++row) {
      column.push_back(predictions[row * outputs_ + j]);
      wanted.push_back(values[row * outputs_ + j]);
    }
    regressions_[j].add(column, wanted);
  }
  scratch_.resize(predictions.size());
  losses_.resize(rows);
  if (loss_) {
    const auto mean = loss_->mean_and_gradient(predictions, {{}, values}, {}, scratch_, losses_);
    ENTENTE_ASSERT(mean.has_value(), "targets that training takes");
    for (const float loss : losses_) loss_sum_ += static_cast<double>(loss);
    return;
  }
  // A cross-entropy of numbers between 0 and 1: each output's, or over the outputs.
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = std::clamp(static_cast<double>(predictions[i]), 1e-7, 1 - 1e-7);
    const double y = static_cast<double>(values[i]);
    const double other = distribution_ ? 0 : (1 - y) * std::log(1 - p);
    const double cost = -(y * std::log(p) + other);
    loss_sum_ += distribution_ ? cost : cost / static_cast<double>(outputs_);
  }
}

std::optional<double> Scores::of_classes(const std::string& metric) const {
  if (sums_.rows == 0) return std::nullopt;
  if (metric == "accuracy") return sums_.accuracy();
  if (metric == "loss" || metric == "log_loss") return sums_.mean_loss();
  if (metric == "perplexity") return sums_.perplexity();
  if (const auto k = plan::top_k_of(metric)) {
    return std::ranges::find(tops_, *k, &engine::TopK::k)->accuracy();
  }
  using Scored = engine::RankedScores;
  if (metric == "roc_auc") return mean_of(ranked_, [](const Scored& s) { return s.roc_auc(); });
  if (metric == "average_precision")
    return mean_of(ranked_, [](const Scored& s) { return s.average_precision(); });
  if (target_.width == 2) {  // of the second class, the positive one
    if (metric == "precision") return confusion_->precision(1).value_or(0);
    if (metric == "recall") return confusion_->recall(1).value_or(0);
    return confusion_->f1(1).value_or(0);
  }
  const auto macro = confusion_->macro();
  if (!macro) return std::nullopt;
  if (metric == "precision") return macro->precision;
  return metric == "recall" ? macro->recall : macro->f1;
}

std::optional<double> Scores::of_numbers(const std::string& metric) const {
  using Regression = engine::RegressionMetrics;
  if (metric == "loss") {
    if (rows_ == 0) return std::nullopt;
    return loss_sum_ / static_cast<double>(rows_);
  }
  if (metric == "mae") return mean_of(regressions_, [](const Regression& r) { return r.mae(); });
  if (metric == "r2") return mean_of(regressions_, [](const Regression& r) { return r.r2(); });
  const auto squares = mean_of(regressions_, [](const Regression& r) -> std::optional<double> {
    const auto rmse = r.rmse();
    if (!rmse) return std::nullopt;
    return *rmse * *rmse;
  });
  if (!squares) return std::nullopt;
  return std::sqrt(*squares);
}

std::map<std::string, double> Scores::figures() const {
  std::map<std::string, double> figures;
  for (const std::string& metric : metrics_) {
    const auto value =
        target_.kind == data::Target::Kind::numbers ? of_numbers(metric) : of_classes(metric);
    if (value) figures[metric] = *value;
  }
  return figures;
}

}  // namespace entente::participant::training
