// SPDX-License-Identifier: Apache-2.0
#include "coordinator/work.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "common/base/parallel.hpp"
#include "common/engine/initial.hpp"
#include "common/model/model.hpp"
#include "common/tensor/safetensors.hpp"
#include "coordinator/aggregation/aggregation.hpp"

namespace entente::coordinator {
namespace {

// One task's coordinates (half as many or twice as many are slower by a tenth: calls, caches), and
// how many tasks make a block that is written and hashed at once: 8 MiB of model in memory.
constexpr std::uint64_t task_floats = 64U << 10U;
constexpr std::uint64_t block_floats = 32 * task_floats;

// The open files of a round, and the shares of their owners, in order of names.
struct Inputs {
  File model;
  std::vector<File> updates;
  std::vector<double> weights;
  std::uint64_t prefix_bytes = 0;
};

Result<Inputs> open_inputs(const Store& store, const round::Aggregate& task,
                           const tensor::ParameterLayout& layout) {
  auto model = File::open(store.model_path(task.model), File::Mode::read);
  if (!model) return model.error();
  Inputs inputs{std::move(*model), {}, {}, tensor::safetensors_prefix(layout).size()};
  std::vector<std::uint64_t> examples;
  for (const auto& [name, acceptance] : task.updates) {
    auto update = File::open(store.update_path(name, acceptance.update), File::Mode::read);
    if (!update) return update.error();
    inputs.updates.push_back(std::move(*update));
    examples.push_back(acceptance.examples);
  }
  inputs.weights = aggregation::weights_of(examples);
  return inputs;
}

Result<void> read_floats(const File& file, std::uint64_t prefix_bytes, std::uint64_t first,
                         std::span<float> into) {
  return file.read_at(prefix_bytes + first * sizeof(float), std::as_writable_bytes(into));
}

// The average of coordinates [first, first + model.size()), into `model`.
Result<void> average_part(const Inputs& inputs, std::uint64_t first, std::span<float> model) {
  thread_local std::vector<double> sum;
  thread_local std::vector<float> update;
  sum.assign(model.size(), 0.0);
  update.resize(model.size());
  if (auto read = read_floats(inputs.model, inputs.prefix_bytes, first, model); !read) return read;
  for (std::size_t i = 0; i < inputs.updates.size(); ++i) {
    // Cut, or on a part of the disk that is broken: as good as lost, and to be asked for again.
    if (auto read = read_floats(inputs.updates[i], inputs.prefix_bytes, first, update); !read)
      return Error{Errc::corrupt, "an accepted update: " + read.error().detail};
    aggregation::add_weighted(update, inputs.weights[i], sum);
  }
  aggregation::finish(sum, model);
  return ok();
}

// The same for a block of many parts, on all cores, while `meanwhile` is done by one of them.
Result<void> average_block(const Inputs& inputs, std::uint64_t first, std::span<float> block,
                           const std::function<Result<void>()>& meanwhile) {
  const std::size_t parts = (block.size() + task_floats - 1) / task_floats;
  std::vector<Result<void>> outcomes(parts + 1, ok());
  parallel_for(parts + 1, [&](std::size_t task) {
    if (task == 0) {
      outcomes[task] = meanwhile();
      return;
    }
    const std::size_t at = (task - 1) * task_floats;
    const std::size_t size = std::min<std::size_t>(task_floats, block.size() - at);
    outcomes[task] = average_part(inputs, first + at, block.subspan(at, size));
  });
  for (Result<void>& outcome : outcomes) {
    if (!outcome) return outcome;
  }
  return ok();
}

}  // namespace

Result<Digest> prepare_model(const Store& store, const plan::Plan& plan) {
  auto network = plan::compile(plan);
  if (!network) return network.error();
  auto writer = ModelWriter::begin(store, network->layout());
  if (!writer) return writer.error();
  std::vector<float> block;
  const std::uint64_t count = network->parameter_count();
  for (std::uint64_t first = 0; first < count; first += block_floats) {
    block.resize(std::min(block_floats, count - first));
    engine::initial_values(*network, plan.training.seed, first, block);
    if (auto written = writer->append(block); !written) return written.error();
  }
  return writer->finish();
}

Result<void> average(const Store& store, const tensor::ParameterLayout& layout,
                     const round::Aggregate& task,
                     const std::function<Result<void>(std::span<const float>)>& take) {
  auto inputs = open_inputs(store, task, layout);
  if (!inputs) return inputs.error();
  // One block is taken while the next is averaged.
  std::vector<float> block, former;
  const auto take_former = [&] { return former.empty() ? ok() : take(former); };
  const std::uint64_t count = layout.parameter_count();
  for (std::uint64_t first = 0; first < count; first += block_floats) {
    block.resize(std::min(block_floats, count - first));
    if (auto done = average_block(*inputs, first, block, take_former); !done) return done;
    std::swap(block, former);
  }
  return take_former();
}

Result<Digest> aggregate(const Store& store, const tensor::ParameterLayout& layout,
                         const round::Aggregate& task) {
  auto writer = ModelWriter::begin(store, layout);
  if (!writer) return writer.error();
  auto averaged = average(store, layout, task,
                          [&](std::span<const float> block) { return writer->append(block); });
  if (!averaged)
    return in_context("aggregating round " + std::to_string(task.round), averaged.error());
  return writer->finish();
}

}  // namespace entente::coordinator
