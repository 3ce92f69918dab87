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

// What Keras 3 makes masks with, behind an Embedding with mask_zero: tokens compared with 0, and
// (where values with masks are added) one mask or another.
enum class MaskOperation { none, comparison, either };

// What one entry of `layers` says: an input shape, a layer, or (older files) both. Or an operation
// on masks: the engine makes its own.
struct LayerEntry {
  std::string name;
  std::optional<engine::Shape> input;
  std::optional<engine::LayerSpec> layer;
  MaskOperation mask = MaskOperation::none;
  bool operation = false;              // of Keras 3, such as x + y, rather than a layer
  const json::value* nodes = nullptr;  // inbound_nodes, where there are any
};

// `path` is the entry's: "model.config.layers[2]"; `example` as read_batch_shape has it.
// Errors: malformed.
Result<LayerEntry> read_layer(const json::value& entry, const std::string& path,
                              const engine::Shape* example);

// [null, 28, 28, 1] without its first. Further sizes that are null are those of `example`, if it is
// there and has as many axes. Errors: malformed - no such list; a size that stays open.
Result<engine::Shape> read_batch_shape(const json::value& value, const std::string& path,
                                       const engine::Shape* example);

}  // namespace entente::model
