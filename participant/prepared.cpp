// SPDX-License-Identifier: Apache-2.0
#include "participant/prepared.hpp"

#include <fmt/format.h>
#include <utility>

#include "common/model/model.hpp"
#include "common/tensor/safetensors.hpp"
#include "participant/training/faults.hpp"

namespace entente::participant {

namespace {

Result<PreparedRef> read_rows(std::shared_ptr<const plan::Plan> plan, const data::Source& source,
                              const std::string& participant, std::uint64_t memory_max_bytes,
                              data::Cells cells) {
  auto network = plan::compile(*plan);
  if (!network) return in_context("the plan's model", network.error());
  data::Limits limits;
  limits.memory_max_bytes = memory_max_bytes;
  auto dataset = data::load(plan->data, source, limits, cells);
  if (!dataset) return dataset.error();
  auto prepared = std::make_shared<Prepared>(Prepared{
      std::move(plan), participant, std::move(*network), std::move(*dataset), data::Split{}});
  if (auto fits = training::check_targets(prepared->setting(), cells); !fits) {
    return in_context(source.table.string(), fits.error());
  }
  prepared->split = training::split_rows(prepared->setting());
  return PreparedRef(std::move(prepared));
}

}  // namespace

Result<PreparedRef> prepare(std::shared_ptr<const plan::Plan> plan, const data::Source& source,
                            const std::string& participant, std::uint64_t memory_max_bytes,
                            data::Cells cells) {
  try {
    return read_rows(std::move(plan), source, participant, memory_max_bytes, cells);
  } catch (const std::bad_alloc&) {
    return Error{Errc::rejected, "there is not enough memory here for the data"};
  }
}

Error too_large(const Prepared& prepared) {
  const training::Memory memory = training::memory_of(prepared.setting());
  return {Errc::rejected, "needs " + in_units(memory.total()) + " of memory (workspace " +
                              in_units(memory.activations) + ", parameters " +
                              in_units(memory.parameters) + ", optimizer " +
                              in_units(memory.optimizer) + ", evaluation " +
                              in_units(memory.evaluation) +
                              "), more than there is; try micro_batch, recompute or a smaller "
                              "batch_size"};
}

std::string in_units(std::uint64_t bytes) {
  constexpr double kibibyte = 1U << 10U, mebibyte = 1U << 20U;
  const auto size = static_cast<double>(bytes);
  if (size < mebibyte / 10) return fmt::format("{:.1f} KiB", size / kibibyte);
  return fmt::format("{:.1f} MiB", size / mebibyte);
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
