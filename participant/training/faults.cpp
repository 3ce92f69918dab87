// SPDX-License-Identifier: Apache-2.0
#include "participant/training/faults.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "common/base/text.hpp"
#include "common/engine/loss.hpp"

namespace entente::participant::training {
namespace {

// The number that the loss does not take, by its column. Only tables have targets of numbers.
std::string column_of(const plan::Plan& plan, const engine::TargetFault& fault) {
  const auto& targets = std::get<data::Table>(plan.data.kind).targets;
  if (fault.value) return "column " + in_quotes(targets[*fault.value].name);
  return "the targets together";
}

// Without what was seen.
Error error_of(const plan::Plan& plan, std::size_t row, const engine::TargetFault& fault) {
  const auto& targets = std::get<data::Table>(plan.data.kind).targets;
  const bool scaled = std::ranges::any_of(targets, [](const data::TargetColumn& target) {
    return target.mean != 0 || target.deviation != 1;
  });
  return {Errc::malformed, place_of(row) + ": " + column_of(plan, fault) + ": expected " +
                               (fault.value ? "" : "a sum of ") + fault.expected +
                               (scaled ? " after scaling" : "") + ", as the plan's loss takes"};
}

// The row's first position whose numbers the loss does not take.
std::optional<engine::TargetFault> target_fault(const Setting& setting, std::size_t row) {
  const std::span<const float> answers = setting.dataset.answers(row);
  const std::size_t width = setting.dataset.target().width;
  for (std::size_t first = 0; first < answers.size(); first += width) {
    auto fault = engine::fault_of(setting.plan.training.loss, answers.subspan(first, width));
    if (fault) return fault;
  }
  return std::nullopt;
}

bool has_numbers(const Setting& setting) {
  return setting.dataset.target().kind == data::Target::Kind::numbers;
}

std::string name_of_feature(const plan::Plan& plan, std::size_t feature) {
  for (const data::FeatureRange& range : plan.data.feature_ranges()) {
    if (feature >= range.first && feature - range.first < range.count) return range.name;
  }
  return "feature " + std::to_string(feature + 1);
}

}  // namespace

std::string place_of(std::size_t row) {
  return "row " + std::to_string(row + 1);
}

Result<void> check_targets(const Setting& setting, data::Cells cells) {
  if (!has_numbers(setting)) return ok();
  for (std::size_t row = 0; row < setting.dataset.rows(); ++row) {
    const auto fault = target_fault(setting, row);
    if (!fault) continue;
    Error error = error_of(setting.plan, row, *fault);
    if (cells == data::Cells::told) error.detail += ", saw " + std::to_string(fault->seen);
    return error;
  }
  return ok();
}

Error in_terms_of_data(const Setting& setting, std::span<const std::uint32_t> rows,
                       const engine::Batch& batch, Error error) {
  if (const auto unfit = setting.network.unfit(batch.features)) {
    const std::string expected = unfit->bound == 0 ? "a finite number"
                                                   : "a whole number from 0 to " +
                                                         std::to_string(unfit->bound - 1) +
                                                         ", as the model's Embedding takes";
    return {Errc::malformed, place_of(rows[unfit->row]) + ": " +
                                 name_of_feature(setting.plan, unfit->value) + ": expected " +
                                 expected};
  }
  if (!has_numbers(setting)) return error;
  for (const std::uint32_t row : rows) {
    if (const auto fault = target_fault(setting, row)) return error_of(setting.plan, row, *fault);
  }
  return error;
}

}  // namespace entente::participant::training
