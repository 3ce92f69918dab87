// SPDX-License-Identifier: Apache-2.0
#include "common/engine/blueprint.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "common/engine/draft.hpp"

namespace entente::engine {
namespace {

constexpr std::size_t layers_max = 10'000;
constexpr std::size_t inputs_max = 100;

}  // namespace

Extent Draft::extent_of(const Shape& shape) {
  const auto at = [&](std::size_t axis) { return static_cast<std::size_t>(shape[axis]); };
  if (shape.size() == 1) return {1, 1, at(0)};
  if (shape.size() == 2) return {1, at(0), at(1)};
  return {at(0), at(1), at(2)};
}

Result<ValueIndex> Draft::add_input(const InputSpec& input) {
  if (input.shape.empty() || input.shape.size() > 3 || element_count(input.shape) == 0) {
    return Error{Errc::invalid_argument,
                 "input shape " + to_text(input.shape) +
                     ": expected one to three dimensions, each at least 1, of at most " +
                     std::to_string(elements_max) + " values"};
  }
  const Extent extent = extent_of(input.shape);
  blueprint_.inputs.push_back(input);
  blueprint_.places.push_back({extent, blueprint_.feature_count});
  blueprint_.feature_count += extent.count();
  values_.push_back({input.shape, std::nullopt, "input '" + input.name + "'", false});
  return values_.size() - 1;
}

Result<ValueIndex> Draft::add_layer(const LayerSpec& layer, Values inputs, bool last, bool joins) {
  name_ = layer.name;
  last_ = last;
  joins_ = joins;
  for (const MaskSpec& said : layer.masks) {
    if (auto holds = check_mask(said, inputs); !holds) return holds.error();
  }
  auto output = std::visit([&](const auto& kind) { return draw(*this, kind, inputs); }, layer.kind);
  if (!output) return output.error();
  if (!problem_.empty()) return wrong(problem_);
  if (element_count(shape(*output)) == 0)
    return wrong("its output " + to_text(shape(*output)) + " is beyond the limits");
  return output;
}

Result<void> Draft::check_mask(const MaskSpec& said, Values inputs) const {
  const std::string claim = "is told a mask of '" + said.tokens + "'";
  const auto input = std::ranges::find(blueprint_.inputs, said.tokens, &InputSpec::name);
  if (input == blueprint_.inputs.end()) return wrong(claim + ", which is no input of the model");
  if (said.of >= inputs.size()) return wrong(claim + " for an input that it does not have");
  const auto place = static_cast<std::size_t>(input - blueprint_.inputs.begin());
  const Mask expected{blueprint_.places[place].first, blueprint_.places[place].extent.count()};
  const auto seen = mask(inputs[said.of]);
  if (seen == expected) return ok();
  return wrong(claim + ", but what it reads has " + (seen ? "another" : "none") +
               "; masks come from Embedding's mask_zero");
}

ValueIndex Draft::step(StepKind kind, std::vector<ValueIndex> inputs, Shape shape,
                       std::optional<Mask> mask) {
  for (const ValueIndex input : inputs) values_[input].read = true;
  blueprint_.steps.push_back({std::move(kind), std::move(inputs)});
  values_.push_back({std::move(shape), mask, "layer '" + name_ + "'", false});
  return values_.size() - 1;
}

std::size_t Draft::tensor(std::string_view weight, Shape shape, const Initializer& initializer) {
  if (initializer.kind == Initializer::Kind::identity && shape.size() != 2) {
    problem_ = "the initialiser Identity makes matrices alone, but " + std::string(weight) +
               " is " + to_text(shape);
  }
  TensorInitial initial;
  initial.initializer = initializer;
  std::uint64_t receptive = 1;
  for (std::size_t axis = 0; axis + 2 < shape.size(); ++axis) receptive *= shape[axis];
  initial.fan_out = static_cast<double>(receptive * shape.back());
  initial.fan_in = shape.size() == 1 ? initial.fan_out
                                     : static_cast<double>(receptive * shape[shape.size() - 2]);
  const std::size_t place = parameter_count_;
  parameter_count_ += static_cast<std::size_t>(element_count(shape));
  tensors_.emplace_back(name_ + "/" + std::string(weight), std::move(shape));
  blueprint_.initial.push_back(initial);
  return place;
}

Weights Draft::weights(Shape kernel, std::uint64_t outputs, bool use_bias,
                       const Initializer& kernel_initializer, const Initializer& bias_initializer) {
  Weights weights;
  weights.kernel_count = static_cast<std::size_t>(element_count(kernel));
  weights.kernel = tensor("kernel", std::move(kernel), kernel_initializer);
  if (use_bias) weights.bias = tensor("bias", Shape{outputs}, bias_initializer);
  return weights;
}

void Draft::begin_with_ones(std::uint64_t first, std::uint64_t count) {
  blueprint_.initial.back().ones_first = first;
  blueprint_.initial.back().ones_count = count;
}

Result<ValueIndex> Draft::activate(ValueIndex value, Activation activation, bool own,
                                   double slope) {
  if (activation == Activation::linear) return value;
  const Shape& rows = shape(value);
  if (activation == Activation::softmax && (rows.back() < 2 || (last_ && rows.size() == 3))) {
    return wrong("softmax needs a row, or a sequence of rows, of at least 2 classes, but gets " +
                 to_text(rows));
  }
  if (activation == blueprint_.ending && last_) {
    ended_ = true;
    return value;
  }
  if (activation != Activation::relu) {
    const ActivationStep step_kind{extent(value), activation, slope};
    return step(step_kind, {value}, rows, mask(value));
  }
  const bool joins = (own || joins_) && value + 1 == values_.size() && !blueprint_.steps.empty();
  StepKind* made_by = joins ? &blueprint_.steps.back().kind : nullptr;
  if (auto* dense = std::get_if<DenseStep>(made_by)) {
    dense->relu = true;
  } else if (auto* convolution = std::get_if<ConvolutionStep>(made_by)) {
    convolution->relu = true;
  } else {
    return step(ReluStep{extent(value)}, {value}, rows, mask(value));
  }
  return value;
}

std::optional<std::size_t> Draft::first_feature(ValueIndex value) const {
  if (value >= blueprint_.places.size()) return std::nullopt;
  return blueprint_.places[value].first;
}

Result<void> Draft::tokens(ValueIndex value, std::uint64_t bound) {
  const auto first = first_feature(value);
  if (!first) return wrong("must read one of the model's inputs, as whole numbers");
  blueprint_.tokens.push_back({*first, extent(value).count(), bound, name_});
  return ok();
}

Result<void> Draft::reads(Values inputs, std::size_t least, std::size_t most) const {
  if (inputs.size() >= least && inputs.size() <= most) return ok();
  return wrong("reads " + std::to_string(inputs.size()) + " values; expected " +
               (least == most ? std::to_string(least) : "at least " + std::to_string(least)));
}

Result<void> Draft::in_range(std::uint64_t number, std::string_view what,
                             std::uint64_t most) const {
  if (number >= 1 && number <= most) return ok();
  return wrong(std::string(what) + " is " + std::to_string(number) + "; expected 1 to " +
               std::to_string(most));
}

Result<void> Draft::has_image(ValueIndex value) const {
  if (shape(value).size() == 3) return ok();
  return wrong("needs an image (height, width, channels), but gets " + to_text(shape(value)));
}

Result<void> Draft::has_sequence(ValueIndex value) const {
  if (shape(value).size() == 2) return ok();
  return wrong("needs a sequence (steps, features), but gets " + to_text(shape(value)));
}

Result<void> Draft::is_last(std::int64_t axis, ValueIndex value) const {
  if (axis == -1 || axis == static_cast<std::int64_t>(shape(value).size())) return ok();
  return wrong("axis is " + std::to_string(axis) + "; only the last axis of " +
               to_text(shape(value)) + " is supported");
}

Result<void> Draft::fits(const Shape& shape, std::string_view what) const {
  if (element_count(shape) != 0) return ok();
  return wrong("its " + std::string(what) + " " + to_text(shape) + " is beyond the limits");
}

Result<Blueprint> Draft::finish(ValueIndex output) {
  if (!ended_ && blueprint_.ending != Activation::linear) {
    const bool softmax = blueprint_.ending == Activation::softmax;
    return Error{Errc::invalid_argument,
                 "the last layer" + (name_.empty() ? "" : " ('" + name_ + "')") +
                     " must have the activation " + (softmax ? "softmax" : "sigmoid") +
                     " (its loss is the " + (softmax ? "categorical" : "binary") +
                     " cross-entropy)"};
  }
  if (shape(output).size() > 2) {
    return wrong("gives " + to_text(shape(output)) +
                 ", but the last layer must give a row, or a sequence of rows");
  }
  if (tensors_.empty())
    return Error{Errc::invalid_argument, "no layer has parameters: nothing to train"};
  values_[output].read = true;
  const auto unread = std::ranges::find(values_, false, &Drawn::read);
  if (unread != values_.end()) {
    return Error{Errc::invalid_argument, unread->made_by + " leads nowhere: no layer reads it"};
  }
  if (output + 1 != values_.size() || blueprint_.steps.empty())
    return Error{Errc::invalid_argument, "the output must be what the last layer computes"};
  auto layout = tensor::ParameterLayout::make(std::move(tensors_));
  if (!layout) return layout.error();
  blueprint_.layout = std::move(*layout);
  blueprint_.output = extent(output);
  blueprint_.mask = mask(output);
  return std::move(blueprint_);
}

namespace {

// What each layer reads: inputs by their number, layers behind them.
using Sources = std::vector<std::vector<std::size_t>>;

Result<Sources> find_sources(const GraphSpec& graph) {
  const std::size_t inputs = graph.inputs.size();
  std::map<std::string_view, std::size_t> named;  // the last of that name so far
  for (std::size_t i = 0; i < inputs; ++i) {
    if (!named.try_emplace(graph.inputs[i].name, i).second) {
      return Error{Errc::invalid_argument, "two inputs are named '" + graph.inputs[i].name + "'"};
    }
  }
  Sources sources(graph.layers.size());
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const LayerSpec& layer = graph.layers[i];
    if (layer.inputs.empty()) sources[i].push_back(i == 0 ? 0 : inputs + i - 1);
    for (const std::string& name : layer.inputs) {
      const auto found = named.find(name);
      if (found == named.end()) {
        return Error{Errc::invalid_argument, "layer '" + layer.name + "': reads '" + name +
                                                 "', which is no input or layer before it"};
      }
      sources[i].push_back(found->second);
    }
    named[layer.name] = inputs + i;
  }
  return sources;
}

Activation ending_of(LossInput loss) {
  if (loss == LossInput::softmax_logits) return Activation::softmax;
  return loss == LossInput::sigmoid_logits ? Activation::sigmoid : Activation::linear;
}

Result<ValueIndex> add_layers(Draft& draft, const GraphSpec& graph, const Sources& sources,
                              std::vector<ValueIndex> values) {
  std::vector<std::size_t> readers(values.size() + graph.layers.size());
  std::vector<bool> made(readers.size());  // a value of its own, not one handed on
  for (const auto& from : sources) {
    for (const std::size_t source : from) ++readers[source];
  }
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    std::vector<ValueIndex> inputs;
    bool joins = true;
    for (const std::size_t source : sources[i]) {
      inputs.push_back(values[source]);
      joins = joins && made[source] && readers[source] == 1;
    }
    const bool last = i + 1 == graph.layers.size();
    const auto output = draft.add_layer(graph.layers[i], inputs, last, joins);
    if (!output) return output.error();
    made[values.size()] = std::ranges::count(inputs, *output) == 0;
    if (!last && readers[values.size()] == 0) {
      return draft.wrong("leads nowhere: no layer reads it, and it is not the last");
    }
    values.push_back(*output);
  }
  return values.back();
}

}  // namespace

Result<Blueprint> draw_blueprint(const GraphSpec& graph, LossInput loss) {
  if (graph.inputs.empty() || graph.inputs.size() > inputs_max) {
    return Error{Errc::invalid_argument, "the model has " + std::to_string(graph.inputs.size()) +
                                             " inputs; expected 1 to " +
                                             std::to_string(inputs_max)};
  }
  Draft draft(ending_of(loss));
  std::vector<ValueIndex> values;
  for (const InputSpec& input : graph.inputs) {
    const auto added = draft.add_input(input);
    if (!added) return added.error();
    values.push_back(*added);
  }
  if (graph.layers.empty() || graph.layers.size() > layers_max) {
    return Error{Errc::invalid_argument, "the model has " + std::to_string(graph.layers.size()) +
                                             " layers; expected 1 to " +
                                             std::to_string(layers_max)};
  }
  const auto sources = find_sources(graph);
  if (!sources) return sources.error();
  const auto output = add_layers(draft, graph, *sources, std::move(values));
  if (!output) return output.error();
  return draft.finish(*output);
}

}  // namespace entente::engine
