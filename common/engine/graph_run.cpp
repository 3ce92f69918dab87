// SPDX-License-Identifier: Apache-2.0
//
// How a graph runs. How it is built: graph.cpp; how it lies in memory: graph_memory.cpp.
#include <algorithm>

#include "common/base/assert.hpp"
#include "common/base/parallel.hpp"
#include "common/engine/denormals.hpp"
#include "common/engine/graph.hpp"
#include "common/engine/network.hpp"

namespace entente::engine {

template <class S>
Pass<S> Graph<S>::pass_over(const S* parameters, const S* features, std::size_t rows,
                            BasicWorkspace<S>& workspace) const {
  ENTENTE_ASSERT(rows <= workspace.rows_max(), "a batch larger than its workspace");
  Pass<S> pass;
  pass.kernels = kernels_;
  pass.parameters = parameters;
  pass.features = features;
  pass.feature_count = feature_count_;
  pass.memory = workspace.memory_.get();
  pass.buffers = workspace.plan_.buffers.data();
  pass.scratch = workspace.plan_.scratch;
  pass.scratch_size = workspace.plan_.scratch_size;
  pass.rows = rows;
  pass.purpose = workspace.purpose();
  return pass;
}

template <class S>
void Graph<S>::run_tasks(const Pass<S>& pass, const Run& run, TaskCount task_count, Task task,
                         BasicWorkspace<S>& workspace) const {
  const auto first = std::span(workspace.first_task_).first(run.count());
  std::size_t total = 0;
  for (std::size_t i = 0; i < run.count(); ++i) {
    first[i] = total;
    total += (*operations_[run.first + i].*task_count)(pass.rows);
  }
  parallel_for(total, [&](std::size_t index) {
    const FlushDenormals flush;
    const auto next = std::upper_bound(first.begin(), first.end(), index);
    const auto i = static_cast<std::size_t>(next - first.begin()) - 1;
    (*operations_[run.first + i].*task)(pass, index - first[i]);
  });
}

template <class S>
void Graph<S>::find_gradients(const Pass<S>& pass, const Run& run,
                              BasicWorkspace<S>& workspace) const {
  run_tasks(pass, run, &Operation<S>::gradient_tasks, &Operation<S>::gradient, workspace);
  run_tasks(pass, run, &Operation<S>::reduce_tasks, &Operation<S>::reduce, workspace);
}

// Operations that work by row: [first, last) around operation i.
template <class S>
typename Graph<S>::Run Graph<S>::run_around(std::size_t i, const Run& within) const {
  Run run{i, i + 1};
  if (!operations_[i]->works_by_row()) return run;
  while (run.first > within.first && operations_[run.first - 1]->works_by_row()) --run.first;
  while (run.last < within.last && operations_[run.last]->works_by_row()) ++run.last;
  return run;
}

template <class S>
bool Graph<S>::features_fine(const Pass<S>& pass, Rows rows) const {
  const S* features = pass.features + rows.first * feature_count_;
  if (!kernels_->all_finite(features, rows.count() * feature_count_)) return false;
  for (const Tokens& tokens : tokens_) {
    for (std::size_t row = 0; row < rows.count(); ++row) {
      const S* first = features + row * feature_count_ + tokens.first;
      if (!std::all_of(first, first + tokens.count,
                       [&](S value) { return is_token(value, tokens.bound); }))
        return false;
    }
  }
  return true;
}

template <class S>
void Graph<S>::forward(const Pass<S>& pass, const Run& run, const Block& block) const {
  for (std::size_t begin = run.first; begin < run.last;) {
    const Run together = run_around(begin, run);
    const std::size_t step = operations_[begin]->works_by_row() ? 1 : block.rows.count();
    for (std::size_t row = block.rows.first; row < block.rows.last; row += step) {
      for (std::size_t i = together.first; i < together.last; ++i)
        operations_[i]->forward(pass, {row, row + step}, block);
    }
    begin = together.last;
  }
}

template <class S>
void Graph<S>::backward(const Pass<S>& pass, const Run& run, const Block& block) const {
  for (std::size_t end = run.last; end > run.first;) {
    const Run together = run_around(end - 1, run);
    const std::size_t step = operations_[end - 1]->works_by_row() ? 1 : block.rows.count();
    for (std::size_t row = block.rows.first; row < block.rows.last; row += step) {
      for (std::size_t i = together.last; i-- > together.first;) {
        if (goes_back_[i]) operations_[i]->backward(pass, {row, row + step}, block);
      }
    }
    end = together.first;
  }
}

template <class S>
bool Graph<S>::position_counts(const Pass<S>& pass, const BasicTargets<S>& targets, std::size_t row,
                               std::size_t position) const {
  const bool labelled =
      targets.labels.empty() || targets.labels[row * positions_ + position] != no_label;
  return labelled && (!mask_ || pass.counts(*mask_, row, position));
}

template <class S>
std::size_t Graph<S>::count(const S* features, const BasicTargets<S>& targets,
                            std::size_t rows) const {
  Pass<S> pass;
  pass.features = features;
  pass.feature_count = feature_count_;
  std::size_t counted = 0;
  for (std::size_t i = 0; i < rows * positions_; ++i)
    counted += position_counts(pass, targets, i / positions_, i % positions_) ? 1U : 0U;
  return counted;
}

template <class S>
void Graph<S>::lose(const Pass<S>& pass, Rows rows, const Examples<S>& examples,
                    std::vector<S>& losses) const {
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    S loss = 0;
    for (std::size_t position = 0; position < positions_; ++position) {
      const S* outputs = pass.input(outputs_value_, row) + position * outputs_;
      S* gradient = pass.gradient_of(outputs_value_, row) + position * outputs_;
      if (position_counts(pass, examples.targets, row, position)) {
        loss += loss_.row(outputs, examples.targets, row * positions_ + position, examples.scale,
                          gradient);
      } else {
        std::fill_n(gradient, outputs_, S{0});
      }
    }
    losses[row] = loss;
  }
}

