// SPDX-License-Identifier: Apache-2.0
#include "common/model/layer_reader.hpp"

#include <array>
#include <initializer_list>
#include <utility>

#include "common/model/initializer_reader.hpp"

namespace entente::model {
namespace {

constexpr std::int64_t size_max = std::int64_t{1} << 31;
constexpr std::size_t layer_name_max_bytes = 200;  // "name/kernel" must be a tensor's name
constexpr std::string_view supported_layers =
    "Activation, Conv2D, Dense, Flatten, InputLayer, MaxPooling2D, ReLU, Softmax";

engine::Activation read_activation(JsonReader& config) {
  const json::value* given = config.find("activation");
  if (given == nullptr || given->is_null()) return engine::Activation::linear;
  const std::string name = config.text("activation");
  if (name == "linear") return engine::Activation::linear;
  if (name == "relu") return engine::Activation::relu;
  if (name == "softmax") return engine::Activation::softmax;
  config.fail("activation", "expected 'linear', 'relu' or 'softmax', saw '" + name + "'");
  return engine::Activation::linear;
}

engine::Padding read_padding(JsonReader& config) {
  const std::string name = config.text_or("padding", "valid");
  if (name != "same" && name != "valid")
    config.fail("padding", "expected 'same' or 'valid', saw '" + name + "'");
  return name == "same" ? engine::Padding::same : engine::Padding::valid;
}

// One size for both axes, or a list of two.
std::array<std::uint64_t, 2> read_pair(JsonReader& config, std::string_view name) {
  const json::value& given = config.child(name);
  std::array<std::uint64_t, 2> pair{1, 1};
  if (config.failed()) return pair;
  const json::array* list = given.if_array();
  const auto take = [&](const json::value& value, std::uint64_t& to) {
    const auto* number = value.if_int64();
    if (number == nullptr || *number < 1 || *number > size_max) {
      config.fail(name, "expected an integer from 1, or a list of two, saw " + describe(given));
    } else {
      to = static_cast<std::uint64_t>(*number);
    }
  };
  if (list != nullptr && list->size() != 2) {
    config.fail(name,
                "expected a list of two integers, saw one of " + std::to_string(list->size()));
    return pair;
  }
  take(list == nullptr ? given : (*list)[0], pair[0]);
  take(list == nullptr ? given : (*list)[1], pair[1]);
  return pair;
}

void require_channels_last(JsonReader& config) {
  const json::value* given = config.find("data_format");
  if (given == nullptr || given->is_null()) return;
  const std::string format = config.text("data_format");
  if (format != "channels_last") {
    config.fail("data_format", "expected 'channels_last', saw '" + format + "'");
  }
}

// What would change how the layer learns.
void require_null(JsonReader& config, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const json::value* given = config.find(name);
    if (given != nullptr && !given->is_null())
      config.fail(name, "is not supported yet; expected null");
  }
}
void require_no_regularizers(JsonReader& config) {
  require_null(config,
               {"kernel_regularizer", "bias_regularizer", "activity_regularizer",
                "kernel_constraint", "bias_constraint", "lora_rank", "quantization_config"});
}

void require_number(JsonReader& config, std::string_view name, double only) {
  const json::value* given = config.find(name);
  if (given == nullptr || given->is_null()) return;
  if (config.number(name, -1e300, 1e300) != only) {
    config.fail(name, "only " + std::to_string(static_cast<int>(only)) + " is supported, saw " +
                          describe(*given));
  }
}

Result<engine::LayerSpec> read_dense(JsonReader& config, std::string name) {
  engine::Dense layer;
  layer.units = static_cast<std::uint64_t>(config.integer("units", 1, size_max));
  layer.activation = read_activation(config);
  layer.use_bias = config.boolean_or("use_bias", true);
  const auto kernel = read_initializer(config, "kernel_initializer", engine::glorot_uniform);
  if (!kernel) return kernel.error();
  const auto bias = read_initializer(config, "bias_initializer", engine::zeros);
  if (!bias) return bias.error();
  layer.kernel_initializer = *kernel;
  layer.bias_initializer = *bias;
  require_no_regularizers(config);
  return engine::LayerSpec{std::move(name), layer};
}

Result<engine::LayerSpec> read_convolution(JsonReader& config, std::string name) {
  engine::Conv2D layer;
  layer.filters = static_cast<std::uint64_t>(config.integer("filters", 1, size_max));
  layer.kernel_size = read_pair(config, "kernel_size");
  if (config.has("strides")) layer.strides = read_pair(config, "strides");
  layer.padding = read_padding(config);
  require_channels_last(config);
  if (config.has("dilation_rate") &&
      read_pair(config, "dilation_rate") != std::array<std::uint64_t, 2>{1, 1}) {
    config.fail("dilation_rate",
                "only 1 is supported, saw " + describe(config.child("dilation_rate")));
  }
  if (config.integer_or("groups", 1, 1, size_max) != 1)
    config.fail("groups", "only 1 is supported");
  layer.activation = read_activation(config);
  layer.use_bias = config.boolean_or("use_bias", true);
  const auto kernel = read_initializer(config, "kernel_initializer", engine::glorot_uniform);
  if (!kernel) return kernel.error();
  const auto bias = read_initializer(config, "bias_initializer", engine::zeros);
  if (!bias) return bias.error();
  layer.kernel_initializer = *kernel;
  layer.bias_initializer = *bias;
  require_no_regularizers(config);
  return engine::LayerSpec{std::move(name), layer};
}

engine::LayerSpec read_pooling(JsonReader& config, std::string name) {
  engine::MaxPooling2D layer;
  if (config.has("pool_size")) layer.pool_size = read_pair(config, "pool_size");
  layer.strides = layer.pool_size;
  const json::value* strides = config.find("strides");
  if (strides != nullptr && !strides->is_null()) layer.strides = read_pair(config, "strides");
  layer.padding = read_padding(config);
  require_channels_last(config);
  return {std::move(name), layer};
}

// Keras' ReLU layer has parameters that make another function of it.
engine::LayerSpec read_relu(JsonReader& config, std::string name) {
  require_null(config, {"max_value"});
  require_number(config, "negative_slope", 0);
  require_number(config, "threshold", 0);
  return {std::move(name), engine::ActivationLayer{engine::Activation::relu}};
}

engine::LayerSpec read_softmax(JsonReader& config, std::string name) {
  require_number(config, "axis", -1);
  return {std::move(name), engine::ActivationLayer{engine::Activation::softmax}};
}

Result<engine::LayerSpec> read_kind(const std::string& class_name, JsonReader& config,
                                    std::string name, const std::string& path) {
  if (class_name == "Dense") return read_dense(config, std::move(name));
  if (class_name == "Conv2D" || class_name == "Convolution2D")
    return read_convolution(config, std::move(name));
  if (class_name == "MaxPooling2D" || class_name == "MaxPool2D")
    return read_pooling(config, std::move(name));
  if (class_name == "ReLU") return read_relu(config, std::move(name));
  if (class_name == "Softmax") return read_softmax(config, std::move(name));
  if (class_name == "Flatten") {
    require_channels_last(config);
    return engine::LayerSpec{std::move(name), engine::Flatten{}};
  }
  if (class_name == "Activation") {
    return engine::LayerSpec{std::move(name), engine::ActivationLayer{read_activation(config)}};
  }
  return Error{Errc::malformed,
               path + ".class_name: layer '" + class_name +
                   "' is not supported; supported: " + std::string(supported_layers)};
}

void require_flag(JsonReader& config, std::string_view name, bool only) {
  const json::value* given = config.find(name);
  if (given == nullptr || given->is_null()) return;
  if (config.boolean(name) != only) {
    config.fail(name, std::string("only ") + (only ? "true" : "false") + " is supported");
  }
}

// The shape of InputLayer, or of a first layer in older files.
Result<std::optional<engine::Shape>> read_input(JsonReader& config) {
  std::optional<engine::Shape> shape;
  for (const std::string_view name : {"batch_shape", "batch_input_shape"}) {
    const json::value* given = config.find(name);
    if (given == nullptr || given->is_null()) continue;
    auto read = read_batch_shape(*given, config.path_of(name));
    if (!read) return read.error();
    shape = std::move(*read);
  }
  return shape;
}

}  // namespace

