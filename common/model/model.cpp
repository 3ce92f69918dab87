// SPDX-License-Identifier: Apache-2.0
#include "common/model/model.hpp"

#include <optional>
#include <utility>

#include "common/model/fields.hpp"
#include "common/model/functional.hpp"
#include "common/model/layer_reader.hpp"

namespace entente::model {
namespace {

// A Sequential's entries in order, into `graph`.
Result<void> read_chain(const json::array& layers, const std::string& path,
                        const engine::Shape* example, engine::GraphSpec& graph) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string place = path + "[" + std::to_string(i) + "]";
    auto entry = read_layer(layers[i], place, example);
    if (!entry) return entry.error();
    if (entry->mask != MaskOperation::none) {
      return Error{Errc::malformed,
                   place + ".class_name: operations on masks belong to Functional models"};
    }
    if (entry->input) {
      if (!graph.layers.empty()) {
        return Error{Errc::malformed, place + ": an input shape behind the first layer"};
      }
      if (!graph.inputs.empty() && *entry->input != graph.inputs.front().shape) {
        return Error{Errc::malformed, place + ": input shape " + engine::to_text(*entry->input) +
                                          " differs from the input layer's " +
                                          engine::to_text(graph.inputs.front().shape)};
      }
      graph.inputs = {{"input", std::move(*entry->input)}};
    }
    if (entry->layer) graph.layers.push_back(std::move(*entry->layer));
  }
  return ok();
}

const std::string no_input_shape =
    ": no input shape; put an InputLayer first (keras.Input(shape=...)), or build the model before "
    "writing it";

// Before version 2.2.3 a Sequential's `config` was the list of its layers.
Result<void> read_list(JsonReader& reader, const engine::Shape* example, engine::GraphSpec& graph) {
  const json::array& layers = reader.array("config", 1, layers_max);
  if (auto done = reader.finish(); !done) return done.error();
  const std::string path = reader.path_of("config");
  if (auto read = read_chain(layers, path, example, graph); !read) return read.error();
  if (graph.inputs.empty()) return Error{Errc::malformed, path + no_input_shape};
  return ok();
}

Result<void> read_sequential(JsonReader& config, const engine::Shape* example,
                             engine::GraphSpec& graph) {
  const json::value* built = config.find("build_input_shape");
  const json::array& layers = config.array("layers", 1, layers_max);
  if (auto done = config.finish(); !done) return done.error();
  if (auto read = read_chain(layers, config.path_of("layers"), example, graph); !read)
    return read.error();
  if (graph.inputs.empty() && built != nullptr && !built->is_null()) {
    auto shape = read_batch_shape(*built, config.path_of("build_input_shape"), example);
    if (!shape) return shape.error();
    graph.inputs = {{"input", std::move(*shape)}};
  }
  if (!graph.inputs.empty()) return ok();
  return Error{Errc::malformed, config.path_of("layers") + no_input_shape};
}

}  // namespace

Result<ModelSpec> read_model(const json::value& document, std::string_view path,
                             const engine::Shape* example) {
  JsonReader reader(document, std::string(path));
  const std::string class_name = reader.text("class_name");
  const bool functional = class_name == "Functional" || class_name == "Model";
  if (!reader.failed() && !functional && class_name != "Sequential") {
    reader.fail("class_name", "expected 'Sequential' or 'Functional', saw '" + class_name + "'");
  }
  require_keras_class(reader, class_name);
  pass_over(reader, {"compile_config", "keras_version", "backend"});
  ModelSpec model;
  model.document = document;
  const json::value* list = reader.find("config");
  if (!functional && list != nullptr && list->is_array()) {
    if (auto read = read_list(reader, example, model.graph); !read) return read.error();
    return model;
  }
  JsonReader config = reader.object("config");
  if (auto done = reader.finish(); !done) return done.error();

  model.name = config.text_or("name", "");
  require_flag(config, "trainable", true);
  require_float32(config);
  auto read = functional ? read_functional(config, example, model.graph)
                         : read_sequential(config, example, model.graph);
  if (!read) return read.error();
  return model;
}

Result<ModelSpec> parse_model(std::string_view text, std::string_view path) {
  const auto document = parse_json(text, model_max_bytes);
  if (!document) return in_context(path, document.error());
  return read_model(*document, path);
}

Result<engine::Network> compile(const ModelSpec& model, const engine::LossSpec& loss) {
  auto network = engine::Network::compile(model.graph, std::nullopt, loss);
  if (!network) return in_context("model", network.error());
  return network;
}

}  // namespace entente::model
