// SPDX-License-Identifier: Apache-2.0
#include "common/model/fields.hpp"
#include "common/model/layer_kinds.hpp"

namespace entente::model {
namespace {

using engine::Activation;
using engine::ActivationLayer;

constexpr double slope_max = 1e6;

// Epsilon, gamma and beta, as all norms have them.
template <class Layer>
Result<void> read_norm(JsonReader& config, Layer& layer) {
  layer.epsilon = config.number_or("epsilon", layer.epsilon, 1e-30, 1);
  layer.center = config.boolean_or("center", true);
  layer.scale = config.boolean_or("scale", true);
  layer.axis = read_axis(config);
  require_plain(config, {"gamma", "beta"});
  if (auto read = take_initializer(config, "beta_initializer", layer.beta_initializer); !read)
    return read.error();
  return take_initializer(config, "gamma_initializer", layer.gamma_initializer);
}

}  // namespace

Result<engine::LayerKind> read_dense(JsonReader& config) {
  engine::Dense layer;
  layer.units = read_size(config, "units");
  layer.activation = read_activation(config, "activation");
  layer.use_bias = config.boolean_or("use_bias", true);
  if (auto read = take_initializer(config, "kernel_initializer", layer.kernel_initializer); !read)
    return read.error();
  if (auto read = take_initializer(config, "bias_initializer", layer.bias_initializer); !read)
    return read.error();
  require_plain(config, {"kernel", "bias"});
  return layer;
}

Result<engine::LayerKind> read_flatten(JsonReader& config) {
  require_channels_last(config);
  return engine::Flatten{};
}

Result<engine::LayerKind> read_reshape(JsonReader& config) {
  engine::Reshape layer;
  std::size_t open = 0;
  for (const json::value& value : config.array("target_shape", 1, 3)) {
    const auto* size = value.if_int64();
    if (size == nullptr || *size < -1 || *size == 0 || *size > size_max) {
      config.fail("target_shape", "expected integers from 1, or one -1, saw " + describe(value));
      break;
    }
    open += *size == -1 ? 1 : 0;
    layer.shape.push_back(*size == -1 ? 0 : static_cast<std::uint64_t>(*size));
  }
  if (open > 1) config.fail("target_shape", "-1 may stand once");
  return layer;
}

Result<engine::LayerKind> read_permute(JsonReader& config) {
  engine::Permute layer;
  for (const json::value& value : config.array("dims", 1, 3)) {
    const auto* axis = value.if_int64();
    if (axis == nullptr || *axis < 1 || *axis > 3) {
      config.fail("dims", "expected axes from 1, saw " + describe(value));
      break;
    }
    layer.axes.push_back(static_cast<std::uint64_t>(*axis));
  }
  return layer;
}

Result<engine::LayerKind> read_activation_layer(JsonReader& config) {
  const Activation activation = read_activation(config, "activation");
  return ActivationLayer{activation, engine::usual_slope(activation)};
}

// Keras' ReLU layer has parameters that make another function of it.
Result<engine::LayerKind> read_relu(JsonReader& config) {
  require_null(config, {"max_value"});
  require_number(config, "threshold", 0);
  const double slope = config.number_or("negative_slope", 0, 0, slope_max);
  if (slope != 0) return ActivationLayer{Activation::leaky_relu, slope};
  return ActivationLayer{Activation::relu};
}

// Keras 2 calls the slope alpha.
Result<engine::LayerKind> read_leaky_relu(JsonReader& config) {
  const std::string_view name = config.has("alpha") ? "alpha" : "negative_slope";
  return ActivationLayer{Activation::leaky_relu, config.number_or(name, 0.3, 0, slope_max)};
}

Result<engine::LayerKind> read_elu(JsonReader& config) {
  return ActivationLayer{Activation::elu, config.number_or("alpha", 1, 0, slope_max)};
}

Result<engine::LayerKind> read_softmax(JsonReader& config) {
  return ActivationLayer{Activation::softmax, 1.0, read_axis(config)};
}

Result<engine::LayerKind> read_dropout(JsonReader& config) {
  require_null(config, {"noise_shape"});
  pass_over(config, {"seed"});
  return engine::Dropout{config.number("rate", 0, 1)};
}

Result<engine::LayerKind> read_add(JsonReader&) {
  return engine::Add{};
}
Result<engine::LayerKind> read_multiply(JsonReader&) {
  return engine::Multiply{};
}
Result<engine::LayerKind> read_concatenate(JsonReader& config) {
  return engine::Concatenate{read_axis(config)};
}

Result<engine::LayerKind> read_batch_normalization(JsonReader& config) {
  engine::BatchNormalization layer;
  layer.momentum = config.number_or("momentum", layer.momentum, 0, 1);
  require_flag(config, "synchronized", false);
  require_flag(config, "renorm", false);
  require_null(config, {"virtual_batch_size"});
  if (auto read = read_norm(config, layer); !read) return read.error();
  if (auto read = take_initializer(config, "moving_mean_initializer", layer.mean_initializer);
      !read)
    return read.error();
  if (auto read =
          take_initializer(config, "moving_variance_initializer", layer.variance_initializer);
      !read)
    return read.error();
  return layer;
}

Result<engine::LayerKind> read_layer_normalization(JsonReader& config) {
  engine::LayerNormalization layer;
  require_flag(config, "rms_scaling", false);
  if (auto read = read_norm(config, layer); !read) return read.error();
  return layer;
}

Result<engine::LayerKind> read_group_normalization(JsonReader& config) {
  engine::GroupNormalization layer;
  const auto groups = config.integer_or("groups", 32, -1, size_max);
  if (groups == 0) config.fail("groups", "expected an integer from 1, or -1, saw 0");
  layer.groups = groups == -1 ? 0 : static_cast<std::uint64_t>(groups);
  if (auto read = read_norm(config, layer); !read) return read.error();
  return layer;
}

}  // namespace entente::model
