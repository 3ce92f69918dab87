// SPDX-License-Identifier: Apache-2.0
//
// Dense: y = relu(x W + b) at each position, W [inputs, outputs].
//
// The input's gradient dy W' is computed in one of two ways: for rows of one position from W as it
// lies, for those of several from W', which is made once a step.
#include <algorithm>

#include "common/engine/kernel_tasks.hpp"
#include "common/engine/lines.hpp"
#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

// Input gradients are computed as their transpose, W dy', so that W is read as it lies: for the
// rows of a block, this many of W's rows at a time.
constexpr std::size_t inputs_together = 64;

// A task of the kernel's gradient for rows of one position: about so many elements, in rows that
// are a multiple of every tile's.
constexpr std::size_t gradient_task_size = 16'384;
constexpr std::size_t tiles_rows = 84;

// From so many positions on a row alone keeps a product busy.
constexpr std::size_t positions_by_row = 24;
constexpr std::size_t kernel_by_row_max = 32'768;
constexpr std::size_t transposed_together = 64;

template <class S>
class DenseOperation final : public Operation<S> {
 public:
  explicit DenseOperation(const DenseStep& step)
      : step_(step), inputs_count_(step.input.channels), positions_(step.input.positions()) {
    const std::size_t rows = gradient_task_size / step.outputs / tiles_rows * tiles_rows;
    task_rows_ = std::max(rows, tiles_rows);
  }
  Layout input_layout(std::size_t) const override { return Layout::tight(step_.input); }
  Layout output_gradient_layout(bool) const override {
    return Layout::tight({step_.input.height, step_.input.width, step_.outputs});
  }
  bool has_parameters() const override { return true; }
  bool works_by_row() const override {
    return positions_ >= positions_by_row && step_.weights.kernel_count < kernel_by_row_max;
  }
  std::size_t block_scratch() const override {
    return positions_ == 1 ? step_.outputs * block_rows_max : 0;
  }
  std::size_t step_scratch(std::size_t) const override {
    return positions_ == 1 || !this->input_.wants_gradient ? 0 : step_.weights.kernel_count;
  }
  void forward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  void backward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  std::size_t prepare_tasks(std::size_t) const override {
    if (positions_ == 1 || !this->input_.wants_gradient) return 0;
    return (inputs_count_ + transposed_together - 1) / transposed_together;
  }
  void prepare(const Pass<S>& pass, std::size_t task) const override;
  std::size_t gradient_tasks(std::size_t) const override {
    return kernel_task_count() + (step_.weights.bias ? 1 : 0);
  }
  void gradient(const Pass<S>& pass, std::size_t task) const override;

 private:
  void input_gradient(const Pass<S>& pass, Rows rows, S* transposed) const;
  void input_gradient_by_position(const Pass<S>& pass, Rows rows) const;
  KernelTasks tasks_by_position() const { return {inputs_count_, step_.outputs, 2}; }
  std::size_t kernel_task_count() const {
    return positions_ == 1 ? (inputs_count_ + task_rows_ - 1) / task_rows_
                           : tasks_by_position().count();
  }
  KernelTasks::Part kernel_part(std::size_t task) const {
    if (positions_ != 1) return tasks_by_position().part(task);
    const std::size_t first = task * task_rows_;
    return {first, std::min(task_rows_, inputs_count_ - first), 0, step_.outputs};
  }

  DenseStep step_;
  std::size_t inputs_count_ = 0, positions_ = 1;
  std::size_t task_rows_ = 0;
};

// One position: the rows are the product's. Several: each row is a group of them.
template <class S>
void DenseOperation<S>::forward(const Pass<S>& pass, Rows rows, const Block&) const {
  const std::size_t from_row = this->input_.activation.row, to_row = this->output_.activation.row;
  Product<S> product;
  product.a = pass.input(this->input_, rows.first);
  product.a_step = 1;
  product.b = pass.parameters + step_.weights.kernel;
  product.b_step = step_.outputs;
  product.c = pass.output(this->output_, rows.first);
  product.columns = step_.outputs;
  product.steps = inputs_count_;
  product.bias = step_.weights.bias ? pass.parameters + *step_.weights.bias : nullptr;
  product.relu = step_.relu;
  if (positions_ == 1) {
    product.a_row = from_row;
    product.c_row = to_row;
    product.rows = rows.count();
  } else {
    product.a_group = from_row;
    product.a_row = inputs_count_;
    product.c_group = to_row;
    product.c_row = step_.outputs;
    product.groups = rows.count();
    product.rows = positions_;
  }
  pass.kernels->product(product);
}

