// SPDX-License-Identifier: Apache-2.0
#include "common/engine/graph.hpp"

#include <algorithm>

#include "common/base/assert.hpp"
#include "common/base/parallel.hpp"
#include "common/engine/denormals.hpp"

namespace entente::engine {
template <class S>
Graph<S>::Graph(const Blueprint& blueprint, Isa isa)
    : kernels_(&kernels_of<S>(isa)),
      classes_(blueprint.classes),
      feature_count_(blueprint.input_extent.count()) {
  for (const Step& step : blueprint.steps) {
    operations_.push_back(
        std::visit([](const auto& kind) { return make_operation<S>(kind); }, step));
  }
  const Layout first = operations_.front()->input_layout();
  if (!first.is_tight()) operations_.insert(operations_.begin(), make_input_copy<S>(first));
  add_values(blueprint.classes);
  bind_operations();
}

template <class S>
void Graph<S>::add_values(std::size_t classes) {
  Value features;
  features.activation = operations_.front()->input_layout();
  features.activation.row = feature_count_;
  features.activation_buffer = features_buffer;
  values_.push_back(features);
  activation_rows_.push_back(0);
  gradient_rows_.push_back(0);
  const auto add_buffer = [this](std::size_t activation_row, std::size_t gradient_row) {
    activation_rows_.push_back(activation_row);
    gradient_rows_.push_back(gradient_row);
    return activation_rows_.size() - 1;
  };
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const bool last = i + 1 == operations_.size();
    const Value input = values_.back();
    Value output;
    output.wants_gradient = input.wants_gradient || operations_[i]->has_parameters();
    output.activation = last ? Layout::tight({1, 1, classes}) : operations_[i + 1]->input_layout();
    output.gradient = operations_[i]->output_gradient_layout(input.wants_gradient);
    if (operations_[i]->passes_through()) {
      output.activation.row = input.activation.row;
      output.activation_buffer = input.activation_buffer;
    } else {
      output.activation_buffer = add_buffer(output.activation.row, 0);
    }
    if (operations_[i]->passes_through() && input.wants_gradient && input.gradient.is_tight()) {
      output.gradient.row = input.gradient.row;
      output.gradient_buffer = input.gradient_buffer;
    } else if (output.wants_gradient) {
      output.gradient_buffer = add_buffer(0, output.gradient.row);
    }
    values_.push_back(output);
  }
}

template <class S>
void Graph<S>::bind_operations() {
  const std::size_t shared = activation_rows_.size();
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    step_buffers_.push_back(shared + i);
    operations_[i]->bind(values_[i], values_[i + 1], shared + i);
  }
}

template <class S>
MemoryPlan Graph<S>::plan(std::size_t rows_max, Purpose purpose) const {
  MemoryPlan plan;
  plan.rows_max = rows_max;
  plan.purpose = purpose;
  const auto take = [&plan](std::size_t size) {
    const std::size_t at = plan.total;
    plan.total += (size + row_alignment - 1) / row_alignment * row_alignment;
    return at;
  };
  const bool training = purpose == Purpose::training;
  for (std::size_t i = 0; i < activation_rows_.size(); ++i) {
    plan.buffers.push_back(
        take(rows_max * (activation_rows_[i] + (training ? gradient_rows_[i] : 0))));
  }
  for (const auto& operation : operations_) {
    plan.buffers.push_back(take(training ? operation->step_scratch(rows_max) : 0));
    if (training) plan.scratch_size = std::max(plan.scratch_size, operation->block_scratch());
  }
  plan.scratch_size = (plan.scratch_size + row_alignment - 1) / row_alignment * row_alignment;
  plan.scratch = take(block_count(rows_max) * plan.scratch_size);
  return plan;
}

template <class S>
Pass<S> Graph<S>::pass_over(const S* parameters, const S* features, std::size_t rows,
                            BasicWorkspace<S>& workspace) const {
  ENTENTE_ASSERT(rows <= workspace.rows_max(), "a batch larger than its workspace");
  Pass<S> pass;
  pass.kernels = kernels_;
  pass.parameters = parameters;
  pass.features = features;
  pass.memory = workspace.memory_.get();
  pass.buffers = workspace.plan_.buffers.data();
  pass.scratch = workspace.plan_.scratch;
  pass.scratch_size = workspace.plan_.scratch_size;
  pass.rows = rows;
  return pass;
}

template <class S>
void Graph<S>::run_tasks(const Pass<S>& pass, TaskCount count, Task task,
                         BasicWorkspace<S>& workspace) const {
  const auto first = std::span(workspace.first_task_).first(operations_.size());
  std::size_t total = 0;
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    first[i] = total;
    total += (*operations_[i].*count)(pass.rows);
  }
  parallel_for(total, [&](std::size_t index) {
    const FlushDenormals flush;
    const auto next = std::upper_bound(first.begin(), first.end(), index);
    const auto i = static_cast<std::size_t>(next - first.begin()) - 1;
    (*operations_[i].*task)(pass, index - first[i]);
  });
}

