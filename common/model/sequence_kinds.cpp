// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <initializer_list>

#include "common/model/fields.hpp"
#include "common/model/layer_kinds.hpp"

namespace entente::model {
namespace {

using engine::Activation;
using engine::Recurrent;

Result<engine::LayerKind> read_recurrent(JsonReader& config, Recurrent::Cell cell) {
  Recurrent layer;
  layer.cell = cell;
  layer.units = read_size(config, "units");
  layer.activation = read_activation(config, "activation", Activation::tanh);
  if (cell != Recurrent::Cell::simple &&
      read_activation(config, "recurrent_activation", Activation::sigmoid) != Activation::sigmoid)
    config.fail("recurrent_activation", "only 'sigmoid' is supported");
  layer.use_bias = config.boolean_or("use_bias", true);
  layer.return_sequences = config.boolean_or("return_sequences", false);
  layer.go_backwards = config.boolean_or("go_backwards", false);
  layer.zero_masked = config.boolean_or("zero_output_for_mask", false);
  if (cell == Recurrent::Cell::lstm)
    layer.unit_forget_bias = config.boolean_or("unit_forget_bias", true);
  if (cell == Recurrent::Cell::gru) require_flag(config, "reset_after", true);
  for (const std::string_view flag : {"return_state", "stateful", "time_major"})
    require_flag(config, flag, false);
  require_number(config, "dropout", 0);
  require_number(config, "recurrent_dropout", 0);
  pass_over(config, {"implementation", "unroll", "seed", "use_cudnn"});
  require_plain(config, {"kernel", "recurrent", "bias"});
  if (auto read = take_initializer(config, "kernel_initializer", layer.kernel_initializer); !read)
    return read.error();
  if (auto read = take_initializer(config, "recurrent_initializer", layer.recurrent_initializer);
      !read)
    return read.error();
  if (auto read = take_initializer(config, "bias_initializer", layer.bias_initializer); !read)
    return read.error();
  return layer;
}

engine::Bidirectional::Merge read_merge(JsonReader& config) {
  using Merge = engine::Bidirectional::Merge;
  const std::string name = config.text_or("merge_mode", "concat");
  if (name == "sum") return Merge::sum;
  if (name == "mul") return Merge::multiply;
  if (name == "ave") return Merge::average;
  if (name != "concat")
    config.fail("merge_mode", "expected 'concat', 'sum', 'mul' or 'ave', saw '" + name + "'");
  return Merge::concatenate;
}

// The layer that stands as a whole in member `name`, of one of `classes`; `expected` are these in
// words. An input shape of its own (Keras 2) says nothing that the wrapper's does not.
Result<engine::LayerKind> read_wrapped(JsonReader& config, std::string_view name,
                                       std::initializer_list<std::string_view> classes,
                                       const std::string& expected) {
  JsonReader inner = config.object(name);
  const std::string class_name = inner.text("class_name");
  require_keras_class(inner, class_name);
  pass_over(inner, {"name"});
  JsonReader inner_config = inner.object("config");
  if (auto done = inner.finish(); !done) return done.error();
  if (std::ranges::find(classes, class_name) == classes.end()) {
    return Error{Errc::malformed, inner.path_of("class_name") + ": expected " + expected +
                                      ", saw '" + class_name + "'"};
  }
  pass_over(inner_config, {"name", "batch_input_shape"});
  require_flag(inner_config, "trainable", true);
  require_float32(inner_config);
  auto read = reader_of(class_name)(inner_config);
  if (!read) return read.error();
  if (auto done = inner_config.finish(); !done) return done.error();
  return read;
}

Result<Recurrent> read_direction(JsonReader& config, std::string_view name) {
  const auto read =
      read_wrapped(config, name, {"LSTM", "GRU", "SimpleRNN"}, "'LSTM', 'GRU' or 'SimpleRNN'");
  if (!read) return read.error();
  return std::get<Recurrent>(*read);
}

}  // namespace

Result<engine::LayerKind> read_embedding(JsonReader& config) {
  engine::Embedding layer;
  layer.vocabulary = read_size(config, "input_dim");
  layer.size = read_size(config, "output_dim");
  layer.mask_zero = config.boolean_or("mask_zero", false);
  pass_over(config, {"input_length", "sparse"});
  require_null(config, {"weights"});
  require_plain(config, {"embeddings"});
  if (auto read = take_initializer(config, "embeddings_initializer", layer.initializer); !read)
    return read.error();
  return layer;
}

// KerasHub's and KerasNLP's: the embeddings alone, which an Add joins to the tokens'.
// hierarchical_alpha makes positions beyond sequence_length, which the engine refuses.
Result<engine::LayerKind> read_position_embedding(JsonReader& config) {
  engine::PositionEmbedding layer;
  layer.steps = read_size(config, "sequence_length");
  pass_over(config, {"hierarchical_alpha"});
  if (auto read = take_initializer(config, "initializer", layer.initializer); !read)
    return read.error();
  return layer;
}

Result<engine::LayerKind> read_simple_rnn(JsonReader& config) {
  return read_recurrent(config, Recurrent::Cell::simple);
}
Result<engine::LayerKind> read_lstm(JsonReader& config) {
  return read_recurrent(config, Recurrent::Cell::lstm);
}
Result<engine::LayerKind> read_gru(JsonReader& config) {
  return read_recurrent(config, Recurrent::Cell::gru);
}

// Keras 3 writes both directions, Keras 2 only the one.
Result<engine::LayerKind> read_bidirectional(JsonReader& config) {
  engine::Bidirectional layer;
  layer.merge = read_merge(config);
  const auto along = read_direction(config, "layer");
  if (!along) return along.error();
  layer.layer = *along;
  const json::value* against = config.find("backward_layer");
  if (against == nullptr || against->is_null()) return layer;
  auto back = read_direction(config, "backward_layer");
  if (!back) return back.error();
  if (back->go_backwards == along->go_backwards) {
    config.fail("backward_layer", "must go the other way (go_backwards)");
  }
  back->go_backwards = along->go_backwards;
  if (!(*back == *along))
    config.fail("backward_layer", "must be as the layer itself but for go_backwards");
  return layer;
}

// A Dense works on each step by itself anyway.
Result<engine::LayerKind> read_time_distributed(JsonReader& config) {
  return read_wrapped(config, "layer", {"Dense"}, "'Dense'");
}

Result<engine::LayerKind> read_attention(JsonReader& config) {
  engine::MultiHeadAttention layer;
  layer.heads = read_size(config, "num_heads");
  layer.key_size = read_size(config, "key_dim");
  layer.value_size = read_size_or(config, "value_dim", 0);
  layer.use_bias = config.boolean_or("use_bias", true);
  require_number(config, "dropout", 0);
  const json::value* outputs = config.find("output_shape");
  if (outputs != nullptr && !outputs->is_null())
    layer.outputs = read_single(config, "output_shape");
  const json::value* axes = config.find("attention_axes");
  if (axes != nullptr && !axes->is_null() && read_single(config, "attention_axes") != 1)
    config.fail("attention_axes", "only 1 is supported");
  pass_over(config,
            {"query_shape", "key_shape", "value_shape", "flash_attention", "seed", "use_gate"});
  require_flag(config, "use_gate", false);
  require_plain(config, {"kernel", "bias"});
  if (auto read = take_initializer(config, "kernel_initializer", layer.kernel_initializer); !read)
    return read.error();
  if (auto read = take_initializer(config, "bias_initializer", layer.bias_initializer); !read)
    return read.error();
  return layer;
}

}  // namespace entente::model
