// SPDX-License-Identifier: Apache-2.0
#include "common/engine/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "common/base/assert.hpp"
#include "common/base/parallel.hpp"
#include "common/engine/denormals.hpp"
#include "common/engine/kernels.hpp"

namespace entente::engine {
namespace {

constexpr std::size_t block_size = 32'768;

std::uint64_t state_count(const Sgd& sgd, std::uint64_t parameter_count) {
  return sgd.momentum == 0 ? 0 : parameter_count;
}

Result<void> check(const Sgd& sgd) {
  if (!(sgd.learning_rate > 0) || !std::isfinite(sgd.learning_rate)) {
    return Error{Errc::invalid_argument, "learning rate is " + std::to_string(sgd.learning_rate) +
                                             "; expected a number above 0"};
  }
  if (!(sgd.momentum >= 0 && sgd.momentum < 1)) {
    return Error{Errc::invalid_argument, "momentum is " + std::to_string(sgd.momentum) +
                                             "; expected at least 0 and below 1"};
  }
  return ok();
}

}  // namespace

Optimizer::Optimizer(const OptimizerSpec& spec, std::uint64_t parameter_count, Isa isa)
    : spec_(spec),
      parameter_count_(parameter_count),
      isa_(isa),
      state_(static_cast<std::size_t>(state_bytes(spec, parameter_count) / sizeof(float))) {}

Result<Optimizer> Optimizer::make(const OptimizerSpec& spec, std::uint64_t parameter_count,
                                  Isa isa) {
  ENTENTE_ASSERT(supported(isa),
                 "kernels for an instruction set that this processor does not have");
  const auto fine = std::visit([](const auto& kind) { return check(kind); }, spec);
  if (!fine) return fine.error();
  return Optimizer(spec, parameter_count, isa);
}

std::uint64_t Optimizer::state_bytes(const OptimizerSpec& spec, std::uint64_t parameter_count) {
  return std::visit([&](const auto& kind) { return state_count(kind, parameter_count); }, spec) *
         sizeof(float);
}

void Optimizer::step(std::span<const float> gradient, std::span<float> parameters) {
  ENTENTE_ASSERT(gradient.size() == parameter_count_ && parameters.size() == parameter_count_,
                 "an optimiser made for another size");
  const Sgd& sgd = std::get<Sgd>(spec_);
  const SgdUpdate<float> update{static_cast<float>(sgd.learning_rate),
                                static_cast<float>(sgd.momentum), sgd.nesterov};
  const Kernels<float>& kernels = kernels_of<float>(isa_);
  float* velocity = state_.values().empty() ? nullptr : state_.values().data();
  parallel_for((parameters.size() + block_size - 1) / block_size, [&](std::size_t block) {
    const FlushDenormals flush;
    const std::size_t first = block * block_size;
    const std::size_t count = std::min(block_size, parameters.size() - first);
    kernels.sgd(update, gradient.data() + first, velocity == nullptr ? nullptr : velocity + first,
                parameters.data() + first, count);
  });
}

void Optimizer::reset() {
  const auto state = state_.values();
  std::fill(state.begin(), state.end(), 0.0F);
}

}  // namespace entente::engine
