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
  Parts(Blueprint drawn, Isa chosen)
      : blueprint(std::move(drawn)),
        isa(chosen),
        float32(blueprint, chosen),
        float64(blueprint, chosen) {}
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

// Precondition: some value is not finite, or not the token it must be.
template <class S>
Error not_fine(std::span<const S> features, const Blueprint& blueprint, std::size_t first_row) {
  const std::size_t input_count = blueprint.feature_count;
  std::size_t index = 0;
  std::uint64_t bound = 0;  // of the token that it is not
  for (; index < features.size(); ++index) {
    if (!std::isfinite(features[index])) break;
    for (const Tokens& tokens : blueprint.tokens) {
      const std::size_t value = index % input_count;
      const bool inside = value >= tokens.first && value - tokens.first < tokens.count;
      if (inside && !is_token(features[index], tokens.bound)) bound = tokens.bound;
    }
    if (bound != 0) break;
  }
  ENTENTE_ASSERT(index < features.size(), "a value that is not fine");
  return Error{
      Errc::invalid_argument,
      "features: row " + std::to_string(first_row + index / input_count) + ", value " +
          std::to_string(index % input_count) + " (both from 0) is " +
          std::to_string(features[index]) + "; expected a " +
          (bound == 0 ? "finite number" : "whole number from 0 to " + std::to_string(bound - 1))};
}

}  // namespace

Result<Network> Network::compile(const Shape& input, const std::vector<LayerSpec>& layers,
                                 std::optional<Isa> isa) {
  return compile(GraphSpec{{InputSpec{"input", input}}, layers}, isa);
}

Result<Network> Network::compile(const GraphSpec& graph, std::optional<Isa> isa) {
  if (!isa) {
    const auto chosen = chosen_isa();
    if (!chosen) return chosen.error();
    isa = *chosen;
  }
  ENTENTE_ASSERT(supported(*isa),
                 "kernels for an instruction set that this processor does not have");
  auto blueprint = draw_blueprint(graph);
  if (!blueprint) return blueprint.error();
  return Network(std::make_shared<const Parts>(std::move(*blueprint), *isa));
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
std::size_t Network::class_count() const {
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
BasicWorkspace<S> Network::make(std::size_t rows_max, Purpose purpose) const {
  ENTENTE_ASSERT(rows_max >= 1, "a workspace for no rows");
  BasicWorkspace<S> workspace;
  workspace.network_ = parts_.get();
  workspace.plan_ = parts_->graph<S>().plan(rows_max, purpose);
  const std::size_t count = std::max(workspace.plan_.total, row_alignment);
  workspace.memory_.reset(static_cast<S*>(std::aligned_alloc(64, count * sizeof(S))));
  if (!workspace.memory_) throw std::bad_alloc();
  std::fill_n(workspace.memory_.get(), count, S{0});
  workspace.losses_.resize(rows_max);
  workspace.finite_.resize(rows_max);
  workspace.first_task_.resize(workspace.plan_.buffers.size());
  return workspace;
}

Workspace Network::make_workspace(std::size_t rows_max, Purpose purpose) const {
  return make<float>(rows_max, purpose);
}
Workspace64 Network::make_workspace64(std::size_t rows_max, Purpose purpose) const {
  return make<double>(rows_max, purpose);
}
std::uint64_t Network::workspace_bytes(std::size_t rows_max, Purpose purpose) const {
  return std::uint64_t{parts_->float32.plan(rows_max, purpose).total} * sizeof(float);
}

Result<void> Network::check_labels(std::span<const std::uint32_t> labels) const {
  const auto label = std::find_if(labels.begin(), labels.end(), [this](std::uint32_t value) {
    return value >= class_count() && value != no_label;
  });
  if (label == labels.end()) return ok();
  const auto index = static_cast<std::size_t>(label - labels.begin());
  const std::string place =
      position_count() == 1 ? "" : ", position " + std::to_string(index % position_count());
  return Error{Errc::invalid_argument, "label " + std::to_string(*label) + " in row " +
                                           std::to_string(index / position_count()) + place +
                                           " (from 0); expected 0 to " +
                                           std::to_string(class_count() - 1)};
}

template <class S>
Result<double> Network::train(std::span<const S> parameters, const BasicBatch<S>& batch,
                              std::span<S> gradient, BasicWorkspace<S>& workspace) const {
  ENTENTE_ASSERT(workspace.network_ == parts_.get(), "another network's workspace");
  ENTENTE_ASSERT(workspace.purpose() == Purpose::training,
                 "a workspace for prediction used to train");
  const std::size_t rows = batch.labels.size() / position_count();
  if (parameters.size() != parameter_count())
    return wrong_size("parameters", parameter_count(), parameters.size());
  if (gradient.size() != parameter_count())
    return wrong_size("gradient", parameter_count(), gradient.size());
  if (batch.labels.size() != rows * position_count())
    return wrong_size("labels", (rows + 1) * position_count(), batch.labels.size());
  if (rows == 0 || rows > workspace.rows_max()) {
    return Error{Errc::invalid_argument, "the batch has " + std::to_string(rows) +
                                             (position_count() == 1 ? " labels" : " rows") +
                                             "; expected 1 to " +
                                             std::to_string(workspace.rows_max())};
  }
  if (batch.features.size() != rows * input_count()) {
    return wrong_size("features", rows * input_count(), batch.features.size());
  }
  if (auto fine = check_labels(batch.labels); !fine) return fine.error();
  bool finite = true;
  const Examples<S> examples{batch.features.data(), batch.labels, rows, batch.seed};
  const double loss =
      parts_->graph<S>().train(parameters.data(), examples, gradient.data(), workspace, finite);
  if (!finite) return not_fine(batch.features, parts_->blueprint, 0);
  if (!std::isfinite(loss)) {
    return Error{Errc::invalid_argument,
                 "the loss is not finite: the parameters have diverged; try a lower learning rate"};
  }
  return loss;
}

template <class S>
Result<void> Network::classify(std::span<const S> parameters, std::span<const S> features,
                               std::span<S> probabilities, BasicWorkspace<S>& workspace) const {
  ENTENTE_ASSERT(workspace.network_ == parts_.get(), "another network's workspace");
  const std::size_t rows = features.size() / input_count();
  const std::size_t output_count = position_count() * class_count();
  if (parameters.size() != parameter_count())
    return wrong_size("parameters", parameter_count(), parameters.size());
  if (features.size() != rows * input_count())
    return wrong_size("features", rows * input_count(), features.size());
  if (probabilities.size() != rows * output_count) {
    return wrong_size("probabilities", rows * output_count, probabilities.size());
  }
  for (std::size_t row = 0; row < rows; row += workspace.rows_max()) {
    const std::size_t together = std::min(workspace.rows_max(), rows - row);
    const auto part = features.subspan(row * input_count(), together * input_count());
    if (!parts_->graph<S>().predict(parameters.data(), part.data(), together,
                                    probabilities.data() + row * output_count, workspace)) {
      return not_fine(part, parts_->blueprint, row);
    }
  }
  return ok();
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
                              std::span<float> probabilities, Workspace& workspace) const {
  return classify(parameters, features, probabilities, workspace);
}
Result<void> Network::predict(std::span<const double> parameters, std::span<const double> features,
                              std::span<double> probabilities, Workspace64& workspace) const {
  return classify(parameters, features, probabilities, workspace);
}

}  // namespace entente::engine
