// SPDX-License-Identifier: Apache-2.0
//
// Members that several of Keras' layers have. Called by the layers' readers only. What cannot be
// honoured fails the reader, with the place and what is supported.
#pragma once

#include <array>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/json.hpp"
#include "common/base/result.hpp"
#include "common/engine/layers.hpp"

namespace entente::model {

inline constexpr std::int64_t size_max = std::int64_t{1} << 31;

// Asks for members that change nothing, so that they are not unknown.
void pass_over(JsonReader& reader, std::initializer_list<std::string_view> names);

// The same of what may stand beside any object's class and configuration, but for the names that
// tell whether the class is Keras' own (or KerasHub's PositionEmbedding): it must be.
void require_keras_class(JsonReader& reader, std::string_view class_name);

// The member must be absent, null, or this.
void require_null(JsonReader& config, std::initializer_list<std::string_view> names);
void require_flag(JsonReader& config, std::string_view name, bool only);
void require_number(JsonReader& config, std::string_view name, double only);
// "float32", or an object that means it, or null, or absent.
void require_float32(JsonReader& reader);
void require_channels_last(JsonReader& config);
// Regularisers and constraints of `weights` ("kernel", "bias" ...), and what else changes how a
// layer learns.
void require_plain(JsonReader& config, std::initializer_list<std::string_view> weights);

std::uint64_t read_size(JsonReader& config, std::string_view name);
std::uint64_t read_size_or(JsonReader& config, std::string_view name, std::uint64_t fallback);
// "relu" ...; absent or null: `fallback`.
engine::Activation read_activation(JsonReader& config, std::string_view name,
                                   engine::Activation fallback = engine::Activation::linear);
engine::Padding read_padding(JsonReader& config, bool may_be_causal = false);
// One size for both axes, or a list of two. Of one axis: a size, or a list of one.
std::array<std::uint64_t, 2> read_pair(JsonReader& config, std::string_view name);
std::uint64_t read_single(JsonReader& config, std::string_view name);
// -1, or the number of the last axis: a number or a list of one. Whether it is the last is
// compile's to say.
std::int64_t read_axis(JsonReader& config);

// An initialiser into `to`, which has the default.
Result<void> take_initializer(JsonReader& config, std::string_view name, engine::Initializer& to);

}  // namespace entente::model