template <class S>
void Graph<S>::clear(const Pass<S>& pass, const Stretch& stretch, const Block& block) const {
  for (const std::size_t buffer : stretch.cleared) {
    const std::size_t size = row_size(buffer, Purpose::training);
    std::fill_n(pass.buffer(buffer) + block.rows.first * size, block.rows.count() * size, S{0});
  }
}

template <class S>
void Graph<S>::forward_stage(const Pass<S>& pass, const MemoryPlan& plan, std::size_t stage,
                             const Block& block) const {
  const Stage& now = plan.stages[stage];
  for (const Stretch& stretch : plan.stretches)
    if (stretch.first == stage) clear(pass, stretch, block);
  forward(pass, {now.first, now.last}, block);
  const bool meeting = stage + 1 < plan.stages.size() && plan.stages[stage + 1].meets;
  if (meeting) operations_[now.last]->gather(pass, block);
}

// From behind the stage's meeting, if it has one, to the next stage's, that included.
template <class S>
void Graph<S>::backward_stage(const Pass<S>& pass, const MemoryPlan& plan, std::size_t stage,
                              const Block& block) const {
  const Stage& now = plan.stages[stage];
  const bool meeting = stage + 1 < plan.stages.size() && plan.stages[stage + 1].meets;
  backward(pass, {now.first + (now.meets ? 1 : 0), now.last + (meeting ? 1 : 0)}, block);
  if (now.meets) operations_[now.first]->gather_gradient(pass, block);
}

// All stages forward, and the last one backward; false: some feature is not fine.
template <class S>
bool Graph<S>::run_forward(const Pass<S>& pass, const Examples<S>& examples,
                           BasicWorkspace<S>& workspace) const {
  const MemoryPlan& plan = workspace.plan_;
  const std::size_t blocks = block_count(pass.rows), last = plan.stages.size() - 1;
  for (std::size_t stage = 0; stage <= last; ++stage) {
    if (plan.stages[stage].meets) operations_[plan.stages[stage].first]->meet(pass);
    parallel_for(blocks, [&](std::size_t index) {
      const FlushDenormals flush;
      const Block block = block_of(index, pass.rows);
      if (stage == 0) workspace.finite_[index] = features_fine(pass, block.rows) ? 1 : 0;
      if (workspace.finite_[index] == 0) return;
      forward_stage(pass, plan, stage, block);
      if (stage < last) return;
      lose(pass, block.rows, examples, workspace.losses_);
      backward_stage(pass, plan, stage, block);
    });
    const auto blocks_end = workspace.finite_.begin() + static_cast<std::ptrdiff_t>(blocks);
    if (std::count(workspace.finite_.begin(), blocks_end, 0) != 0) return false;
  }
  return true;
}

template <class S>
void Graph<S>::recompute(const Pass<S>& pass, const Stretch& stretch,
                         const MemoryPlan& plan) const {
  for (std::size_t stage = stretch.first; stage < stretch.last; ++stage) {
    if (plan.stages[stage].meets) operations_[plan.stages[stage].first]->meet(pass);
    parallel_for(block_count(pass.rows), [&](std::size_t index) {
      const FlushDenormals flush;
      forward_stage(pass, plan, stage, block_of(index, pass.rows));
    });
  }
}

