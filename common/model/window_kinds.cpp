// SPDX-License-Identifier: Apache-2.0
#include "common/model/fields.hpp"
#include "common/model/layer_kinds.hpp"

namespace entente::model {
namespace {

void require_undivided(JsonReader& config, bool one_axis) {
  require_channels_last(config);
  if (config.has("dilation_rate")) {
    const bool plain =
        one_axis ? read_single(config, "dilation_rate") == 1
                 : read_pair(config, "dilation_rate") == std::array<std::uint64_t, 2>{1, 1};
    if (!plain) {
      config.fail("dilation_rate",
                  "only 1 is supported, saw " + describe(config.child("dilation_rate")));
    }
  }
  if (config.integer_or("groups", 1, 1, size_max) != 1)
    config.fail("groups", "only 1 is supported");
}

// What Conv1D and Conv2D share behind their sizes.
template <class Layer>
Result<engine::LayerKind> finish_convolution(JsonReader& config, Layer layer) {
  layer.filters = read_size(config, "filters");
  layer.activation = read_activation(config, "activation");
  layer.use_bias = config.boolean_or("use_bias", true);
  if (auto read = take_initializer(config, "kernel_initializer", layer.kernel_initializer); !read)
    return read.error();
  if (auto read = take_initializer(config, "bias_initializer", layer.bias_initializer); !read)
    return read.error();
  require_plain(config, {"kernel", "bias"});
  return layer;
}

bool has_strides(JsonReader& config) {
  const json::value* strides = config.find("strides");
  return strides != nullptr && !strides->is_null();
}

template <class Layer>
Layer read_pooling_2d(JsonReader& config) {
  Layer layer;
  if (config.has("pool_size")) layer.pool_size = read_pair(config, "pool_size");
  layer.strides = has_strides(config) ? read_pair(config, "strides") : layer.pool_size;
  layer.padding = read_padding(config);
  require_channels_last(config);
  return layer;
}

engine::Pooling1D read_pooling_1d(JsonReader& config, engine::Pooling1D::Kind kind) {
  engine::Pooling1D layer;
  layer.kind = kind;
  if (config.has("pool_size")) layer.pool_size = read_single(config, "pool_size");
  layer.strides = has_strides(config) ? read_single(config, "strides") : layer.pool_size;
  layer.padding = read_padding(config);
  require_channels_last(config);
  return layer;
}

engine::GlobalPooling read_global(JsonReader& config, engine::GlobalPooling::Kind kind,
                                  std::size_t rank) {
  require_channels_last(config);
  return {kind, rank, config.boolean_or("keepdims", false)};
}

}  // namespace

Result<engine::LayerKind> read_conv1d(JsonReader& config) {
  engine::Conv1D layer;
  layer.kernel_size = read_single(config, "kernel_size");
  if (config.has("strides")) layer.strides = read_single(config, "strides");
  layer.padding = read_padding(config, true);
  require_undivided(config, true);
  return finish_convolution(config, layer);
}

Result<engine::LayerKind> read_conv2d(JsonReader& config) {
  engine::Conv2D layer;
  layer.kernel_size = read_pair(config, "kernel_size");
  if (config.has("strides")) layer.strides = read_pair(config, "strides");
  layer.padding = read_padding(config);
  require_undivided(config, false);
  return finish_convolution(config, layer);
}

Result<engine::LayerKind> read_depthwise(JsonReader& config) {
  engine::DepthwiseConv2D layer;
  layer.kernel_size = read_pair(config, "kernel_size");
  if (config.has("strides")) layer.strides = read_pair(config, "strides");
  layer.padding = read_padding(config);
  layer.depth_multiplier = read_size_or(config, "depth_multiplier", 1);
  require_undivided(config, false);
  layer.activation = read_activation(config, "activation");
  layer.use_bias = config.boolean_or("use_bias", true);
  if (auto read = take_initializer(config, "depthwise_initializer", layer.kernel_initializer);
      !read)
    return read.error();
  if (auto read = take_initializer(config, "bias_initializer", layer.bias_initializer); !read)
    return read.error();
  require_plain(config, {"depthwise", "bias"});
  return layer;
}

Result<engine::LayerKind> read_max_pooling_2d(JsonReader& config) {
  return read_pooling_2d<engine::MaxPooling2D>(config);
}
Result<engine::LayerKind> read_average_pooling_2d(JsonReader& config) {
  return read_pooling_2d<engine::AveragePooling2D>(config);
}
Result<engine::LayerKind> read_max_pooling_1d(JsonReader& config) {
  return read_pooling_1d(config, engine::Pooling1D::Kind::max);
}
Result<engine::LayerKind> read_average_pooling_1d(JsonReader& config) {
  return read_pooling_1d(config, engine::Pooling1D::Kind::average);
}
Result<engine::LayerKind> read_global_average_pooling_1d(JsonReader& config) {
  return read_global(config, engine::GlobalPooling::Kind::average, 1);
}
Result<engine::LayerKind> read_global_average_pooling_2d(JsonReader& config) {
  return read_global(config, engine::GlobalPooling::Kind::average, 2);
}
Result<engine::LayerKind> read_global_max_pooling_1d(JsonReader& config) {
  return read_global(config, engine::GlobalPooling::Kind::max, 1);
}
Result<engine::LayerKind> read_global_max_pooling_2d(JsonReader& config) {
  return read_global(config, engine::GlobalPooling::Kind::max, 2);
}

}  // namespace entente::model