// Runs of operations that work by row: [first, last) around operation i.
template <class S>
Rows Graph<S>::run_around(std::size_t i) const {
  Rows run{i, i + 1};
  if (!operations_[i]->works_by_row()) return run;
  while (run.first > 0 && operations_[run.first - 1]->works_by_row()) --run.first;
  while (run.last < operations_.size() && operations_[run.last]->works_by_row()) ++run.last;
  return run;
}

template <class S>
bool Graph<S>::forward(const Pass<S>& pass, Rows rows) const {
  const S* features = pass.features + rows.first * feature_count_;
  if (!kernels_->all_finite(features, rows.count() * feature_count_)) return false;
  for (std::size_t begin = 0; begin < operations_.size();) {
    const Rows run = run_around(begin);
    const std::size_t together = operations_[begin]->works_by_row() ? 1 : rows.count();
    for (std::size_t row = rows.first; row < rows.last; row += together) {
      for (std::size_t i = run.first; i < run.last; ++i)
        operations_[i]->forward(pass, {row, row + together});
    }
    begin = run.last;
  }
  return true;
}

template <class S>
void Graph<S>::lose(const Pass<S>& pass, Rows rows, std::span<const std::uint32_t> labels,
                    std::vector<S>& losses) const {
  const Value& logits = values_.back();
  const S scale = S{1} / static_cast<S>(pass.rows);
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    losses[row] = kernels_->cross_entropy(pass.input(logits, row), classes_, labels[row], scale,
                                          pass.gradient_of(logits, row));
  }
}

template <class S>
void Graph<S>::backward(const Pass<S>& pass, const Block& block) const {
  for (std::size_t end = operations_.size(); end > 0;) {
    const Rows run = run_around(end - 1);
    const std::size_t together = operations_[end - 1]->works_by_row() ? 1 : block.rows.count();
    for (std::size_t row = block.rows.first; row < block.rows.last; row += together) {
      for (std::size_t i = run.last; i-- > run.first;) {
        if (values_[i + 1].wants_gradient)
          operations_[i]->backward(pass, {row, row + together}, block);
      }
    }
    end = run.first;
  }
}

template <class S>
double Graph<S>::train(const S* parameters, const S* features,
                       std::span<const std::uint32_t> labels, S* gradient,
                       BasicWorkspace<S>& workspace, bool& features_finite) const {
  const std::size_t rows = labels.size(), blocks = block_count(rows);
  Pass<S> pass = pass_over(parameters, features, rows, workspace);
  pass.gradient = gradient;
  run_tasks(pass, &Operation<S>::prepare_tasks, &Operation<S>::prepare, workspace);
  parallel_for(blocks, [&](std::size_t index) {
    const FlushDenormals flush;
    const Block block = block_of(index, rows);
    workspace.finite_[index] = forward(pass, block.rows) ? 1 : 0;
    if (workspace.finite_[index] == 0) return;
    lose(pass, block.rows, labels, workspace.losses_);
    backward(pass, block);
  });
  const auto blocks_end = workspace.finite_.begin() + static_cast<std::ptrdiff_t>(blocks);
  features_finite = std::count(workspace.finite_.begin(), blocks_end, 0) == 0;
  if (!features_finite) return 0;
  run_tasks(pass, &Operation<S>::gradient_tasks, &Operation<S>::gradient, workspace);
  run_tasks(pass, &Operation<S>::reduce_tasks, &Operation<S>::reduce, workspace);
  double loss = 0;
  for (std::size_t row = 0; row < rows; ++row) loss += static_cast<double>(workspace.losses_[row]);
  return loss / static_cast<double>(rows);
}

template <class S>
bool Graph<S>::predict(const S* parameters, const S* features, std::size_t rows, S* probabilities,
                       BasicWorkspace<S>& workspace) const {
  const std::size_t blocks = block_count(rows);
  const Pass<S> pass = pass_over(parameters, features, rows, workspace);
  parallel_for(blocks, [&](std::size_t index) {
    const FlushDenormals flush;
    const Rows own = block_of(index, rows).rows;
    workspace.finite_[index] = forward(pass, own) ? 1 : 0;
    if (workspace.finite_[index] == 0) return;
    for (std::size_t row = own.first; row < own.last; ++row) {
      kernels_->softmax(pass.input(values_.back(), row), classes_, probabilities + row * classes_);
    }
  });
  const auto blocks_end = workspace.finite_.begin() + static_cast<std::ptrdiff_t>(blocks);
  return std::count(workspace.finite_.begin(), blocks_end, 0) == 0;
}

template class Graph<float>;
template class Graph<double>;

}  // namespace entente::engine
