// SPDX-License-Identifier: Apache-2.0
#include "common/model/fields.hpp"

#include <algorithm>

#include "common/model/initializer_reader.hpp"

namespace entente::model {
namespace {

using engine::Activation;

struct NamedActivation {
  std::string_view name;
  Activation value;
};
constexpr std::array<NamedActivation, 10> activations{{
    {"elu", Activation::elu},
    {"gelu", Activation::gelu},
    {"leaky_relu", Activation::leaky_relu},
    {"linear", Activation::linear},
    {"relu", Activation::relu},
    {"sigmoid", Activation::sigmoid},
    {"silu", Activation::swish},
    {"softmax", Activation::softmax},
    {"swish", Activation::swish},
    {"tanh", Activation::tanh},
}};

// Where Keras' own classes live; a class from elsewhere may compute anything under any name.
constexpr std::array<std::string_view, 6> modules{"keras",     "keras_core", "keras_hub",
                                                  "keras_nlp", "tf_keras",   "tensorflow"};

// A member that is there and not null.
const json::value* given(JsonReader& config, std::string_view name) {
  const json::value* value = config.find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<std::uint64_t> size_of(const json::value& value) {
  const auto* number = value.if_int64();
  if (number == nullptr || *number < 1 || *number > size_max) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

}  // namespace

void pass_over(JsonReader& reader, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) reader.find(name);
}

void require_keras_class(JsonReader& reader, std::string_view class_name) {
  pass_over(reader, {"build_config", "shared_object_id"});
  if (given(reader, "module") != nullptr) {
    const std::string module = reader.text("module");
    const std::string root = module.substr(0, module.find('.'));
    if (std::ranges::find(modules, root) == modules.end())
      reader.fail("module", "expected one of Keras' own, saw '" + module + "'");
  }
  if (given(reader, "registered_name") == nullptr) return;
  const std::string name = reader.text("registered_name");
  const std::size_t end = name.find('>');
  if (end == std::string::npos) return;
  const std::string package = name.substr(0, end);
  const bool hub = package == "keras_hub" || package == "keras_nlp";
  if (hub && class_name == "PositionEmbedding" && name.substr(end + 1) == class_name) return;
  reader.fail("registered_name", "expected a class of Keras' own, saw '" + name + "'");
}

void require_null(JsonReader& config, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (given(config, name) != nullptr) config.fail(name, "is not supported yet; expected null");
  }
}

void require_flag(JsonReader& config, std::string_view name, bool only) {
  if (given(config, name) == nullptr) return;
  if (config.boolean(name) != only)
    config.fail(name, std::string("only ") + (only ? "true" : "false") + " is supported");
}

void require_number(JsonReader& config, std::string_view name, double only) {
  const json::value* value = given(config, name);
  if (value == nullptr) return;
  if (config.number(name, -1e300, 1e300) != only) {
    config.fail(name, "only " + std::to_string(static_cast<int>(only)) + " is supported, saw " +
                          describe(*value));
  }
}

void require_float32(JsonReader& reader) {
  const json::value* name = given(reader, "dtype");
  if (name == nullptr) return;
  const json::value& dtype = *name;
  if (const json::object* policy = dtype.if_object()) {
    const json::value* config = policy->if_contains("config");
    const json::object* members = config == nullptr ? nullptr : config->if_object();
    name = members == nullptr ? nullptr : members->if_contains("name");
  }
  if (name != nullptr && name->is_string() && name->get_string() == "float32") return;
  reader.fail("dtype", "expected 'float32', saw " + describe(name == nullptr ? dtype : *name));
}

void require_channels_last(JsonReader& config) {
  if (given(config, "data_format") == nullptr) return;
  const std::string format = config.text("data_format");
  if (format != "channels_last")
    config.fail("data_format", "expected 'channels_last', saw '" + format + "'");
}

void require_plain(JsonReader& config, std::initializer_list<std::string_view> weights) {
  for (const std::string_view weight : weights) {
    for (const std::string_view what : {"_regularizer", "_constraint"}) {
      const std::string name = std::string(weight) + std::string(what);
      if (given(config, name) != nullptr) config.fail(name, "is not supported yet; expected null");
    }
  }
  require_null(config, {"activity_regularizer", "lora_rank", "quantization_config"});
  pass_over(config, {"lora_alpha"});
}

std::uint64_t read_size(JsonReader& config, std::string_view name) {
  return static_cast<std::uint64_t>(config.integer(name, 1, size_max));
}

std::uint64_t read_size_or(JsonReader& config, std::string_view name, std::uint64_t fallback) {
  return given(config, name) == nullptr ? fallback : read_size(config, name);
}

Activation read_activation(JsonReader& config, std::string_view name, Activation fallback) {
  const json::value* value = given(config, name);
  if (value == nullptr) return fallback;
  if (value->is_string()) {
    const auto* const found =
        std::ranges::find(activations, value->get_string(), &NamedActivation::name);
    if (found != activations.end()) return found->value;
  }
  std::string known;
  for (const NamedActivation& activation : activations)
    known += (known.empty() ? "'" : ", '") + std::string(activation.name) + "'";
  config.fail(name, "expected one of " + known + ", saw " + describe(*value) +
                        (value->is_object() ? "; ReLU, LeakyReLU, ELU and Softmax are supported "
                                              "as layers of their own"
                                            : ""));
  return fallback;
}

engine::Padding read_padding(JsonReader& config, bool may_be_causal) {
  const std::string name = config.text_or("padding", "valid");
  if (name == "same") return engine::Padding::same;
  if (name == "causal" && may_be_causal) return engine::Padding::causal;
  if (name != "valid") {
    config.fail("padding", std::string("expected 'same'") + (may_be_causal ? ", 'causal'" : "") +
                               " or 'valid', saw '" + name + "'");
  }
  return engine::Padding::valid;
}

std::array<std::uint64_t, 2> read_pair(JsonReader& config, std::string_view name) {
  const json::value& value = config.child(name);
  std::array<std::uint64_t, 2> pair{1, 1};
  if (config.failed()) return pair;
  const json::array* list = value.if_array();
  if (list != nullptr && list->size() != 2) {
    config.fail(name,
                "expected a list of two integers, saw one of " + std::to_string(list->size()));
    return pair;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const auto size = size_of(list == nullptr ? value : (*list)[i]);
    if (!size)
      config.fail(name, "expected an integer from 1, or a list of two, saw " + describe(value));
    pair[i] = size.value_or(1);
  }
  return pair;
}

std::uint64_t read_single(JsonReader& config, std::string_view name) {
  const json::value& value = config.child(name);
  if (config.failed()) return 1;
  const json::array* list = value.if_array();
  const bool one = list != nullptr && list->size() == 1;
  const auto size = list == nullptr ? size_of(value) : (one ? size_of((*list)[0]) : std::nullopt);
  if (!size)
    config.fail(name, "expected an integer from 1, or a list of one, saw " + describe(value));
  return size.value_or(1);
}

std::int64_t read_axis(JsonReader& config) {
  const json::value* value = given(config, "axis");
  if (value == nullptr) return -1;
  const json::array* list = value->if_array();
  if (list != nullptr && list->size() == 1) value = &(*list)[0];
  const auto* axis = value->if_int64();
  if (axis != nullptr && (*axis == -1 || (*axis >= 1 && *axis <= 3))) return *axis;
  config.fail("axis", "only the last axis is supported (-1), saw " + describe(*value));
  return -1;
}

Result<void> take_initializer(JsonReader& config, std::string_view name, engine::Initializer& to) {
  const auto read = read_initializer(config, name, to);
  if (!read) return read.error();
  to = *read;
  return ok();
}

}  // namespace entente::model