// What run_forward left: stretch by stretch, each with its parameters' gradients.
template <class S>
void Graph<S>::run_backward(const Pass<S>& pass, BasicWorkspace<S>& workspace) const {
  const MemoryPlan& plan = workspace.plan_;
  for (std::size_t s = plan.stretches.size(); s-- > 0;) {
    const Stretch& stretch = plan.stretches[s];
    const bool ran = s + 1 == plan.stretches.size();  // its last stage has been backward
    if (!ran) recompute(pass, stretch, plan);
    for (std::size_t stage = stretch.last - (ran ? 1 : 0); stage-- > stretch.first;) {
      const bool meeting = stage + 1 < plan.stages.size() && plan.stages[stage + 1].meets;
      if (meeting) operations_[plan.stages[stage].last]->meet_gradient(pass);
      parallel_for(block_count(pass.rows), [&](std::size_t index) {
        const FlushDenormals flush;
        backward_stage(pass, plan, stage, block_of(index, pass.rows));
      });
    }
    find_gradients(pass, {plan.stages[stretch.first].first, plan.stages[stretch.last - 1].last},
                   workspace);
  }
}

template <class S>
double Graph<S>::train(const S* parameters, const Examples<S>& examples, S* gradient,
                       BasicWorkspace<S>& workspace, bool& features_fine) const {
  Pass<S> pass = pass_over(parameters, examples.features, examples.rows, workspace);
  pass.gradient = gradient;
  pass.training = true;
  pass.first_row = examples.first_row;
  pass.seed = {static_cast<std::uint32_t>(examples.seed),
               static_cast<std::uint32_t>(examples.seed >> 32U)};
  run_tasks(pass, {0, operations_.size()}, &Operation<S>::prepare_tasks, &Operation<S>::prepare,
            workspace);
  features_fine = run_forward(pass, examples, workspace);
  if (!features_fine) return 0;
  run_backward(pass, workspace);
  double loss = 0;
  for (std::size_t row = 0; row < examples.rows; ++row)
    loss += static_cast<double>(workspace.losses_[row]);
  return loss;
}

template <class S>
void Graph<S>::add(const S* from, S* to, std::size_t size) const {
  constexpr std::size_t together = 1U << 16U;
  parallel_for((size + together - 1) / together, [&](std::size_t task) {
    const std::size_t first = task * together;
    kernels_->add(from + first, to + first, std::min(together, size - first));
  });
}

// One position's prediction from the last value.
template <class S>
void Graph<S>::end(const S* outputs, S* prediction) const {
  if (ending_ == Activation::softmax) return kernels_->softmax(outputs, outputs_, prediction);
  if (ending_ == Activation::sigmoid)
    return kernels_->curve(Curve::sigmoid, S{1}, outputs, prediction, outputs_);
  std::copy_n(outputs, outputs_, prediction);
}

template <class S>
bool Graph<S>::predict(const S* parameters, const S* features, std::size_t rows, S* predictions,
                       BasicWorkspace<S>& workspace) const {
  const std::size_t blocks = block_count(rows);
  const Pass<S> pass = pass_over(parameters, features, rows, workspace);
  parallel_for(blocks, [&](std::size_t index) {
    const FlushDenormals flush;
    const Block block = block_of(index, rows);
    workspace.finite_[index] = features_fine(pass, block.rows) ? 1 : 0;
    if (workspace.finite_[index] == 0) return;
    forward(pass, {0, operations_.size()}, block);
    for (std::size_t row = block.rows.first; row < block.rows.last; ++row) {
      for (std::size_t position = 0; position < positions_; ++position) {
        end(pass.input(outputs_value_, row) + position * outputs_,
            predictions + (row * positions_ + position) * outputs_);
      }
    }
  });
  const auto blocks_end = workspace.finite_.begin() + static_cast<std::ptrdiff_t>(blocks);
  return std::count(workspace.finite_.begin(), blocks_end, 0) == 0;
}

template <class S>
void Graph<S>::write_state(S* parameters, BasicWorkspace<S>& workspace) const {
  const Pass<S> pass = pass_over(parameters, nullptr, 0, workspace);
  for (const auto& operation : operations_) operation->write_state(pass, parameters);
}

#define ENTENTE_RUNS(S)                                                                           \
  template std::size_t Graph<S>::count(const S*, const BasicTargets<S>&, std::size_t) const;      \
  template double Graph<S>::train(const S*, const Examples<S>&, S*, BasicWorkspace<S>&, bool&)    \
      const;                                                                                      \
  template void Graph<S>::add(const S*, S*, std::size_t) const;                                   \
  template bool Graph<S>::predict(const S*, const S*, std::size_t, S*, BasicWorkspace<S>&) const; \
  template void Graph<S>::write_state(S*, BasicWorkspace<S>&) const
ENTENTE_RUNS(float);
ENTENTE_RUNS(double);
#undef ENTENTE_RUNS

}  // namespace entente::engine
