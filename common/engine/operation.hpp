// SPDX-License-Identifier: Apache-2.0
//
// One step of a network as it runs: forward, backward, and its parameters' gradient, over rows of a
// batch.
//
// A value (what flows between two operations) is kept for all rows, and so is the gradient of the
// loss by it: after `backward` an operation's input and the gradient by its output (before its
// activation) both lie in the workspace, for every example alone, which is all that per-example
// gradients and their norms need.
//
// How a value lies in memory is its Layout: the operation that reads an activation may ask for
// zeros around it, the one that produced it may ask for zeros around and between its gradient.
// Those zeros are written once, when the workspace is made; operations write the elements only.
//
// An operation may read several values; it makes one (a fork: several views of one). Every reader
// of a value has a gradient of its own to write, all of it: where there are several, a fork sums
// them.
//
// Between forward and backward an operation may keep numbers of its own for each row (gates,
// probabilities) and for the whole step. What it needs all rows for before any may go on (the
// statistics of a batch) it does in a meeting.
//
// An operation is const and shared by threads; each call writes only what the rows or the task it
// was given own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/engine/blueprint.hpp"
#include "common/engine/kernels.hpp"
#include "common/engine/workspace.hpp"

namespace entente::engine {

// Every row of a value and every part of the workspace begins on a 64-byte boundary.
inline constexpr std::size_t row_alignment = 16;  // scalars

// Element (y, x, channel) of a row lies at origin + y * line + x * pixel + channel from the row's
// start.
struct Layout {
  Extent extent;
  std::size_t origin = 0, line = 0, pixel = 0;
  std::size_t row = 0;  // from one row of the batch to the next

  static Layout tight(const Extent& extent);
  // `top` and `left` zeros before, as many behind as make `height` x `width`, elements `step_y`,
  // `step_x` apart.
  static Layout spread(const Extent& extent, std::size_t top, std::size_t left, std::size_t height,
                       std::size_t width, std::size_t step_y = 1, std::size_t step_x = 1);
  // Whether the elements follow each other without gaps, and (tight) so do the rows.
  bool is_contiguous() const;
  bool is_tight() const;
  friend bool operator==(const Layout&, const Layout&) = default;
};

// A row's distance to the next for `size` scalars: aligned, and no large power of two.
std::size_t row_distance(std::size_t size);

// Buffer 0 is the batch's features, in the caller's memory: read only, and rows follow each other
// without gaps.
inline constexpr std::size_t features_buffer = 0;

struct Value {
  Layout activation, gradient;
  std::size_t activation_buffer = 0, gradient_buffer = 0;
  std::size_t first_feature = 0;  // an input's place among the features
  bool wants_gradient = false;    // some parameter lies before it
};

struct Rows {
  std::size_t first = 0, last = 0;
  std::size_t count() const { return last - first; }
};

// A batch is worked on in blocks of rows: small enough to give many threads work, large enough that
// reading the weights pays. Each is one task; its bounds depend on the number of rows alone.
struct Block {
  std::size_t index = 0;
  Rows rows;
};
inline constexpr std::size_t block_rows_max = 16;
std::size_t block_count(std::size_t rows);
Block block_of(std::size_t index, std::size_t rows);

// What a call works on: the caller's spans and the workspace's memory.
template <class S>
struct Pass {
  const Kernels<S>* kernels = nullptr;
  const S* parameters = nullptr;
  S* gradient = nullptr;
  const S* features = nullptr;
  std::size_t feature_count = 0;
  S* memory = nullptr;
  const std::size_t* buffers = nullptr;  // where each begins in memory
  std::size_t scratch = 0, scratch_size = 0;
  std::size_t rows = 0;
  std::size_t first_row = 0;             // of the batch that these rows are a part of
  bool training = false;                 // else a prediction
  Purpose purpose = Purpose::inference;  // the workspace's
  std::array<std::uint32_t, 2> seed{};   // of what is random in this step

  S* buffer(std::size_t index) const { return memory + buffers[index]; }
  const S* input(const Value& value, std::size_t row) const {
    const S* from = value.activation_buffer == features_buffer ? features + value.first_feature
                                                               : buffer(value.activation_buffer);
    return from + row * value.activation.row;
  }
  S* output(const Value& value, std::size_t row) const {
    return buffer(value.activation_buffer) + row * value.activation.row;
  }
  S* gradient_of(const Value& value, std::size_t row) const {
    return buffer(value.gradient_buffer) + row * value.gradient.row;
  }
  // Whether the step of `row` counts.
  bool counts(const Mask& mask, std::size_t row, std::size_t step) const {
    return features[row * feature_count + mask.first + step] != S{0};
  }
  S* scratch_of(std::size_t block) const { return memory + scratch + block * scratch_size; }
};

// What an operation reads and writes, and the buffers that are its own.
struct Binding {
  std::vector<Value> inputs, outputs;
  std::size_t step_buffer = 0, row_buffer = 0;
};

template <class S>
class Operation {
 public:
  virtual ~Operation() = default;

