// SPDX-License-Identifier: Apache-2.0
#include "common/engine/graph.hpp"

#include <algorithm>

#include "common/base/assert.hpp"
#include "common/base/parallel.hpp"
#include "common/engine/denormals.hpp"
#include "common/engine/network.hpp"

namespace entente::engine {

template <class S>
Graph<S>::Graph(const Blueprint& blueprint, Isa isa)
    : kernels_(&kernels_of<S>(isa)),
      output_(blueprint.output),
      positions_(blueprint.output.positions()),
      classes_(blueprint.output.channels),
      feature_count_(blueprint.feature_count),
      tokens_(blueprint.tokens),
      mask_(blueprint.mask) {
  activation_rows_.push_back(0);  // the features
  gradient_rows_.push_back(0);
  build(blueprint);
  bind_operations();
}

template <class S>
std::size_t Graph<S>::add_buffer(std::size_t activation_row, std::size_t gradient_row) {
  activation_rows_.push_back(activation_row);
  gradient_rows_.push_back(gradient_row);
  return activation_rows_.size() - 1;
}

template <class S>
Value Graph<S>::fresh_value(const Layout& activation, const Layout& gradient, bool wants_gradient) {
  Value value;
  value.activation = activation;
  value.gradient = gradient;
  value.wants_gradient = wants_gradient;
  value.activation_buffer = add_buffer(activation.row, 0);
  if (wants_gradient) value.gradient_buffer = add_buffer(0, gradient.row);
  return value;
}

template <class S>
void Graph<S>::append(std::unique_ptr<Operation<S>> operation, Binding binding) {
  const Run empty{operations_.size(), operations_.size()};
  if (segments_.empty()) segments_.push_back(empty);
  if (operation->meets()) segments_.push_back(empty);
  const auto wants = [](const Value& value) { return value.wants_gradient; };
  goes_back_.push_back(std::ranges::any_of(binding.outputs, wants));
  operations_.push_back(std::move(operation));
  bindings_.push_back(std::move(binding));
  segments_.back().last = operations_.size();
}

// The one that all readers ask for, or else tight.
template <class S>
Layout Graph<S>::common_layout(const std::vector<Wish>& wishes, bool tight) const {
  const Layout& first = wishes.front().layout;
  const bool all =
      std::ranges::all_of(wishes, [&](const Wish& wish) { return wish.layout == first; });
  return all && !tight ? first : Layout::tight(first.extent);
}

template <class S>
Value Graph<S>::output_of(const Operation<S>& operation, const std::vector<Value>& inputs,
                          const Layout& asked) {
  const bool input_wants =
      std::ranges::any_of(inputs, [](const Value& v) { return v.wants_gradient; });
  const bool wants = input_wants || operation.has_parameters();
  const Layout gradient = operation.output_gradient_layout(input_wants);
  if (!operation.passes_through()) return fresh_value(asked, gradient, wants);
  const Value& input = inputs.front();
  Value output = input;
  output.activation = asked;
  output.activation.row = input.activation.row;
  output.gradient = gradient;
  output.gradient.row = input.gradient.row;
  if (wants && !input.gradient.is_tight()) {
    output.gradient = gradient;
    output.gradient_buffer = add_buffer(0, gradient.row);
  }
  return output;
}

// What each of a value's readers sees of it.
template <class S>
std::vector<Value> Graph<S>::hand_out(const Value& value, const std::vector<Wish>& wishes) {
  std::vector<Value> seen(wishes.size(), value);
  const bool tight = value.wants_gradient && value.gradient.is_contiguous();
  const bool fits = tight || std::ranges::none_of(wishes, &Wish::tight_gradient);
  if (value.wants_gradient && (wishes.size() > 1 || !fits)) {
    for (Value& branch : seen) {
      branch.gradient = Layout::tight(value.activation.extent);
      branch.gradient_buffer = add_buffer(0, branch.gradient.row);
    }
    append(make_fork<S>(value.activation.extent), Binding{{value}, seen, 0, 0});
  }
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    const Layout& asked = wishes[i].layout;
    // Rows of features follow each other without gaps: they lie tight, whatever their distance.
    if (asked.is_tight() && value.activation.is_contiguous()) continue;
    if (asked == value.activation) continue;
    const Value copy = fresh_value(asked, Layout::tight(asked.extent), value.wants_gradient);
    append(make_copy<S>(asked), Binding{{seen[i]}, {copy}, 0, 0});
    seen[i] = copy;
  }
  return seen;
}

