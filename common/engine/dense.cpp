// SPDX-License-Identifier: Apache-2.0
//
// Dense: y = relu(x W + b), W [inputs, outputs].
#include <algorithm>

#include "common/engine/lines.hpp"
#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

// Input gradients are computed as their transpose, W dy', so that W is read as it lies: for the
// rows of a block, this many of W's rows at a time.
constexpr std::size_t inputs_together = 64;

// A task of the kernel's gradient has about this many elements; its rows are a multiple of every
// tile's.
constexpr std::size_t gradient_task_size = 16'384;
constexpr std::size_t gradient_task_rows = 84;

template <class S>
class DenseOperation final : public Operation<S> {
 public:
  explicit DenseOperation(const DenseStep& step) : step_(step) {
    const std::size_t rows =
        gradient_task_size / step.outputs / gradient_task_rows * gradient_task_rows;
    task_rows_ = std::max(rows, gradient_task_rows);
  }
  Layout input_layout() const override { return Layout::tight({1, 1, step_.inputs}); }
  Layout output_gradient_layout(bool) const override {
    return Layout::tight({1, 1, step_.outputs});
  }
  bool has_parameters() const override { return true; }
  bool works_by_row() const override { return false; }
  std::size_t block_scratch() const override { return step_.outputs * block_rows_max; }
  void forward(const Pass<S>& pass, Rows rows) const override;
  void backward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  std::size_t gradient_tasks(std::size_t) const override {
    return (step_.inputs + task_rows_ - 1) / task_rows_ + (step_.weights.bias ? 1 : 0);
  }
  void gradient(const Pass<S>& pass, std::size_t task) const override;

 private:
  void input_gradient(const Pass<S>& pass, Rows rows, S* transposed) const;

  DenseStep step_;
  std::size_t task_rows_ = 0;
};

template <class S>
void DenseOperation<S>::forward(const Pass<S>& pass, Rows rows) const {
  Product<S> product;
  product.a = pass.input(this->input_, rows.first);
  product.a_row = this->input_.activation.row;
  product.a_step = 1;
  product.b = pass.parameters + step_.weights.kernel;
  product.b_step = step_.outputs;
  product.c = pass.output(this->output_, rows.first);
  product.c_row = this->output_.activation.row;
  product.rows = rows.count();
  product.columns = step_.outputs;
  product.steps = step_.inputs;
  product.bias = step_.weights.bias ? pass.parameters + *step_.weights.bias : nullptr;
  product.relu = step_.relu;
  pass.kernels->product(product);
}

template <class S>
void DenseOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block& block) const {
  if (step_.relu) {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      relu_gradient(pass, this->output_, row);
    }
  }
  if (this->input_.wants_gradient) input_gradient(pass, rows, pass.scratch_of(block.index));
}

// dx = dy W', as dx' = W dy'.
template <class S>
void DenseOperation<S>::input_gradient(const Pass<S>& pass, Rows rows, S* transposed) const {
  const std::size_t lanes = pass.kernels->lanes;
  const std::size_t width = (rows.count() + lanes - 1) / lanes * lanes;
  pass.kernels->transpose(pass.gradient_of(this->output_, rows.first), this->output_.gradient.row,
                          transposed, width, rows.count(), step_.outputs);
  for (std::size_t k = 0; k < step_.outputs; ++k) {
    std::fill(transposed + k * width + rows.count(), transposed + (k + 1) * width, S{0});
  }
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
  for (std::size_t first = 0; first < step_.inputs; first += inputs_together) {
    product.a = pass.parameters + step_.weights.kernel + first * step_.outputs;
    product.rows = std::min(inputs_together, step_.inputs - first);
    pass.kernels->product(product);
    pass.kernels->transpose(result, width, pass.gradient_of(this->input_, rows.first) + first,
                            this->input_.gradient.row, product.rows, rows.count());
  }
}

// dW = x' dy, a band of W's rows for each task; db = sum of dy, the last task.
template <class S>
void DenseOperation<S>::gradient(const Pass<S>& pass, std::size_t task) const {
  const S* output_gradient = pass.gradient_of(this->output_, 0);
  const std::size_t output_row = this->output_.gradient.row;
  const std::size_t first = task * task_rows_;
  if (first >= step_.inputs) {
    pass.kernels->column_sums(output_gradient, 0, output_row, 1, pass.rows, step_.outputs,
                              pass.gradient + *step_.weights.bias, false);
    return;
  }
  Product<S> product;
  product.a = pass.input(this->input_, 0) + first;
  product.a_row = 1;
  product.a_step = this->input_.activation.row;
  product.b = output_gradient;
  product.b_step = output_row;
  product.c = pass.gradient + step_.weights.kernel + first * step_.outputs;
  product.c_row = step_.outputs;
  product.rows = std::min(task_rows_, step_.inputs - first);
  product.columns = step_.outputs;
  product.steps = pass.rows;
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
