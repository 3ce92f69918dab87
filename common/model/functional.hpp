// SPDX-License-Identifier: Apache-2.0
//
// The graph of a Functional model. Called by model.cpp only.
#pragma once

#include "common/base/json.hpp"
#include "common/base/result.hpp"
#include "common/engine/layers.hpp"

namespace entente::model {

// A Functional's `config` into `graph`: inputs in the order of `input_layers`, layers in an order
// in which each stands behind what it reads, the output last. Errors: malformed - as read_layer; a
// layer that is called twice or reads nothing that is there, a circle, several outputs. `example`:
// as read_model has it.
Result<void> read_functional(JsonReader& config, const engine::Shape* example,
                             engine::GraphSpec& graph);

}  // namespace entente::model
