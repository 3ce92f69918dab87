// SPDX-License-Identifier: Apache-2.0
//
// A second reading of the layers' definitions: plain loops over float64, one value at a time, for a
// whole model and batch. Slow, and written without a look at how the engine does it.
#pragma once

#include <cmath>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/engine/network.hpp"
#include "tests/common/engine/twin_rows.hpp"
#include "tests/common/engine/twin_sequences.hpp"
#include "tests/common/engine/twin_windows.hpp"

namespace entente::engine {

class Twin {
 public:
  // The output's probabilities, row after row. `training`: as in a training step (statistics of the
  // batch), but nothing is dropped.
  Twin(const GraphSpec& graph, const tensor::ParameterLayout& layout,
       std::span<const double> parameters)
      : graph_(graph), context_{layout, parameters, false, {}} {}

  std::vector<double> run(std::span<const double> features, std::size_t rows, bool training) {
    context_.training = training;
    std::size_t feature_count = 0, first = 0;
    for (const InputSpec& input : graph_.inputs) feature_count += element_count(input.shape);
    for (const InputSpec& input : graph_.inputs) {
      twin::Values values{input.shape, {}, {}};
      for (std::size_t row = 0; row < rows; ++row) {
        const auto part = features.subspan(row * feature_count + first, element_count(input.shape));
        values.rows.emplace_back(part.begin(), part.end());
      }
      first += element_count(input.shape);
      values_[input.name] = values;
    }
    twin::Values last = values_.at(graph_.inputs.front().name);
    for (const LayerSpec& layer : graph_.layers) {
      std::vector<twin::Values> inputs;
      for (const std::string& name : layer.inputs) inputs.push_back(values_.at(name));
      if (inputs.empty()) inputs.push_back(last);
      context_.name = layer.name;
      last = std::visit([&](const auto& kind) { return twin::on(context_, kind, inputs); },
                        layer.kind);
      values_[layer.name] = last;
    }
    mask_ = last.mask;
    std::vector<double> result;
    for (const auto& row : last.rows) result.insert(result.end(), row.begin(), row.end());
    return result;
  }

  // Of what `run` gave last: Keras' mean over the steps that count.
  double loss(std::span<const double> probabilities, std::span<const std::uint32_t> labels,
              std::size_t classes) const {
    double sum = 0;
    std::size_t counted = 0;
    const std::size_t steps = mask_.empty() ? 1 : mask_.front().size();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] == no_label || (!mask_.empty() && !mask_[i / steps][i % steps])) continue;
      sum -= std::log(probabilities[i * classes + labels[i]]);
      ++counted;
    }
    return counted == 0 ? 0 : sum / static_cast<double>(counted);
  }

 private:
  const GraphSpec& graph_;
  twin::Context context_;
  std::map<std::string, twin::Values> values_;
  std::vector<std::vector<bool>> mask_;
};

}  // namespace entente::engine
