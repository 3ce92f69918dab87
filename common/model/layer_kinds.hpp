// SPDX-License-Identifier: Apache-2.0
//
// One reader for each of Keras' layers: its `config` into the engine's struct. Called by
// layer_reader.cpp only; the caller asks for what all layers have, and finishes the reader.
#pragma once

#include <string>
#include <string_view>

#include "common/base/json.hpp"
#include "common/base/result.hpp"
#include "common/engine/layers.hpp"

namespace entente::model {

using KindReader = Result<engine::LayerKind> (*)(JsonReader& config);

// The reader of `class_name`; null when it is not supported.
KindReader reader_of(std::string_view class_name);
// All that are, in the order of the alphabet.
std::string supported_layers();

// Windows (window_kinds.cpp).
Result<engine::LayerKind> read_conv1d(JsonReader& config);
Result<engine::LayerKind> read_conv2d(JsonReader& config);
Result<engine::LayerKind> read_depthwise(JsonReader& config);
Result<engine::LayerKind> read_max_pooling_1d(JsonReader& config);
Result<engine::LayerKind> read_max_pooling_2d(JsonReader& config);
Result<engine::LayerKind> read_average_pooling_1d(JsonReader& config);
Result<engine::LayerKind> read_average_pooling_2d(JsonReader& config);
Result<engine::LayerKind> read_global_average_pooling_1d(JsonReader& config);
Result<engine::LayerKind> read_global_average_pooling_2d(JsonReader& config);
Result<engine::LayerKind> read_global_max_pooling_1d(JsonReader& config);
Result<engine::LayerKind> read_global_max_pooling_2d(JsonReader& config);

// Rows, shapes, activations, norms (plain_kinds.cpp).
Result<engine::LayerKind> read_dense(JsonReader& config);
Result<engine::LayerKind> read_flatten(JsonReader& config);
Result<engine::LayerKind> read_reshape(JsonReader& config);
Result<engine::LayerKind> read_permute(JsonReader& config);
Result<engine::LayerKind> read_activation_layer(JsonReader& config);
Result<engine::LayerKind> read_relu(JsonReader& config);
Result<engine::LayerKind> read_leaky_relu(JsonReader& config);
Result<engine::LayerKind> read_elu(JsonReader& config);
Result<engine::LayerKind> read_softmax(JsonReader& config);
Result<engine::LayerKind> read_dropout(JsonReader& config);
Result<engine::LayerKind> read_add(JsonReader& config);
Result<engine::LayerKind> read_multiply(JsonReader& config);
Result<engine::LayerKind> read_concatenate(JsonReader& config);
Result<engine::LayerKind> read_batch_normalization(JsonReader& config);
Result<engine::LayerKind> read_layer_normalization(JsonReader& config);
Result<engine::LayerKind> read_group_normalization(JsonReader& config);

// Sequences (sequence_kinds.cpp).
Result<engine::LayerKind> read_embedding(JsonReader& config);
Result<engine::LayerKind> read_position_embedding(JsonReader& config);
Result<engine::LayerKind> read_simple_rnn(JsonReader& config);
Result<engine::LayerKind> read_lstm(JsonReader& config);
Result<engine::LayerKind> read_gru(JsonReader& config);
Result<engine::LayerKind> read_bidirectional(JsonReader& config);
Result<engine::LayerKind> read_time_distributed(JsonReader& config);
Result<engine::LayerKind> read_attention(JsonReader& config);

}  // namespace entente::model
