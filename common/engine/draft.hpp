// SPDX-License-Identifier: Apache-2.0
//
// A blueprint while it is being drawn: the values so far, and a pencil for the layer at hand. Each
// kind of layer is drawn by one function (draw_*.cpp), which reads values, adds steps and tensors
// and gives the layer's output. Used by those and blueprint.cpp only.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/engine/blueprint.hpp"

namespace entente::engine {

using ValueIndex = std::size_t;
using Values = std::span<const ValueIndex>;

inline constexpr std::uint64_t units_max = std::uint64_t{1} << 24U;
inline constexpr std::uint64_t window_max = 4096;

class Draft {
 public:
  // `ending`: the activation that the last layer must have, and that the loss computes; linear:
  // any.
  explicit Draft(Activation ending) { blueprint_.ending = ending; }
  // Adds one of the model's inputs. Errors: as draw_blueprint.
  Result<ValueIndex> add_input(const InputSpec& input);
  // Adds a layer that reads `inputs`. An activation alone joins the step before it when no other
  // layer reads that one (`joins`).
  Result<ValueIndex> add_layer(const LayerSpec& layer, Values inputs, bool last, bool joins);
  Result<Blueprint> finish(ValueIndex output);

  // For the layers:

  const Shape& shape(ValueIndex value) const { return values_[value].shape; }
  std::optional<Mask> mask(ValueIndex value) const { return values_[value].mask; }
  Extent extent(ValueIndex value) const { return extent_of(shape(value)); }
  static Extent extent_of(const Shape& shape);
  // Appends a step; its output has `shape` and the mask given.
  ValueIndex step(StepKind kind, std::vector<ValueIndex> inputs, Shape shape,
                  std::optional<Mask> mask);
  // Places a tensor `layer/weight` and gives its place. An initialiser that cannot make that shape
  // fails the layer.
  std::size_t tensor(std::string_view weight, Shape shape, const Initializer& initializer);
  // Values [first, first + count) of the tensor placed last begin as 1.
  void begin_with_ones(std::uint64_t first, std::uint64_t count);
  // A kernel and a bias of `outputs`; fans as Keras counts them.
  Weights weights(Shape kernel, std::uint64_t outputs, bool use_bias,
                  const Initializer& kernel_initializer, const Initializer& bias_initializer);
  // `value` under `activation`; `own`: the layer at hand has made it.
  Result<ValueIndex> activate(ValueIndex value, Activation activation, bool own, double slope);
  Result<ValueIndex> activate_own(ValueIndex value, Activation activation) {
    return activate(value, activation, true, usual_slope(activation));
  }
  // Marks an input as tokens. Errors: invalid_argument - it is none of the model's inputs.
  Result<void> tokens(ValueIndex value, std::uint64_t bound);
  std::optional<std::size_t> first_feature(ValueIndex value) const;
  std::uint32_t next_stream() { return streams_++; }

  // Errors: invalid_argument, in the layer's name.
  Error wrong(const std::string& what) const {
    return Error{Errc::invalid_argument, "layer '" + name_ + "': " + what};
  }
  Result<void> reads(Values inputs, std::size_t least, std::size_t most) const;
  Result<void> in_range(std::uint64_t number, std::string_view what, std::uint64_t most) const;
  Result<void> has_image(ValueIndex value) const;
  Result<void> has_sequence(ValueIndex value) const;
  // Errors: invalid_argument - `axis` is neither -1 nor the number of the value's last axis.
  Result<void> is_last(std::int64_t axis, ValueIndex value) const;
  // Errors: invalid_argument - the shape is empty or beyond the limits.
  Result<void> fits(const Shape& shape, std::string_view what) const;

 private:
  Result<void> check_mask(const MaskSpec& said, Values inputs) const;

  struct Drawn {
    Shape shape;
    std::optional<Mask> mask;
    std::string made_by;
    bool read = false;
  };
  Blueprint blueprint_;
  std::vector<Drawn> values_;
  std::string name_;
  std::string problem_;  // with a tensor of the layer at hand
  bool last_ = false;    // the layer at hand is the last
  bool joins_ = false;   // its input is its own
  bool ended_ = false;   // the ending has been seen
  std::uint32_t streams_ = 0;
  std::size_t parameter_count_ = 0;
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> tensors_;
};

// One axis of a window that moves over padded input; nothing: the window is larger.
struct Axis {
  std::size_t output = 0, before = 0;
};
std::optional<Axis> slide(std::size_t input, std::size_t window, std::size_t step, Padding padding);

Result<ValueIndex> draw(Draft& draft, const Dense& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Conv2D& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Conv1D& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const DepthwiseConv2D& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const MaxPooling2D& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const AveragePooling2D& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Pooling1D& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const GlobalPooling& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Flatten& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Reshape& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Permute& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const ActivationLayer& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Dropout& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Add& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Multiply& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Concatenate& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const BatchNormalization& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const LayerNormalization& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const GroupNormalization& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Embedding& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const PositionEmbedding& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Recurrent& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const Bidirectional& layer, Values inputs);
Result<ValueIndex> draw(Draft& draft, const MultiHeadAttention& layer, Values inputs);

}  // namespace entente::engine
