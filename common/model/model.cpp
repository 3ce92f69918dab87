// SPDX-License-Identifier: Apache-2.0
#include "common/model/model.hpp"

#include <optional>
#include <utility>

#include "common/model/layer_reader.hpp"

namespace entente::model {
namespace {

// The entries of `layers` in order, into `model`.
Result<void> read_layers(const json::array& layers, const std::string& path, ModelSpec& model) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string place = path + "[" + std::to_string(i) + "]";
    auto entry = read_layer(layers[i], place);
    if (!entry) return entry.error();
    if (entry->input) {
      if (i != 0 && !model.layers.empty()) {
        return Error{Errc::malformed, place + ": an input shape behind the first layer"};
      }
      if (i != 0 && *entry->input != model.input) {
        return Error{Errc::malformed, place + ": input shape " + engine::to_text(*entry->input) +
                                          " differs from the input layer's " +
                                          engine::to_text(model.input)};
      }
      model.input = std::move(*entry->input);
    }
    if (entry->layer) model.layers.push_back(std::move(*entry->layer));
  }
  return ok();
}

}  // namespace

Result<ModelSpec> read_model(const json::value& document, std::string_view path) {
  JsonReader reader(document, std::string(path));
  const std::string class_name = reader.text("class_name");
  if (!reader.failed() && class_name != "Sequential") {
    reader.fail("class_name", "expected 'Sequential', saw '" + class_name + "'");
  }
  pass_over(reader, {"module", "registered_name", "build_config", "compile_config", "keras_version",
                     "backend"});
  JsonReader config = reader.object("config");
  if (auto done = reader.finish(); !done) return done.error();

  ModelSpec model;
  model.document = document;
  model.name = config.text_or("name", "");
  if (!config.boolean_or("trainable", true)) config.fail("trainable", "only true is supported");
  require_float32(config);
  const json::value* built = config.find("build_input_shape");
  const json::array& layers = config.array("layers", 1, layers_max);
  if (auto done = config.finish(); !done) return done.error();

  if (auto read = read_layers(layers, config.path_of("layers"), model); !read) return read.error();
  if (model.input.empty() && built != nullptr && !built->is_null()) {
    auto shape = read_batch_shape(*built, config.path_of("build_input_shape"));
    if (!shape) return shape.error();
    model.input = std::move(*shape);
  }
  if (model.input.empty()) {
    return Error{Errc::malformed,
                 config.path_of("layers") +
                     ": no input shape; put an InputLayer first (keras.Input(shape=...)), or build "
                     "the model before writing it"};
  }
  return model;
}

Result<ModelSpec> parse_model(std::string_view text, std::string_view path) {
  const auto document = parse_json(text, model_max_bytes);
  if (!document) return in_context(path, document.error());
  return read_model(*document, path);
}

Result<engine::Network> compile(const ModelSpec& model) {
  auto network = engine::Network::compile(model.input, model.layers);
  if (!network) return in_context("model", network.error());
  return network;
}

}  // namespace entente::model