template <class S>
void DenseOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block& block) const {
  if (step_.relu) {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      relu_gradient(pass, this->output_, row);
    }
  }
  if (!this->input_.wants_gradient) return;
  if (positions_ == 1) {
    input_gradient(pass, rows, pass.scratch_of(block.index));
  } else {
    input_gradient_by_position(pass, rows);
  }
}

// W', a band of W's rows for each task.
template <class S>
void DenseOperation<S>::prepare(const Pass<S>& pass, std::size_t task) const {
  const std::size_t first = task * transposed_together;
  pass.kernels->transpose(pass.parameters + step_.weights.kernel + first * step_.outputs,
                          step_.outputs, this->own_step(pass) + first, inputs_count_,
                          std::min(transposed_together, inputs_count_ - first), step_.outputs);
}

template <class S>
void DenseOperation<S>::input_gradient_by_position(const Pass<S>& pass, Rows rows) const {
  Product<S> product;
  product.a = pass.gradient_of(this->output_, rows.first);
  product.a_group = this->output_.gradient.row;
  product.a_row = step_.outputs;
  product.a_step = 1;
  product.b = this->own_step(pass);
  product.b_step = inputs_count_;
  product.c = pass.gradient_of(this->input_, rows.first);
  product.c_group = this->input_.gradient.row;
  product.c_row = inputs_count_;
  product.groups = rows.count();
  product.rows = positions_;
  product.columns = inputs_count_;
  product.steps = step_.outputs;
  pass.kernels->product(product);
}

// dx = dy W', as dx' = W dy'.
template <class S>
void DenseOperation<S>::input_gradient(const Pass<S>& pass, Rows rows, S* transposed) const {
  const std::size_t lanes = pass.kernels->lanes;
  const std::size_t width = (rows.count() + lanes - 1) / lanes * lanes;
  pass.kernels->transpose(pass.gradient_of(this->output_, rows.first), this->output_.gradient.row,
                          transposed, width, rows.count(), step_.outputs);
  // What lies between the rows and the width ends in columns that nobody reads.
  alignas(64) S result[inputs_together * block_rows_max];
  Product<S> product;
  product.a_row = step_.outputs;
  product.a_step = 1;
  product.b = transposed;
  product.b_step = width;
  product.c = result;
  product.c_row = width;
  product.columns = width;
  product.steps = step_.outputs;
  for (std::size_t first = 0; first < inputs_count_; first += inputs_together) {
    product.a = pass.parameters + step_.weights.kernel + first * step_.outputs;
    product.rows = std::min(inputs_together, inputs_count_ - first);
    pass.kernels->product(product);
    pass.kernels->transpose(result, width, pass.gradient_of(this->input_, rows.first) + first,
                            this->input_.gradient.row, product.rows, rows.count());
  }
}

// dW = x' dy, a part of W for each task; db = sum of dy, the last task.
template <class S>
void DenseOperation<S>::gradient(const Pass<S>& pass, std::size_t task) const {
  const S* output_gradient = pass.gradient_of(this->output_, 0);
  const std::size_t output_row = this->output_.gradient.row;
  if (task >= kernel_task_count()) {
    const bool one = positions_ == 1;
    pass.kernels->column_sums(output_gradient, one ? 0 : output_row,
                              one ? output_row : step_.outputs, one ? 1 : pass.rows,
                              one ? pass.rows : positions_, step_.outputs,
                              pass.gradient + *step_.weights.bias, false);
    return;
  }
  const auto [first_row, rows, first_column, columns] = kernel_part(task);
  Product<S> product;
  product.a = pass.input(this->input_, 0) + first_row;
  product.a_row = 1;
  product.a_segment = this->input_.activation.row;
  product.a_step = positions_ == 1 ? this->input_.activation.row : inputs_count_;
  product.b = output_gradient + first_column;
  product.b_segment = output_row;
  product.b_step = positions_ == 1 ? output_row : step_.outputs;
  product.c = pass.gradient + step_.weights.kernel + first_row * step_.outputs + first_column;
  product.c_row = step_.outputs;
  product.rows = rows;
  product.columns = columns;
  product.segments = positions_ == 1 ? 1 : pass.rows;
  product.steps = positions_ == 1 ? pass.rows : positions_;
  pass.kernels->product(product);
}

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const DenseStep& step) {
  return std::make_unique<DenseOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const DenseStep&);
template std::unique_ptr<Operation<double>> make_operation(const DenseStep&);

}  // namespace entente::engine
