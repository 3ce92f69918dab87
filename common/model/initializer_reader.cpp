// SPDX-License-Identifier: Apache-2.0
#include "common/model/initializer_reader.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "common/model/fields.hpp"

namespace entente::model {
namespace {

using engine::Initializer;
using Kind = Initializer::Kind;
using Fan = Initializer::Fan;

constexpr double number_max = 1e6;

struct Named {
  std::string_view class_name, short_name;
  Initializer value;  // parameters as Keras' defaults
};
constexpr std::array<Named, 19> initializers{{
    {"GlorotUniform", "glorot_uniform", {Kind::scaled_uniform, 1, 0, Fan::average}},
    {"GlorotNormal", "glorot_normal", {Kind::scaled_truncated_normal, 1, 0, Fan::average}},
    {"HeUniform", "he_uniform", {Kind::scaled_uniform, 2, 0, Fan::in}},
    {"HeNormal", "he_normal", {Kind::scaled_truncated_normal, 2, 0, Fan::in}},
    {"LecunUniform", "lecun_uniform", {Kind::scaled_uniform, 1, 0, Fan::in}},
    {"LecunNormal", "lecun_normal", {Kind::scaled_truncated_normal, 1, 0, Fan::in}},
    {"VarianceScaling", "variance_scaling", {Kind::scaled_truncated_normal, 1, 0, Fan::in}},
    {"RandomUniform", "random_uniform", {Kind::uniform, -0.05, 0.05, Fan::average}},
    {"RandomUniform", "uniform", {Kind::uniform, -0.05, 0.05, Fan::average}},
    {"RandomNormal", "normal", {Kind::normal, 0, 0.05, Fan::average}},
    {"RandomNormal", "random_normal", {Kind::normal, 0, 0.05, Fan::average}},
    {"TruncatedNormal", "truncated_normal", {Kind::truncated_normal, 0, 0.05, Fan::average}},
    {"Constant", "constant", {Kind::constant, 0, 0, Fan::average}},
    {"Orthogonal", "orthogonal", {Kind::orthogonal, 1, 0, Fan::average}},
    {"OrthogonalInitializer", "Orthogonal", {Kind::orthogonal, 1, 0, Fan::average}},
    {"Identity", "identity", {Kind::identity, 1, 0, Fan::average}},
    {"IdentityInitializer", "Identity", {Kind::identity, 1, 0, Fan::average}},
    {"Zeros", "zeros", {Kind::constant, 0, 0, Fan::average}},
    {"Ones", "ones", {Kind::constant, 1, 0, Fan::average}},
}};

std::string supported_names() {
  std::string text;
  for (const Named& named : initializers) {
    const std::string name(named.class_name);
    if (!text.ends_with(name)) text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

const Named* find_initializer(std::string_view name) {
  const auto* const found = std::find_if(
      initializers.begin(), initializers.end(),
      [name](const Named& named) { return name == named.class_name || name == named.short_name; });
  return found == initializers.end() ? nullptr : found;
}

void read_variance_scaling(JsonReader& config, Initializer& value) {
  value.first = config.number_or("scale", 1, std::numeric_limits<double>::min(), number_max);
  const std::string mode = config.text_or("mode", "fan_in");
  const std::string distribution = config.text_or("distribution", "truncated_normal");
  if (mode == "fan_in") {
    value.fan = Fan::in;
  } else if (mode == "fan_out") {
    value.fan = Fan::out;
  } else if (mode == "fan_avg") {
    value.fan = Fan::average;
  } else {
    config.fail("mode", "expected 'fan_in', 'fan_out' or 'fan_avg', saw '" + mode + "'");
  }
  if (distribution == "uniform") {
    value.kind = Kind::scaled_uniform;
  } else if (distribution == "untruncated_normal") {
    value.kind = Kind::scaled_normal;
  } else if (distribution == "truncated_normal" || distribution == "normal") {
    value.kind = Kind::scaled_truncated_normal;
  } else {
    config.fail("distribution",
                "expected 'uniform', 'truncated_normal' or 'untruncated_normal', saw '" +
                    distribution + "'");
  }
}

// The numbers of `config` into `value`, which has the defaults.
void read_numbers(JsonReader& config, std::string_view class_name, Initializer& value) {
  if (class_name == "VarianceScaling") read_variance_scaling(config, value);
  if (class_name == "Constant")
    value.first = config.number_or("value", value.first, -number_max, number_max);
  if (class_name.starts_with("Orthogonal") || class_name.starts_with("Identity"))
    value.first = config.number_or("gain", value.first, -number_max, number_max);
  if (class_name == "RandomUniform") {
    value.first = config.number_or("minval", value.first, -number_max, number_max);
    value.second = config.number_or("maxval", value.second, value.first, number_max);
  }
  if (class_name == "RandomNormal" || class_name == "TruncatedNormal") {
    value.first = config.number_or("mean", value.first, -number_max, number_max);
    value.second = config.number_or("stddev", value.second, 0, number_max);
  }
  pass_over(config, {"seed", "dtype"});
}

}  // namespace

Result<Initializer> read_initializer(JsonReader& reader, std::string_view name,
                                     const Initializer& fallback) {
  const json::value* given = reader.find(name);
  if (given == nullptr || given->is_null()) return fallback;
  const auto unsupported = [&](std::string_view class_name) {
    return Error{Errc::malformed, reader.path_of(name) + ": initialiser '" +
                                      std::string(class_name) +
                                      "' is not supported; supported: " + supported_names()};
  };
  if (given->is_string()) {
    const Named* named = find_initializer(given->get_string());
    if (named == nullptr) return unsupported(given->get_string());
    return named->value;
  }
  JsonReader object(*given, reader.path_of(name));
  const std::string class_name = object.text("class_name");
  const Named* named = find_initializer(class_name);
  if (!object.failed() && named == nullptr) return unsupported(class_name);
  require_keras_class(object, class_name);
  Initializer value = named == nullptr ? fallback : named->value;
  if (object.has("config")) {
    JsonReader config = object.object("config");
    read_numbers(config, class_name, value);
    if (auto done = config.finish(); !done) return done.error();
  }
  if (auto done = object.finish(); !done) return done.error();
  return value;
}

}  // namespace entente::model