  // What it asks of its values' layouts; tight where it does not care.
  virtual Layout input_layout(std::size_t input) const = 0;
  virtual Layout output_gradient_layout(bool input_wants_gradient) const = 0;
  // Whether the output is the input's memory under another shape.
  virtual bool passes_through() const { return false; }
  virtual bool has_parameters() const { return false; }
  // Whether it can only write values (its output, its inputs' gradients) that lie tight.
  virtual bool needs_tight() const { return true; }
  // Whether rows are best worked on one by one: what such a run of operations writes is still in
  // cache when it is read.
  virtual bool works_by_row() const { return true; }
  // Scalars of its own beside the values: for a block of rows, for each row from forward to
  // backward, and for a whole training step.
  virtual std::size_t block_scratch() const { return 0; }
  virtual std::size_t row_scratch(Purpose /*purpose*/) const { return 0; }
  virtual std::size_t step_scratch(std::size_t /*rows*/) const { return 0; }
  void bind(Binding binding) {
    inputs_ = std::move(binding.inputs);
    outputs_ = std::move(binding.outputs);
    input_ = inputs_.empty() ? Value{} : inputs_.front();
    output_ = outputs_.front();
    step_buffer_ = binding.step_buffer;
    row_buffer_ = binding.row_buffer;
  }

  // `rows` are of `block`, whose rows come in order and are no other thread's.
  virtual void forward(const Pass<S>& pass, Rows rows, const Block& block) const = 0;
  // Takes the gradient by the output; leaves there the gradient before the activation, and the
  // gradients by the inputs in their places where they are wanted.
  virtual void backward(const Pass<S>& pass, Rows rows, const Block& block) const = 0;

  // Whether all rows meet before `forward` (in training): gather for each block, then meet once;
  // and in the same way before `backward`.
  virtual bool meets() const { return false; }
  virtual void gather(const Pass<S>& /*pass*/, const Block& /*block*/) const {}
  virtual void meet(const Pass<S>& /*pass*/) const {}
  virtual void gather_gradient(const Pass<S>& /*pass*/, const Block& /*block*/) const {}
  virtual void meet_gradient(const Pass<S>& /*pass*/) const {}

  // Three loops of independent tasks over the whole batch: before the first block, after the last,
  // and after that.
  virtual std::size_t prepare_tasks(std::size_t /*rows*/) const { return 0; }
  virtual void prepare(const Pass<S>& /*pass*/, std::size_t /*task*/) const {}
  virtual std::size_t gradient_tasks(std::size_t /*rows*/) const { return 0; }
  virtual void gradient(const Pass<S>& /*pass*/, std::size_t /*task*/) const {}
  virtual std::size_t reduce_tasks(std::size_t /*rows*/) const { return 0; }
  virtual void reduce(const Pass<S>& /*pass*/, std::size_t /*task*/) const {}

  // Writes the state that the step has found (its own buffers have it) into the parameters.
  virtual void write_state(const Pass<S>& /*pass*/, S* /*parameters*/) const {}

 protected:
  S* own_row(const Pass<S>& pass, std::size_t row) const {
    return pass.buffer(row_buffer_) + row * row_distance(row_scratch(pass.purpose));
  }
  S* own_step(const Pass<S>& pass) const { return pass.buffer(step_buffer_); }

  std::vector<Value> inputs_, outputs_;
  Value input_, output_;  // the first of each
  std::size_t step_buffer_ = 0, row_buffer_ = 0;
};

template <class S>
std::unique_ptr<Operation<S>> make_operation(const DenseStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const ConvolutionStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const DepthwiseStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const PoolingStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const GlobalPoolingStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const ReluStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const ActivationStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const DropoutStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const ReshapeStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const PermuteStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const MergeStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const ConcatenateStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const BatchNormalizationStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const NormalizationStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const EmbeddingStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const PositionStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const RecurrentStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const AttentionStep& step);

// Copies a value into a layout: before an operation that asks for zeros around an input that is not
// made for it alone.
template <class S>
std::unique_ptr<Operation<S>> make_copy(const Layout& layout);

// Stands behind a value that several operations read: each output is the value with a gradient of
// its own.
template <class S>
std::unique_ptr<Operation<S>> make_fork(const Extent& extent);

}  // namespace entente::engine
