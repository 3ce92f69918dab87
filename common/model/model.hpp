// SPDX-License-Identifier: Apache-2.0
//
// Model descriptions as Keras writes them (`model.to_json()`, Keras 2 and 3), read into the
// engine's layers.
//
// Supported: Sequential and Functional models (several inputs, one output, no layer called twice)
// of the layers that an error about an unknown one lists, channels last, float32. Anything in the
// file that would change what the model computes or how it learns is either honoured or an error
// with its place (a class of another package than Keras' is one, whatever its name); what changes
// neither (how it was compiled, seeds of initialisers: the plan has its own) is passed over, by
// name. Unknown members are errors. Weights' names and shapes: engine/layers.hpp.
//
// Masks come from Embedding's mask_zero alone. Those that a file hands from layer to layer by
// itself (Keras 3's comparisons of tokens with 0) must be the ones that the engine has there.
//
// Where Keras' behaviour differs between its versions: a mask ends at a layer that does not know
// masks (as in Keras 3); layers that join values treat masks as the version does that wrote the
// file; PositionEmbedding is KerasHub's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/json.hpp"
#include "common/base/result.hpp"
#include "common/engine/network.hpp"

namespace entente::model {

inline constexpr std::size_t model_max_bytes = std::size_t{4} << 20U;
inline constexpr std::size_t layers_max = 1000;

struct ModelSpec {
  std::string name;
  engine::GraphSpec graph;
  json::value document;  // as given: what a plan embeds
};

// Reads a model description; `path` names it in errors: "model.config.layers[2].config.padding:
// expected ...". Whether the layers fit together is compile's to say. Sizes of a single input that
// the description leaves open (Input((None,))) are those of `example`, the shape of a row of the
// data; the document stays as it is. Errors: malformed - not such a description, or something that
// is not supported.
Result<ModelSpec> read_model(const json::value& document, std::string_view path = "model",
                             const engine::Shape* example = nullptr);

// The same from a file's text.
Result<ModelSpec> parse_model(std::string_view text, std::string_view path = "model");

// Errors: invalid_argument - layers that do not fit together, or an end that does not fit the loss.
Result<engine::Network> compile(const ModelSpec& model,
                                const engine::LossSpec& loss = engine::CategoricalCrossEntropy{});

}  // namespace entente::model
