// SPDX-License-Identifier: Apache-2.0
//
// One call of a layer, as `inbound_nodes` has it. Called by functional.cpp only.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/base/json.hpp"
#include "common/base/result.hpp"
#include "common/engine/layers.hpp"

namespace entente::model {

// Keras 3's operations on masks by name, each with the input whose tokens it compares with 0.
using Masks = std::map<std::string, std::string, std::less<>>;

struct Call {
  std::vector<std::string> inputs;  // in the layer's order: query, value, key
  std::vector<engine::MaskSpec> masks;
  bool causal = false;
  bool keras_3 = false;   // which form it has
  std::string inference;  // the place of training=False, if that was written
};

// The layer's only entry of inbound_nodes, in Keras 2's form or Keras 3's; `path` is the entry's.
// Errors: malformed - an argument that would change what the layer computes.
Result<Call> read_call(const json::value& node, const std::string& path, const Masks& masks);

// ["name", 0, 0], perhaps with more behind it.
// Errors: malformed - not such a list, or another than the layer's first output.
Result<std::string> read_history(const json::value& value, const std::string& path);

// Keras 3: {"class_name": "__keras_tensor__", "config": {"keras_history": [...]}}; nullptr: none.
const json::value* history_of(const json::value& value);

}  // namespace entente::model
