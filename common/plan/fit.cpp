// SPDX-License-Identifier: Apache-2.0
#include "common/plan/fit.hpp"

#include <string>
#include <utility>

#include "common/base/text.hpp"
#include "common/plan/metrics.hpp"

namespace entente::plan {
namespace {

Error wrong(std::string detail) {
  return Error{Errc::malformed, std::move(detail)};
}

// A model with one input takes a row as the data have it; several share its features, in order.
Result<void> check_inputs(const Plan& plan) {
  const auto& inputs = plan.model.graph.inputs;
  const engine::Shape shape = plan.data.input_shape();
  if (inputs.size() == 1) {
    if (inputs.front().shape == shape) return ok();
    return wrong("model: expected an input of " + engine::to_text(shape) +
                 " as the data have, saw " + engine::to_text(inputs.front().shape));
  }
  std::uint64_t features = 0;
  for (const engine::InputSpec& input : inputs) features += engine::element_count(input.shape);
  if (features == plan.data.feature_count()) return ok();
  return wrong("model: expected inputs of " + std::to_string(plan.data.feature_count()) +
               " values together as the data have features, saw " + std::to_string(features));
}

// An Embedding has a row for every number that the data's own vocabulary or categories make. What a
// numeric column holds no plan knows: training looks at that.
Result<void> check_tokens(const Plan& plan, const engine::Network& network) {
  for (const data::FeatureRange& range : plan.data.feature_ranges()) {
    for (const engine::Tokens& tokens : network.tokens()) {
      const bool apart =
          range.first + range.count <= tokens.first || tokens.first + tokens.count <= range.first;
      if (apart || range.bound <= tokens.bound) continue;
      return wrong("model: layer " + in_quotes(tokens.layer) +
                   ": expected input_dim to be at least " + std::to_string(range.bound) + " as " +
                   range.name + " of the data makes so many numbers, saw " +
                   std::to_string(tokens.bound));
    }
  }
  return ok();
}

Result<void> check_outputs(const Plan& plan, const engine::Network& network) {
  const data::Target target = plan.data.target();
  const bool classes = target.kind == data::Target::Kind::classes;
  const engine::LossInput takes = engine::taken_by(plan.training.loss);
  if (network.position_count() != target.positions) {
    return wrong("model: expected " +
                 (target.positions == 1 ? "one prediction"
                                        : std::to_string(target.positions) + " predictions") +
                 " for each example as the data have, saw " +
                 std::to_string(network.position_count()));
  }
  if (classes && takes == engine::LossInput::predictions)
    return wrong("training.loss: expected a cross-entropy, as the data have classes");
  const bool binary = classes && takes == engine::LossInput::sigmoid_logits;
  if (binary && target.width != 2) {
    return wrong("training.loss: 'binary_crossentropy' needs 2 classes, the data have " +
                 std::to_string(target.width));
  }
  const std::size_t expected = binary ? 1 : target.width;
  if (network.output_count() == expected) return ok();
  return wrong("model: expected " + std::to_string(expected) + " outputs " +
               (binary ? "for two classes"
                       : "as the data have " + std::string(classes ? "classes" : "targets")) +
               ", saw " + std::to_string(network.output_count()));
}

Result<void> check_metric(const data::Target& target, const std::string& name) {
  const Metric& metric = *find_metric(name);
  const bool classes = target.kind == data::Target::Kind::classes;
  const Metric::For here = classes ? Metric::For::classes : Metric::For::numbers;
  if (metric.targets != Metric::For::any && metric.targets != here) {
    return wrong("evaluation.metrics: " + in_quotes(name) + " is for " +
                 (classes ? "numbers, the data have classes" : "classes, the data have numbers"));
  }
  if (const auto k = top_k_of(name); k && *k >= target.width) {
    return wrong("evaluation.metrics: " + in_quotes(name) + " of " + std::to_string(target.width) +
                 " classes is always 1");
  }
  if (metric.classes_max != 0 && target.width > metric.classes_max) {
    return wrong("evaluation.metrics: " + in_quotes(name) + " is for at most " +
                 std::to_string(metric.classes_max) + " classes, the data have " +
                 std::to_string(target.width));
  }
  return ok();
}

}  // namespace

Result<void> check_fit(const Plan& plan) {
  if (plan.rules.quorum > plan.rules.cohort) {
    return wrong("rounds.quorum: expected at most rounds.cohort = " +
                 std::to_string(plan.rules.cohort) + ", saw " + std::to_string(plan.rules.quorum));
  }
  if (plan.rules.target != 0 &&
      (plan.rules.target < plan.rules.quorum || plan.rules.target > plan.rules.cohort)) {
    return wrong("rounds.target: expected rounds.quorum = " + std::to_string(plan.rules.quorum) +
                 " to rounds.cohort = " + std::to_string(plan.rules.cohort) + ", saw " +
                 std::to_string(plan.rules.target));
  }
  if (plan.rules.evaluation_quorum > plan.rules.cohort) {
    return wrong(
        "evaluation.quorum: expected at most rounds.cohort = " + std::to_string(plan.rules.cohort) +
        ", saw " + std::to_string(plan.rules.evaluation_quorum));
  }
  if (plan.rules.cohort > publishable_cohort(plan.rules)) {
    return wrong(
        "rounds.cohort: expected at most " + std::to_string(publishable_cohort(plan.rules)) +
        " with evaluation.publish = \"per-participant\", saw " + std::to_string(plan.rules.cohort));
  }
  if (auto fits = check_inputs(plan); !fits) return fits;
  const auto network = compile(plan);
  if (!network) return wrong(network.error().detail);
  if (auto fits = check_tokens(plan, *network); !fits) return fits;
  if (auto fits = check_outputs(plan, *network); !fits) return fits;
  for (const std::string& metric : plan.rules.metrics) {
    if (auto fits = check_metric(plan.data.target(), metric); !fits) return fits;
  }
  return ok();
}

}  // namespace entente::plan
