// SPDX-License-Identifier: Apache-2.0
//
// One layer of a Keras description. Called by model.cpp only.
#pragma once

#include <optional>
#include <string>

#include "common/base/json.hpp"
#include "common/base/result.hpp"
#include "common/engine/layers.hpp"
#include "common/engine/shape.hpp"

namespace entente::model {

// What one entry of `layers` says: an input shape, a layer, or (older files) both.
struct LayerEntry {
  std::optional<engine::Shape> input;
  std::optional<engine::LayerSpec> layer;
};

// `path` is the entry's: "model.config.layers[2]".
// Errors: malformed.
Result<LayerEntry> read_layer(const json::value& entry, const std::string& path);

// [null, 28, 28, 1] without its first.
// Errors: malformed.
Result<engine::Shape> read_batch_shape(const json::value& value, const std::string& path);

// "float32", or an object that means it, or null, or absent. Fails the reader otherwise.
void require_float32(JsonReader& reader);

// Asks for members that change nothing, so that they are not unknown.
void pass_over(JsonReader& reader, std::initializer_list<std::string_view> names);

}  // namespace entente::model
