// SPDX-License-Identifier: Apache-2.0
#include "common/model/layer_reader.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "common/model/fields.hpp"
#include "common/model/layer_kinds.hpp"

namespace entente::model {
namespace {

constexpr std::size_t layer_name_max_bytes = 200;  // "name/kernel" must be a tensor's name

struct Kind {
  std::string_view class_name;
  KindReader read;
};
// Older names of Keras stand beside the newer ones, unlisted.
constexpr std::array<Kind, 35> kinds{{
    {"Activation", &read_activation_layer},
    {"Add", &read_add},
    {"AveragePooling1D", &read_average_pooling_1d},
    {"AveragePooling2D", &read_average_pooling_2d},
    {"BatchNormalization", &read_batch_normalization},
    {"Bidirectional", &read_bidirectional},
    {"Concatenate", &read_concatenate},
    {"Conv1D", &read_conv1d},
    {"Conv2D", &read_conv2d},
    {"Dense", &read_dense},
    {"DepthwiseConv2D", &read_depthwise},
    {"Dropout", &read_dropout},
    {"ELU", &read_elu},
    {"Embedding", &read_embedding},
    {"Flatten", &read_flatten},
    {"GRU", &read_gru},
    {"GlobalAveragePooling1D", &read_global_average_pooling_1d},
    {"GlobalAveragePooling2D", &read_global_average_pooling_2d},
    {"GlobalMaxPooling1D", &read_global_max_pooling_1d},
    {"GlobalMaxPooling2D", &read_global_max_pooling_2d},
    {"GroupNormalization", &read_group_normalization},
    {"LSTM", &read_lstm},
    {"LayerNormalization", &read_layer_normalization},
    {"LeakyReLU", &read_leaky_relu},
    {"MaxPooling1D", &read_max_pooling_1d},
    {"MaxPooling2D", &read_max_pooling_2d},
    {"MultiHeadAttention", &read_attention},
    {"Multiply", &read_multiply},
    {"Permute", &read_permute},
    {"PositionEmbedding", &read_position_embedding},
    {"ReLU", &read_relu},
    {"Reshape", &read_reshape},
    {"SimpleRNN", &read_simple_rnn},
    {"Softmax", &read_softmax},
    {"TimeDistributed", &read_time_distributed},
}};
constexpr std::array<Kind, 4> older_kinds{{
    {"Convolution2D", &read_conv2d},
    {"Convolution1D", &read_conv1d},
    {"MaxPool2D", &read_max_pooling_2d},
    {"AvgPool2D", &read_average_pooling_2d},
}};

// The shape of InputLayer, or of a first layer in older files.
Result<std::optional<engine::Shape>> read_input(JsonReader& config, const engine::Shape* example) {
  std::optional<engine::Shape> shape;
  for (const std::string_view name : {"batch_shape", "batch_input_shape"}) {
    const json::value* given = config.find(name);
    if (given == nullptr || given->is_null()) continue;
    auto read = read_batch_shape(*given, config.path_of(name), example);
    if (!read) return read.error();
    shape = std::move(*read);
  }
  return shape;
}

const std::string open_size =
    "; only a single input may leave a size open, and takes it from a plan's data of as many axes";

MaskOperation mask_operation(std::string_view class_name) {
  if (class_name == "NotEqual") return MaskOperation::comparison;
  return class_name == "LogicalOr" ? MaskOperation::either : MaskOperation::none;
}

constexpr std::array<std::string_view, 9> whole_numbers{
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"};

// Whole numbers as inputs are whole numbers in float32 too.
void read_input_type(JsonReader& config) {
  const json::value* given = config.find("dtype");
  if (given != nullptr && given->is_string()) {
    if (std::ranges::find(whole_numbers, given->get_string()) != whole_numbers.end()) return;
  }
  require_float32(config);
}

}  // namespace

KindReader reader_of(std::string_view class_name) {
  const auto* const found = std::ranges::find(kinds, class_name, &Kind::class_name);
  if (found != kinds.end()) return found->read;
  const auto* const older = std::ranges::find(older_kinds, class_name, &Kind::class_name);
  return older == older_kinds.end() ? nullptr : older->read;
}

std::string supported_layers() {
  std::string names;
  for (const Kind& kind : kinds)
    names += (names.empty() ? "" : ", ") + std::string(kind.class_name);
  return names + ", InputLayer";
}

Result<engine::Shape> read_batch_shape(const json::value& value, const std::string& path,
                                       const engine::Shape* example) {
  const json::array* list = value.if_array();
  if (list == nullptr || list->size() < 2 || list->size() > 4) {
    return Error{Errc::malformed,
                 path + ": expected a list of null and one to three sizes, saw " + describe(value)};
  }
  const bool fills = example != nullptr && example->size() + 1 == list->size();
  engine::Shape shape;
  for (std::size_t i = 1; i < list->size(); ++i) {
    if ((*list)[i].is_null() && fills) {
      shape.push_back((*example)[i - 1]);
      continue;
    }
    const auto* size = (*list)[i].if_int64();
    if (size == nullptr || *size < 1 || *size > size_max) {
      return Error{Errc::malformed,
                   path + "[" + std::to_string(i) + "]: expected an integer from 1, saw " +
                       describe((*list)[i]) + ((*list)[i].is_null() ? open_size : "")};
    }
    shape.push_back(static_cast<std::uint64_t>(*size));
  }
  return shape;
}

Result<LayerEntry> read_layer(const json::value& entry, const std::string& path,
                              const engine::Shape* example) {
  JsonReader reader(entry, path);
  const std::string class_name = reader.text("class_name");
  require_keras_class(reader, class_name);
  LayerEntry result;
  const json::value* module = reader.find("module");
  if (module != nullptr && module->is_string())
    result.operation = module->get_string().find(".ops") != std::string_view::npos;
  result.nodes = reader.find("inbound_nodes");
  const std::string entry_name = reader.text_or("name", "", layer_name_max_bytes);
  JsonReader config = reader.object("config");
  if (auto done = reader.finish(); !done) return done.error();
  result.mask = mask_operation(class_name);
  if (result.mask != MaskOperation::none) {
    result.name = config.text_or("name", entry_name, layer_name_max_bytes);
    pass_over(config, {"dtype"});
    if (auto done = config.finish(); !done) return done.error();
    return result;
  }
  // Operations (x + y) may have a name at their entry alone.
  result.name = entry_name.empty() ? config.text("name", layer_name_max_bytes)
                                   : config.text_or("name", entry_name, layer_name_max_bytes);
  require_flag(config, "trainable", true);
  class_name == "InputLayer" ? read_input_type(config) : require_float32(config);
  auto input = read_input(config, example);
  if (!input) return input.error();
  result.input = std::move(*input);
  if (class_name == "InputLayer") {
    for (const std::string_view flag : {"sparse", "ragged", "optional"})
      require_flag(config, flag, false);
    if (!result.input)
      config.fail("batch_shape", "missing; expected a list such as [null, 28, 28, 1]");
  } else {
    const KindReader read = reader_of(class_name);
    if (read == nullptr) {
      return Error{Errc::malformed, path + ".class_name: layer '" + class_name +
                                        "' is not supported; supported: " + supported_layers()};
    }
    auto kind = read(config);
    if (!kind) return kind.error();
    result.layer = engine::LayerSpec{result.name, std::move(*kind)};
  }
  if (auto done = config.finish(); !done) return done.error();
  return result;
}

}  // namespace entente::model
