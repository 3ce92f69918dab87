// SPDX-License-Identifier: Apache-2.0
//
// Layers of text and sequences: embeddings, recurrent layers, attention.
#include <string>

#include "common/engine/draft.hpp"

namespace entente::engine {
namespace {

constexpr std::uint64_t tokens_max = std::uint64_t{1} << 24U;  // whole numbers that float32 holds

std::uint64_t gates_of(Recurrent::Cell cell) {
  if (cell == Recurrent::Cell::simple) return 1;
  return cell == Recurrent::Cell::lstm ? 4 : 3;
}

// The tensors and the step of one direction; names begin with `prefix`.
Result<ValueIndex> draw_direction(Draft& draft, const Recurrent& layer, ValueIndex input,
                                  const std::string& prefix, bool in_order) {
  const Shape from = draft.shape(input);
  const std::uint64_t width = gates_of(layer.cell) * layer.units;
  RecurrentStep step;
  step.cell = layer.cell;
  step.activation = layer.activation;
  step.steps = static_cast<std::size_t>(from[0]);
  step.inputs = static_cast<std::size_t>(from[1]);
  step.units = static_cast<std::size_t>(layer.units);
  step.sequences = layer.return_sequences;
  step.backwards = layer.go_backwards;
  step.in_order = in_order;
  step.mask = draft.mask(input);
  step.zero_masked = layer.zero_masked && layer.return_sequences && step.mask.has_value();
  const Shape kernel{from[1], width}, recurrent{layer.units, width};
  if (auto fine = draft.fits(kernel, "kernel"); !fine) return fine.error();
  if (auto fine = draft.fits(recurrent, "recurrent kernel"); !fine) return fine.error();
  step.kernel = draft.tensor(prefix + "kernel", kernel, layer.kernel_initializer);
  step.recurrent_kernel =
      draft.tensor(prefix + "recurrent_kernel", recurrent, layer.recurrent_initializer);
  if (layer.use_bias) {
    const bool two = layer.cell == Recurrent::Cell::gru;
    step.bias =
        draft.tensor(prefix + "bias", two ? Shape{2, width} : Shape{width}, layer.bias_initializer);
    if (layer.cell == Recurrent::Cell::lstm && layer.unit_forget_bias)
      draft.begin_with_ones(layer.units, layer.units);
  }
  const Shape shape = layer.return_sequences ? Shape{from[0], layer.units} : Shape{layer.units};
  const auto mask = layer.return_sequences ? step.mask : std::nullopt;
  return draft.step(step, {input}, shape, mask);
}

Result<void> check(const Draft& draft, const Recurrent& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto sequence = draft.has_sequence(inputs[0]); !sequence) return sequence.error();
  if (auto fine = draft.in_range(layer.units, "units", units_max); !fine) return fine.error();
  const bool simple = layer.cell == Recurrent::Cell::simple;
  const bool known =
      layer.activation == Activation::tanh ||
      (simple && (layer.activation == Activation::relu || layer.activation == Activation::linear));
  if (known) return ok();
  return draft.wrong(simple ? "the activation of SimpleRNN must be tanh, relu or linear"
                            : "the activation of LSTM and GRU must be tanh");
}

// Projects onto [heads, size]: a dense layer whose tensors are `name`_kernel and `name`_bias.
ValueIndex project(Draft& draft, const MultiHeadAttention& layer, ValueIndex input,
                   const std::string& name, std::uint64_t size) {
  Shape shape = draft.shape(input);
  DenseStep step;
  step.input = draft.extent(input);
  step.outputs = static_cast<std::size_t>(layer.heads * size);
  step.weights.kernel_count = step.input.channels * step.outputs;
  step.weights.kernel =
      draft.tensor(name + "_kernel", {shape.back(), layer.heads, size}, layer.kernel_initializer);
  if (layer.use_bias)
    step.weights.bias = draft.tensor(name + "_bias", {layer.heads, size}, layer.bias_initializer);
  shape.back() = layer.heads * size;
  return draft.step(step, {input}, shape, draft.mask(input));
}

}  // namespace

Result<ValueIndex> draw(Draft& draft, const Embedding& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto fine = draft.in_range(layer.vocabulary, "input_dim", tokens_max); !fine)
    return fine.error();
  if (auto fine = draft.in_range(layer.size, "output_dim", units_max); !fine) return fine.error();
  Shape shape = draft.shape(inputs[0]);
  if (shape.size() > 2)
    return draft.wrong("needs tokens of one or two axes, but gets " + to_text(shape));
  if (auto tokens = draft.tokens(inputs[0], layer.vocabulary); !tokens) return tokens.error();
  const Shape table{layer.vocabulary, layer.size};
  if (auto fine = draft.fits(table, "table"); !fine) return fine.error();
  std::optional<Mask> mask;
  if (layer.mask_zero) {
    if (shape.size() != 1) return draft.wrong("mask_zero needs tokens of one axis");
    mask = Mask{*draft.first_feature(inputs[0]), static_cast<std::size_t>(shape[0])};
  }
  EmbeddingStep step;
  step.input = draft.extent(inputs[0]);
  step.vocabulary = static_cast<std::size_t>(layer.vocabulary);
  step.size = static_cast<std::size_t>(layer.size);
  step.table = draft.tensor("embeddings", table, layer.initializer);
  shape.push_back(layer.size);
  return draft.step(step, {inputs[0]}, shape, mask);
}

