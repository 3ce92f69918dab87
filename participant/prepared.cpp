// SPDX-License-Identifier: Apache-2.0
#include "participant/prepared.hpp"

#include <utility>

#include "common/model/model.hpp"
#include "common/tensor/safetensors.hpp"

namespace entente::participant {

Result<PreparedRef> prepare(std::shared_ptr<const plan::Plan> plan, const data::Source& source,
                            const std::string& participant, std::uint64_t memory_max_bytes) {
  auto network = plan::compile(*plan);
  if (!network) return in_context("the plan's model", network.error());
  data::Limits limits;
  limits.memory_max_bytes = memory_max_bytes;
  auto dataset = data::load(plan->data, source, limits);
  if (!dataset) return dataset.error();
  auto prepared = std::make_shared<Prepared>(Prepared{
      std::move(plan), participant, std::move(*network), std::move(*dataset), data::Split{}});
  prepared->split = training::split_rows(prepared->setting());
  return PreparedRef(std::move(prepared));
}

Suitability suitability_of(const Prepared& prepared) {
  Suitability suitability;
  suitability.training_rows = prepared.split.training.size();
  suitability.holdout_rows = prepared.split.holdout.size();
  suitability.parameters = prepared.network.parameter_count();
  suitability.model_bytes = tensor::safetensors_size_bytes(prepared.network.layout());
  suitability.memory_bytes = training::memory_of(prepared.setting()).total();
  return suitability;
}

}  // namespace entente::participant
