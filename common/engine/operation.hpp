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
// An operation is const and shared by threads; each call writes only what the rows or the task it
// was given own.
#pragma once

#include <cstddef>
#include <memory>

#include "common/engine/blueprint.hpp"
#include "common/engine/kernels.hpp"

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
  // Whether the elements follow each other without gaps.
  bool is_tight() const;
};

// Buffer 0 is the batch's features, in the caller's memory: read only, and rows follow each other
// without gaps.
inline constexpr std::size_t features_buffer = 0;

struct Value {
  Layout activation, gradient;
  std::size_t activation_buffer = 0, gradient_buffer = 0;
  bool wants_gradient = false;  // some parameter lies before it
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
  S* memory = nullptr;
  const std::size_t* buffers = nullptr;  // where each begins in memory
  std::size_t scratch = 0, scratch_size = 0;
  std::size_t rows = 0;

  S* buffer(std::size_t index) const { return memory + buffers[index]; }
  const S* input(const Value& value, std::size_t row) const {
    const S* from =
        value.activation_buffer == features_buffer ? features : buffer(value.activation_buffer);
    return from + row * value.activation.row;
  }
  S* output(const Value& value, std::size_t row) const {
    return buffer(value.activation_buffer) + row * value.activation.row;
  }
  S* gradient_of(const Value& value, std::size_t row) const {
    return buffer(value.gradient_buffer) + row * value.gradient.row;
  }
  S* scratch_of(std::size_t block) const { return memory + scratch + block * scratch_size; }
};

template <class S>
class Operation {
 public:
  virtual ~Operation() = default;

  // What it asks of its values' layouts; tight where it does not care.
  virtual Layout input_layout() const = 0;
  virtual Layout output_gradient_layout(bool input_wants_gradient) const = 0;
  // Whether the output is the input's memory under another shape.
  virtual bool passes_through() const { return false; }
  virtual bool has_parameters() const { return false; }
  // Whether rows are best worked on one by one: what such a run of operations writes is still in
  // cache when it is read.
  virtual bool works_by_row() const { return true; }
  // Scalars of its own beside the values: for a block of rows, and for a whole training step.
  virtual std::size_t block_scratch() const { return 0; }
  virtual std::size_t step_scratch(std::size_t /*rows*/) const { return 0; }
  void bind(const Value& input, const Value& output, std::size_t step_buffer) {
    input_ = input;
    output_ = output;
    step_buffer_ = step_buffer;
  }

  virtual void forward(const Pass<S>& pass, Rows rows) const = 0;
  // Takes the gradient by the output; leaves there the gradient before the activation, and the
  // gradient by the input in its place if that is wanted. `rows` are of `block`, whose rows come in
  // order and are no other thread's.
  virtual void backward(const Pass<S>& pass, Rows rows, const Block& block) const = 0;

  // Three loops of independent tasks over the whole batch: before the first block, after the last,
  // and after that.
  virtual std::size_t prepare_tasks(std::size_t /*rows*/) const { return 0; }
  virtual void prepare(const Pass<S>& /*pass*/, std::size_t /*task*/) const {}
  virtual std::size_t gradient_tasks(std::size_t /*rows*/) const { return 0; }
  virtual void gradient(const Pass<S>& /*pass*/, std::size_t /*task*/) const {}
  virtual std::size_t reduce_tasks(std::size_t /*rows*/) const { return 0; }
  virtual void reduce(const Pass<S>& /*pass*/, std::size_t /*task*/) const {}

 protected:
  Value input_, output_;
  std::size_t step_buffer_ = 0;
};

template <class S>
std::unique_ptr<Operation<S>> make_operation(const DenseStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const ConvolutionStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const PoolingStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const ReluStep& step);
template <class S>
std::unique_ptr<Operation<S>> make_operation(const FlattenStep& step);

// Copies the features into `layout`: put before a first operation that asks for zeros around its
// input.
template <class S>
std::unique_ptr<Operation<S>> make_input_copy(const Layout& layout);

}  // namespace entente::engine