Result<ValueIndex> draw(Draft& draft, const PositionEmbedding& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 1, 1); !fine) return fine.error();
  if (auto sequence = draft.has_sequence(inputs[0]); !sequence) return sequence.error();
  const Shape shape = draft.shape(inputs[0]);
  if (layer.steps < shape[0]) {
    return draft.wrong("sequence_length is " + std::to_string(layer.steps) +
                       ", but its input has " + std::to_string(shape[0]) + " steps");
  }
  const Shape table{layer.steps, shape[1]};
  if (auto fine = draft.fits(table, "table"); !fine) return fine.error();
  PositionStep step{draft.extent(inputs[0]), 0, 0, layer.adds};
  step.table_count = static_cast<std::size_t>(element_count(table));
  step.table = draft.tensor("embeddings", table, layer.initializer);
  std::vector<ValueIndex> read;
  if (layer.adds) read.push_back(inputs[0]);
  const auto mask = layer.adds ? draft.mask(inputs[0]) : std::nullopt;  // alone: as KerasHub's
  return draft.step(step, std::move(read), shape, mask);
}

Result<ValueIndex> draw(Draft& draft, const Recurrent& layer, Values inputs) {
  if (auto fine = check(draft, layer, inputs); !fine) return fine.error();
  return draw_direction(draft, layer, inputs[0], "", false);
}

Result<ValueIndex> draw(Draft& draft, const Bidirectional& layer, Values inputs) {
  if (auto fine = check(draft, layer.layer, inputs); !fine) return fine.error();
  if (layer.layer.go_backwards)
    return draft.wrong("the layer of Bidirectional must not go backwards itself");
  Recurrent along = layer.layer;
  along.zero_masked = true;
  const auto forward = draw_direction(draft, along, inputs[0], "forward_", false);
  if (!forward) return forward.error();
  Recurrent back = along;
  back.go_backwards = true;
  const auto backward = draw_direction(draft, back, inputs[0], "backward_", true);
  if (!backward) return backward.error();
  Shape shape = draft.shape(*forward);
  const std::vector<ValueIndex> both{*forward, *backward};
  const Extent extent = draft.extent(*forward);
  const auto mask = draft.mask(*forward);
  switch (layer.merge) {
    case Bidirectional::Merge::concatenate:
      shape.back() *= 2;
      return draft.step(ConcatenateStep{{extent, extent}}, both, shape, mask);
    case Bidirectional::Merge::sum:
      return draft.step(MergeStep{extent, 2, MergeStep::Kind::add}, both, shape, mask);
    case Bidirectional::Merge::multiply:
      return draft.step(MergeStep{extent, 2, MergeStep::Kind::multiply}, both, shape, mask);
    case Bidirectional::Merge::average:
      return draft.step(MergeStep{extent, 2, MergeStep::Kind::average}, both, shape, mask);
  }
  return *forward;
}

Result<ValueIndex> draw(Draft& draft, const MultiHeadAttention& layer, Values inputs) {
  if (auto fine = draft.reads(inputs, 2, 3); !fine) return fine.error();
  for (const ValueIndex input : inputs) {
    if (auto sequence = draft.has_sequence(input); !sequence) return sequence.error();
  }
  const ValueIndex query = inputs[0], value = inputs[1], key = inputs[inputs.size() - 1];
  if (draft.shape(key)[0] != draft.shape(value)[0])
    return draft.wrong("its key and value differ in their steps");
  const std::uint64_t value_size = layer.value_size == 0 ? layer.key_size : layer.value_size;
  const std::uint64_t features = draft.shape(query)[1];
  const std::uint64_t outputs = layer.outputs == 0 ? features : layer.outputs;
  for (const std::uint64_t size : {layer.heads, layer.key_size, value_size, outputs}) {
    if (auto fine = draft.in_range(size, "a size", window_max * 16); !fine) return fine.error();
  }
  AttentionStep step;
  step.steps = static_cast<std::size_t>(draft.shape(query)[0]);
  step.others = static_cast<std::size_t>(draft.shape(value)[0]);
  step.heads = static_cast<std::size_t>(layer.heads);
  step.key_size = static_cast<std::size_t>(layer.key_size);
  step.value_size = static_cast<std::size_t>(value_size);
  step.causal = layer.causal;
  step.query_mask = draft.mask(query);
  step.value_mask = draft.mask(value);
  step.key_mask = draft.mask(key);
  const ValueIndex queries = project(draft, layer, query, "query", layer.key_size);
  const ValueIndex keys = project(draft, layer, key, "key", layer.key_size);
  const ValueIndex values = project(draft, layer, value, "value", value_size);
  const Shape mixed{draft.shape(query)[0], layer.heads * value_size};
  const ValueIndex heads = draft.step(step, {queries, keys, values}, mixed, step.query_mask);
  DenseStep last;
  last.input = draft.extent(heads);
  last.outputs = static_cast<std::size_t>(outputs);
  last.weights.kernel_count = last.input.channels * last.outputs;
  last.weights.kernel =
      draft.tensor("output_kernel", {layer.heads, value_size, outputs}, layer.kernel_initializer);
  if (layer.use_bias)
    last.weights.bias = draft.tensor("output_bias", {outputs}, layer.bias_initializer);
  return draft.step(last, {heads}, {draft.shape(query)[0], outputs}, step.query_mask);
}

}  // namespace entente::engine
