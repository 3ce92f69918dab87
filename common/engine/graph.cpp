// SPDX-License-Identifier: Apache-2.0
//
// How a graph is built from its blueprint.
#include "common/engine/graph.hpp"

#include <algorithm>

#include "common/base/assert.hpp"
#include "common/base/parallel.hpp"
#include "common/engine/denormals.hpp"
#include "common/engine/network.hpp"

namespace entente::engine {

template <class S>
Graph<S>::Graph(const Blueprint& blueprint, const BasicLoss<S>& loss, Isa isa)
    : kernels_(&kernels_of<S>(isa)),
      output_(blueprint.output),
      positions_(blueprint.output.positions()),
      outputs_(blueprint.output.channels),
      ending_(blueprint.ending),
      loss_(loss),
      feature_count_(blueprint.feature_count),
      parameter_count_(static_cast<std::size_t>(blueprint.layout.parameter_count())),
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
  const auto wants = [](const Value& value) { return value.wants_gradient; };
  goes_back_.push_back(std::ranges::any_of(binding.outputs, wants));
  operations_.push_back(std::move(operation));
  bindings_.push_back(std::move(binding));
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
  outputs_value_ = read[steps].front();
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

template Graph<float>::Graph(const Blueprint&, const BasicLoss<float>&, Isa);
template Graph<double>::Graph(const Blueprint&, const BasicLoss<double>&, Isa);

}  // namespace entente::engine