void pass_over(JsonReader& reader, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) reader.find(name);
}

void require_float32(JsonReader& reader) {
  const json::value* given = reader.find("dtype");
  if (given == nullptr || given->is_null()) return;
  const json::value* name = given;
  if (const json::object* policy = given->if_object()) {
    const json::value* config = policy->if_contains("config");
    const json::object* members = config == nullptr ? nullptr : config->if_object();
    name = members == nullptr ? nullptr : members->if_contains("name");
  }
  if (name != nullptr && name->is_string() && name->get_string() == "float32") return;
  reader.fail("dtype", "expected 'float32', saw " + describe(name == nullptr ? *given : *name));
}

Result<engine::Shape> read_batch_shape(const json::value& value, const std::string& path) {
  const json::array* list = value.if_array();
  if (list == nullptr || list->size() < 2 || list->size() > 4) {
    return Error{Errc::malformed,
                 path + ": expected a list of null and one to three sizes, saw " + describe(value)};
  }
  engine::Shape shape;
  for (std::size_t i = 1; i < list->size(); ++i) {
    const auto* size = (*list)[i].if_int64();
    if (size == nullptr || *size < 1 || *size > size_max) {
      return Error{Errc::malformed, path + "[" + std::to_string(i) +
                                        "]: expected an integer from 1, saw " +
                                        describe((*list)[i])};
    }
    shape.push_back(static_cast<std::uint64_t>(*size));
  }
  return shape;
}

Result<LayerEntry> read_layer(const json::value& entry, const std::string& path) {
  JsonReader reader(entry, path);
  const std::string class_name = reader.text("class_name");
  pass_over(reader, {"module", "registered_name", "build_config", "name"});
  JsonReader config = reader.object("config");
  if (auto done = reader.finish(); !done) return done.error();
  LayerEntry result;
  std::string name = config.text("name", layer_name_max_bytes);
  require_flag(config, "trainable", true);
  require_float32(config);
  auto input = read_input(config);
  if (!input) return input.error();
  result.input = std::move(*input);
  if (class_name == "InputLayer") {
    for (const std::string_view flag : {"sparse", "ragged", "optional"})
      require_flag(config, flag, false);
    if (!result.input)
      config.fail("batch_shape", "missing; expected a list such as [null, 28, 28, 1]");
  } else {
    auto layer = read_kind(class_name, config, std::move(name), path);
    if (!layer) return layer.error();
    result.layer = std::move(*layer);
  }
  if (auto done = config.finish(); !done) return done.error();
  return result;
}

}  // namespace entente::model
