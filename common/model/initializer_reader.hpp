// SPDX-License-Identifier: Apache-2.0
//
// Keras' initialisers. Called by layer_reader.cpp only.
#pragma once

#include <string_view>

#include "common/base/json.hpp"
#include "common/base/result.hpp"
#include "common/engine/layers.hpp"

namespace entente::model {

// The member `name`: "glorot_uniform" or {"class_name": "GlorotUniform", "config": {...}};
// `fallback` when absent or null. Errors: malformed - none that is supported.
Result<engine::Initializer> read_initializer(JsonReader& reader, std::string_view name,
                                             const engine::Initializer& fallback);

}  // namespace entente::model
