// SPDX-License-Identifier: Apache-2.0
#include "common/engine/network.hpp"

#include <algorithm>
#include <cmath>
#include <new>
#include <string>

#include "common/base/assert.hpp"
#include "common/engine/blueprint.hpp"
#include "common/engine/graph.hpp"

namespace entente::engine {

struct Network::Parts {
  Parts(Blueprint drawn, const Loss& loss32, const Loss64& loss64, Isa chosen)
      : blueprint(std::move(drawn)),
        isa(chosen),
        float32(blueprint, loss32, chosen),
        float64(blueprint, loss64, chosen) {}
  template <class S>
  const Graph<S>& graph() const;

  Blueprint blueprint;
  Isa isa;
  Graph<float> float32;
  Graph<double> float64;
};

template <>
const Graph<float>& Network::Parts::graph<float>() const {
  return float32;
}
template <>
const Graph<double>& Network::Parts::graph<double>() const {
  return float64;
}

namespace {

Error wrong_size(std::string_view what, std::uint64_t expected, std::uint64_t seen) {
  return Error{Errc::invalid_argument, std::string(what) + ": expected " +
                                           std::to_string(expected) + " values, saw " +
                                           std::to_string(seen)};
}

template <class S>
std::optional<UnfitFeature> first_unfit(std::span<const S> features, const Blueprint& blueprint) {
  for (std::size_t index = 0; index < features.size(); ++index) {
    const std::size_t row = index / blueprint.feature_count;
    const std::size_t value = index % blueprint.feature_count;
    if (!std::isfinite(features[index])) return UnfitFeature{row, value, 0};
    for (const Tokens& tokens : blueprint.tokens) {
      const bool inside = value >= tokens.first && value - tokens.first < tokens.count;
      if (inside && !is_token(features[index], tokens.bound))
        return UnfitFeature{row, value, tokens.bound};
    }
  }
  return std::nullopt;
}

// Precondition: some value is not finite, or not the token it must be.
template <class S>
Error not_fine(std::span<const S> features, const Blueprint& blueprint, std::size_t first_row) {
  const auto unfit = first_unfit(features, blueprint);
  ENTENTE_ASSERT(unfit.has_value(), "a value that is not fine");
  const S seen = features[unfit->row * blueprint.feature_count + unfit->value];
  return Error{
      Errc::invalid_argument,
      "features: row " + std::to_string(first_row + unfit->row) + ", value " +
          std::to_string(unfit->value) + " (both from 0) is " + std::to_string(seen) +
          "; expected a " +
          (unfit->bound == 0 ? "finite number"
                             : "whole number from 0 to " + std::to_string(unfit->bound - 1))};
}

}  // namespace

Result<Network> Network::compile(const Shape& input, const std::vector<LayerSpec>& layers,
                                 std::optional<Isa> isa) {
  return compile(GraphSpec{{InputSpec{"input", input}}, layers}, isa);
}

Result<Network> Network::compile(const GraphSpec& graph, std::optional<Isa> isa,
                                 const LossSpec& loss) {
  if (!isa) {
    const auto chosen = chosen_isa();
    if (!chosen) return chosen.error();
    isa = *chosen;
  }
  ENTENTE_ASSERT(supported(*isa),
                 "kernels for an instruction set that this processor does not have");
  auto blueprint = draw_blueprint(graph, taken_by(loss));
  if (!blueprint) return blueprint.error();
  const auto loss32 = Loss::make(loss, blueprint->output.channels, *isa);
  if (!loss32) return in_context("loss", loss32.error());
  const auto loss64 = Loss64::make(loss, blueprint->output.channels, *isa);
  if (!loss64) return loss64.error();
  return Network(std::make_shared<const Parts>(std::move(*blueprint), *loss32, *loss64, *isa));
}

const tensor::ParameterLayout& Network::layout() const {
  return parts_->blueprint.layout;
}
const Shape& Network::input_shape() const {
  return parts_->blueprint.inputs.front().shape;
}
std::span<const InputSpec> Network::inputs() const {
  return parts_->blueprint.inputs;
}
std::size_t Network::input_count() const {
  return parts_->blueprint.feature_count;
}
std::span<const Tokens> Network::tokens() const {
  return parts_->blueprint.tokens;
}
std::size_t Network::output_count() const {
  return parts_->blueprint.output.channels;
}
std::size_t Network::position_count() const {
  return parts_->blueprint.output.positions();
}
Isa Network::isa() const {
  return parts_->isa;
}
std::span<const TensorInitial> Network::initial() const {
  return parts_->blueprint.initial;
}

template <class S>
BasicWorkspace<S> Network::make(std::size_t rows_max, Purpose purpose, const Saving& saving) const {
  ENTENTE_ASSERT(rows_max >= 1, "a workspace for no rows");
  BasicWorkspace<S> workspace;
  workspace.network_ = parts_.get();
  workspace.plan_ = parts_->graph<S>().plan(rows_max, purpose, saving);
  const std::size_t count = std::max(workspace.plan_.total, row_alignment);
  workspace.memory_.reset(static_cast<S*>(std::aligned_alloc(64, count * sizeof(S))));
  if (!workspace.memory_) throw std::bad_alloc();
  std::fill_n(workspace.memory_.get(), count, S{0});
  workspace.losses_.resize(rows_max);
  workspace.finite_.resize(rows_max);
  workspace.first_task_.resize(workspace.plan_.buffers.size());
  return workspace;
}

Workspace Network::make_workspace(std::size_t rows_max, Purpose purpose,
                                  const Saving& saving) const {
  return make<float>(rows_max, purpose, saving);
}
Workspace64 Network::make_workspace64(std::size_t rows_max, Purpose purpose,
                                      const Saving& saving) const {
  return make<double>(rows_max, purpose, saving);
}
std::uint64_t Network::workspace_bytes(std::size_t rows_max, Purpose purpose,
                                       const Saving& saving) const {
  return std::uint64_t{parts_->float32.plan(rows_max, purpose, saving).total} * sizeof(float);
}

template <class S>
Result<void> Network::check_targets(const BasicBatch<S>& batch, std::size_t rows) const {
  const BasicLoss<S>& loss = parts_->graph<S>().loss();
  const std::size_t positions = position_count();
  if (!batch.values.empty() || !loss.takes_labels()) {
    if (!batch.labels.empty())
      return Error{Errc::invalid_argument, "expected targets of numbers alone, saw labels"};
    return loss.check({batch.labels, batch.values}, rows * positions);
  }
  if (batch.labels.size() != rows * positions)
    return wrong_size("labels", rows * positions, batch.labels.size());
  const std::size_t classes = loss.label_count();
  const auto label = std::ranges::find_if(batch.labels, [classes](std::uint32_t value) {
    return value >= classes && value != no_label;
  });
  if (label == batch.labels.end()) return ok();
  const auto index = static_cast<std::size_t>(label - batch.labels.begin());
  const std::string place = positions == 1 ? "" : ", position " + std::to_string(index % positions);
  return Error{Errc::invalid_argument,
               "label " + std::to_string(*label) + " in row " + std::to_string(index / positions) +
                   place + " (from 0); expected 0 to " + std::to_string(classes - 1)};
}

template <class S>
Result<double> Network::train(std::span<const S> parameters, const BasicBatch<S>& batch,
                              std::span<S> gradient, BasicWorkspace<S>& workspace) const {
  ENTENTE_ASSERT(workspace.network_ == parts_.get(), "another network's workspace");
  ENTENTE_ASSERT(workspace.purpose() == Purpose::training,
                 "a workspace for prediction used to train");
  const std::size_t together = workspace.rows_max(), positions = position_count();
  const std::size_t rows = batch.values.empty()
                               ? batch.labels.size() / positions
                               : batch.values.size() / (positions * output_count());
  if (parameters.size() != parameter_count())
    return wrong_size("parameters", parameter_count(), parameters.size());
  if (gradient.size() != parameter_count())
    return wrong_size("gradient", parameter_count(), gradient.size());
  if (const std::size_t values = rows * positions * output_count();
      !batch.values.empty() && batch.values.size() != values)
    return wrong_size("targets", values + positions * output_count(), batch.values.size());
  if (rows == 0 || (rows > together && !workspace.plan_.micro_batches)) {
    return Error{Errc::invalid_argument, "the batch has " + std::to_string(rows) +
                                             " targets; expected 1 to " + std::to_string(together)};
  }
  if (batch.features.size() != rows * input_count())
    return wrong_size("features", rows * input_count(), batch.features.size());
  if (auto fine = check_targets(batch, rows); !fine) return fine.error();
  const Graph<S>& graph = parts_->graph<S>();
  const std::size_t counted =
      graph.count(batch.features.data(), {batch.labels, batch.values}, rows);
  Examples<S> part;
  part.seed = batch.seed;
  part.scale = counted == 0 ? S{0} : S{1} / static_cast<S>(counted);
  S* const part_gradient = workspace.memory_.get() + workspace.plan_.part_gradient;
  double loss = 0;
  for (std::size_t first = 0; first < rows; first += together) {
    part.first_row = first;
    part.rows = std::min(together, rows - first);
    const auto features = batch.features.subspan(first * input_count(), part.rows * input_count());
    part.features = features.data();
    const auto of_part = [&](auto targets, std::size_t width) {
      return targets.empty() ? targets : targets.subspan(first * width, part.rows * width);
    };
    part.targets = {of_part(batch.labels, positions),
                    of_part(batch.values, positions * output_count())};
    S* const into = first == 0 ? gradient.data() : part_gradient;
    bool fine = true;
    loss += graph.train(parameters.data(), part, into, workspace, fine);
    if (!fine) return not_fine(features, parts_->blueprint, first);
    if (first != 0) graph.add(part_gradient, gradient.data(), gradient.size());
  }
  loss /= static_cast<double>(std::max<std::size_t>(counted, 1));
  if (std::isfinite(loss)) return loss;
  return Error{Errc::invalid_argument,
               "the loss is not finite: the parameters have diverged; try a lower learning rate"};
}

template <class S>
Result<void> Network::infer(std::span<const S> parameters, std::span<const S> features,
                            std::span<S> predictions, BasicWorkspace<S>& workspace) const {
  ENTENTE_ASSERT(workspace.network_ == parts_.get(), "another network's workspace");
  const std::size_t rows = features.size() / input_count();
  const std::size_t of_row = position_count() * output_count();
  if (parameters.size() != parameter_count())
    return wrong_size("parameters", parameter_count(), parameters.size());
  if (features.size() != rows * input_count())
    return wrong_size("features", rows * input_count(), features.size());
  if (predictions.size() != rows * of_row)
    return wrong_size("predictions", rows * of_row, predictions.size());
  for (std::size_t row = 0; row < rows; row += workspace.rows_max()) {
    const std::size_t together = std::min(workspace.rows_max(), rows - row);
    const auto part = features.subspan(row * input_count(), together * input_count());
    if (!parts_->graph<S>().predict(parameters.data(), part.data(), together,
                                    predictions.data() + row * of_row, workspace)) {
      return not_fine(part, parts_->blueprint, row);
    }
  }
  return ok();
}

std::optional<UnfitFeature> Network::unfit(std::span<const float> features) const {
  return first_unfit(features, parts_->blueprint);
}

void Network::write_state(std::span<float> parameters, Workspace& workspace) const {
  ENTENTE_ASSERT(parameters.size() == parameter_count(), "another network's parameters");
  parts_->float32.write_state(parameters.data(), workspace);
}
void Network::write_state(std::span<double> parameters, Workspace64& workspace) const {
  ENTENTE_ASSERT(parameters.size() == parameter_count(), "another network's parameters");
  parts_->float64.write_state(parameters.data(), workspace);
}

Result<double> Network::loss_and_gradient(std::span<const float> parameters, const Batch& batch,
                                          std::span<float> gradient, Workspace& workspace) const {
  return train(parameters, batch, gradient, workspace);
}
Result<double> Network::loss_and_gradient(std::span<const double> parameters, const Batch64& batch,
                                          std::span<double> gradient,
                                          Workspace64& workspace) const {
  return train(parameters, batch, gradient, workspace);
}
Result<void> Network::predict(std::span<const float> parameters, std::span<const float> features,
                              std::span<float> predictions, Workspace& workspace) const {
  return infer(parameters, features, predictions, workspace);
}
Result<void> Network::predict(std::span<const double> parameters, std::span<const double> features,
                              std::span<double> predictions, Workspace64& workspace) const {
  return infer(parameters, features, predictions, workspace);
}

}  // namespace entente::engine