template <class S>
void Graph<S>::build(const Blueprint& blueprint) {
  const std::size_t inputs = blueprint.places.size(), steps = blueprint.steps.size();
  std::vector<std::unique_ptr<Operation<S>>> operations;
  std::vector<std::vector<Reader>> readers(inputs + steps);
  for (std::size_t i = 0; i < steps; ++i) {
    const Step& step = blueprint.steps[i];
    operations.push_back(
        std::visit([](const auto& kind) { return make_operation<S>(kind); }, step.kind));
    for (std::size_t k = 0; k < step.inputs.size(); ++k) readers[step.inputs[k]].push_back({i, k});
  }
  readers.back().push_back({steps, 0});
  std::vector<std::vector<Value>> read(steps + 1);  // by each step; by the loss
  for (std::size_t i = 0; i < steps; ++i) read[i].resize(blueprint.steps[i].inputs.size());
  read[steps].resize(1);

  for (std::size_t v = 0; v < inputs + steps; ++v) {
    std::vector<Wish> wishes;
    for (const Reader& reader : readers[v]) {
      if (reader.step == steps) {
        wishes.push_back({Layout::tight(output_), true});
      } else {
        const auto& operation = *operations[reader.step];
        wishes.push_back({operation.input_layout(reader.input), operation.needs_tight()});
      }
    }
    Value value;
    if (v < inputs) {
      value.activation = Layout::tight(blueprint.places[v].extent);
      value.activation.row = feature_count_;
      value.activation_buffer = features_buffer;
      value.first_feature = blueprint.places[v].first;
    } else {
      auto& operation = operations[v - inputs];
      const auto& from = read[v - inputs];
      value = output_of(*operation, from, common_layout(wishes, operation->needs_tight()));
      append(std::move(operation), Binding{from, {value}, 0, 0});
    }
    const std::vector<Value> seen = hand_out(value, wishes);
    for (std::size_t i = 0; i < seen.size(); ++i)
      read[readers[v][i].step][readers[v][i].input] = seen[i];
  }
  logits_ = read[steps].front();
}

// Buffers behind those of the values: each operation's own, for a step and for rows.
template <class S>
void Graph<S>::bind_operations() {
  const std::size_t shared = activation_rows_.size();
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    bindings_[i].step_buffer = shared + i;
    bindings_[i].row_buffer = shared + operations_.size() + i;
    operations_[i]->bind(bindings_[i]);
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
    plan.scratch_size = std::max(plan.scratch_size, operation->block_scratch());
  }
  for (const auto& operation : operations_) {
    const std::size_t own = operation->row_scratch(purpose);
    plan.buffers.push_back(take(own == 0 ? 0 : rows_max * row_distance(own)));
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
bool Graph<S>::label_counts(const Pass<S>& pass, std::uint32_t label, std::size_t row,
                            std::size_t position) const {
  return label != no_label && (!mask_ || pass.counts(*mask_, row, position));
}

template <class S>
S Graph<S>::scale_of(const Pass<S>& pass, std::span<const std::uint32_t> labels,
                     std::size_t& counted) const {
  counted = 0;
  for (std::size_t i = 0; i < labels.size(); ++i)
    counted += label_counts(pass, labels[i], i / positions_, i % positions_) ? 1U : 0U;
  return counted == 0 ? S{0} : S{1} / static_cast<S>(counted);
}

template <class S>
void Graph<S>::lose(const Pass<S>& pass, Rows rows, std::span<const std::uint32_t> labels, S scale,
                    std::vector<S>& losses) const {
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    S loss = 0;
    for (std::size_t position = 0; position < positions_; ++position) {
      const std::uint32_t label = labels[row * positions_ + position];
      const S* logits = pass.input(logits_, row) + position * classes_;
      S* gradient = pass.gradient_of(logits_, row) + position * classes_;
      if (label_counts(pass, label, row, position)) {
        loss += kernels_->cross_entropy(logits, classes_, label, scale, gradient);
      } else {
        std::fill_n(gradient, classes_, S{0});
      }
    }
    losses[row] = loss;
  }
}

template <class S>
double Graph<S>::train(const S* parameters, const Examples<S>& examples, S* gradient,
                       BasicWorkspace<S>& workspace, bool& features_fine) const {
  const std::size_t rows = examples.rows, blocks = block_count(rows);
  Pass<S> pass = pass_over(parameters, examples.features, rows, workspace);
  pass.gradient = gradient;
  pass.training = true;
  pass.seed = {static_cast<std::uint32_t>(examples.seed),
               static_cast<std::uint32_t>(examples.seed >> 32U)};
  std::size_t counted = 0;
  const S scale = scale_of(pass, examples.labels, counted);
  run_tasks(pass, &Operation<S>::prepare_tasks, &Operation<S>::prepare, workspace);
  for (std::size_t s = 0; s < segments_.size(); ++s) {
    parallel_for(blocks, [&](std::size_t index) {
      const FlushDenormals flush;
      const Block block = block_of(index, rows);
      if (s == 0) workspace.finite_[index] = this->features_fine(pass, block.rows) ? 1 : 0;
      if (workspace.finite_[index] == 0) return;
      forward(pass, segments_[s], block);
      if (s + 1 < segments_.size()) return operations_[segments_[s].last]->gather(pass, block);
      lose(pass, block.rows, examples.labels, scale, workspace.losses_);
      backward(pass, {segments_[s].first + (s == 0 ? 0 : 1), segments_[s].last}, block);
      if (s > 0) operations_[segments_[s].first]->gather_gradient(pass, block);
    });
    const auto blocks_end = workspace.finite_.begin() + static_cast<std::ptrdiff_t>(blocks);
    features_fine = std::count(workspace.finite_.begin(), blocks_end, 0) == 0;
    if (!features_fine) return 0;
    if (s + 1 < segments_.size()) operations_[segments_[s].last]->meet(pass);
  }
  for (std::size_t s = segments_.size(); s-- > 1;) {
    const std::size_t meeting = segments_[s].first;
    operations_[meeting]->meet_gradient(pass);
    parallel_for(blocks, [&](std::size_t index) {
      const FlushDenormals flush;
      const Block block = block_of(index, rows);
      backward(pass, {segments_[s - 1].first + (s == 1 ? 0 : 1), meeting + 1}, block);
      if (s > 1) operations_[segments_[s - 1].first]->gather_gradient(pass, block);
    });
  }
  run_tasks(pass, &Operation<S>::gradient_tasks, &Operation<S>::gradient, workspace);
  run_tasks(pass, &Operation<S>::reduce_tasks, &Operation<S>::reduce, workspace);
  double loss = 0;
  for (std::size_t row = 0; row < rows; ++row) loss += static_cast<double>(workspace.losses_[row]);
  return loss / static_cast<double>(std::max<std::size_t>(counted, 1));
}

template <class S>
bool Graph<S>::predict(const S* parameters, const S* features, std::size_t rows, S* probabilities,
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
        kernels_->softmax(pass.input(logits_, row) + position * classes_, classes_,
                          probabilities + (row * positions_ + position) * classes_);
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

template class Graph<float>;
template class Graph<double>;

}  // namespace entente::engine
