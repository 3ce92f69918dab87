// SPDX-License-Identifier: Apache-2.0
//
// Conv2D: y[oy, ox] = relu(sum over ky, kx of x[oy * step_y + ky - top, ox * step_x + kx - left]
// W[ky, kx] + b), without copies of windows: a line of the filter and a line of the padded input
// are both contiguous, [kernel width * channels].
#include <algorithm>

#include "common/engine/lines.hpp"
#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

// The kernel's gradient is summed over parts of the batch, then over the parts. Where all parts
// together are small, a part is a block of rows, summed as they go backward, while they are in
// cache; else there are few parts and they are tasks of their own, one for each line of the kernel.
constexpr std::size_t parts_size_max = std::size_t{1} << 21U;  // scalars
constexpr std::size_t parts_min = 2, parts_max = 16;
constexpr std::size_t reduce_task_size = 8192;

template <class S>
class ConvolutionOperation final : public Operation<S> {
 public:
  explicit ConvolutionOperation(const ConvolutionStep& step);
  Layout input_layout(std::size_t) const override;
  Layout output_gradient_layout(bool input_wants_gradient) const override;
  bool has_parameters() const override { return true; }
  bool needs_tight() const override { return false; }
  std::size_t step_scratch(std::size_t rows) const override;
  void forward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  void backward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  std::size_t prepare_tasks(std::size_t) const override {
    return this->input_.wants_gradient ? step_.kernel_height * step_.kernel_width : 0;
  }
  void prepare(const Pass<S>& pass, std::size_t task) const override;
  std::size_t gradient_tasks(std::size_t rows) const override {
    return by_block(rows) ? 0 : parts(rows) * step_.kernel_height;
  }
  void gradient(const Pass<S>& pass, std::size_t task) const override;
  std::size_t reduce_tasks(std::size_t rows) const override {
    return parts(rows) == 1 ? 0 : (part_size_ + reduce_task_size - 1) / reduce_task_size;
  }
  void reduce(const Pass<S>& pass, std::size_t task) const override;

 private:
  bool by_block(std::size_t rows) const { return block_count(rows) * part_size_ <= parts_size_max; }
  std::size_t parts(std::size_t rows) const {
    if (by_block(rows)) return block_count(rows);
    return std::min(rows, std::clamp(parts_size_max / part_size_, parts_min, parts_max));
  }
  // A part's sums: the first is the gradient itself. The bias follows the kernel in both.
  S* sums_of(const Pass<S>& pass, std::size_t part) const {
    if (part == 0) return pass.gradient + step_.weights.kernel;
    return pass.buffer(this->step_buffer_) + kernel_room_ + (part - 1) * part_size_;
  }
  Product<S> gradient_product() const;
  void input_gradient(const Pass<S>& pass, std::size_t row) const;
  void bias_gradient(const Pass<S>& pass, std::size_t row, S* sums, bool accumulate) const;

  ConvolutionStep step_;
  std::size_t line_ = 0;         // kernel width * channels
  std::size_t part_size_ = 0;    // kernel and bias
  std::size_t kernel_room_ = 0;  // the turned kernel
};

template <class S>
ConvolutionOperation<S>::ConvolutionOperation(const ConvolutionStep& step)
    : step_(step), line_(step.kernel_width * step.input.channels) {
  const auto rounded = [](std::size_t n) {
    return (n + row_alignment - 1) / row_alignment * row_alignment;
  };
  part_size_ = step.weights.kernel_count + (step.weights.bias ? step.output.channels : 0);
  kernel_room_ = rounded(step.weights.kernel_count);
}

// For any number of rows up to `rows`.
template <class S>
std::size_t ConvolutionOperation<S>::step_scratch(std::size_t rows) const {
  const std::size_t fitting = parts_size_max / part_size_;
  const std::size_t most =
      std::max(std::min(block_count(rows), fitting), std::clamp(fitting, parts_min, parts_max));
  return kernel_room_ + (std::min(most, rows) - 1) * part_size_;
}

template <class S>
Layout ConvolutionOperation<S>::input_layout(std::size_t) const {
  const std::size_t reach_y = (step_.output.height - 1) * step_.step_y + step_.kernel_height;
  const std::size_t reach_x = (step_.output.width - 1) * step_.step_x + step_.kernel_width;
  return Layout::spread(step_.input, step_.top, step_.left,
                        std::max(reach_y, step_.top + step_.input.height),
                        std::max(reach_x, step_.left + step_.input.width));
}

// Such that the input's gradient is a convolution of it with the turned kernel, of step 1.
template <class S>
Layout ConvolutionOperation<S>::output_gradient_layout(bool input_wants_gradient) const {
  if (!input_wants_gradient) return Layout::tight(step_.output);
  return Layout::spread(step_.output, step_.kernel_height - 1 - step_.top,
                        step_.kernel_width - 1 - step_.left,
                        step_.input.height + step_.kernel_height - 1,
                        step_.input.width + step_.kernel_width - 1, step_.step_y, step_.step_x);
}

template <class S>
void ConvolutionOperation<S>::forward(const Pass<S>& pass, Rows rows, const Block&) const {
  const Layout& input = this->input_.activation;
  const Layout& output = this->output_.activation;
  Product<S> product;
  product.a_group = step_.step_y * input.line;
  product.a_row = step_.step_x * input.pixel;
  product.a_segment = input.line;
  product.a_step = 1;
  product.b = pass.parameters + step_.weights.kernel;
  product.b_segment = line_ * step_.output.channels;
  product.b_step = step_.output.channels;
  product.c_group = output.line;
  product.c_row = output.pixel;
  product.groups = step_.output.height;
  product.rows = step_.output.width;
  product.columns = step_.output.channels;
  product.segments = step_.kernel_height;
  product.steps = line_;
  product.bias = step_.weights.bias ? pass.parameters + *step_.weights.bias : nullptr;
  product.relu = step_.relu;
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    product.a = pass.input(this->input_, row);
    product.c = pass.output(this->output_, row) + output.origin;
    pass.kernels->product(product);
  }
}

// The turned kernel: [kh - 1 - ky, kw - 1 - kx] is [ky, kx] transposed.
template <class S>
void ConvolutionOperation<S>::prepare(const Pass<S>& pass, std::size_t task) const {
  const std::size_t taps = step_.kernel_height * step_.kernel_width;
  const std::size_t size = step_.input.channels * step_.output.channels;
  pass.kernels->transpose(pass.parameters + step_.weights.kernel + task * size,
                          step_.output.channels,
                          pass.buffer(this->step_buffer_) + (taps - 1 - task) * size,
                          step_.input.channels, step_.input.channels, step_.output.channels);
}

template <class S>
void ConvolutionOperation<S>::input_gradient(const Pass<S>& pass, std::size_t row) const {
  const Layout& output = this->output_.gradient;
  const Layout& input = this->input_.gradient;
  Product<S> product;
  product.a = pass.gradient_of(this->output_, row);
  product.a_group = output.line / step_.step_y;
  product.a_row = step_.output.channels;
  product.a_segment = product.a_group;
  product.a_step = 1;
  product.b = pass.buffer(this->step_buffer_);
  product.b_segment = step_.kernel_width * step_.output.channels * step_.input.channels;
  product.b_step = step_.input.channels;
  product.c = pass.gradient_of(this->input_, row) + input.origin;
  product.c_group = input.line;
  product.c_row = input.pixel;
  product.groups = step_.input.height;
  product.rows = step_.input.width;
  product.columns = step_.input.channels;
  product.segments = step_.kernel_height;
  product.steps = step_.kernel_width * step_.output.channels;
  pass.kernels->product(product);
}

// The kernel's gradient of one row, [ky, kx and channel, filter]; a, b, c and accumulate are the
// caller's.
template <class S>
Product<S> ConvolutionOperation<S>::gradient_product() const {
  const Layout& input = this->input_.activation;
  const Layout& output = this->output_.gradient;
  Product<S> product;
  product.a_group = input.line;
  product.a_row = 1;
  product.a_segment = step_.step_y * input.line;
  product.a_step = step_.step_x * input.pixel;
  product.b_segment = output.line;
  product.b_step = output.pixel;
  product.c_group = line_ * step_.output.channels;
  product.c_row = step_.output.channels;
  product.groups = step_.kernel_height;
  product.rows = line_;
  product.columns = step_.output.channels;
  product.segments = step_.output.height;
  product.steps = step_.output.width;
  return product;
}

template <class S>
void ConvolutionOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block& block) const {
  const bool sum_here = by_block(pass.rows);
  S* sums = sums_of(pass, sum_here ? block.index : 0);
  Product<S> product = gradient_product();
  product.c = sums;
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    if (step_.relu) relu_gradient(pass, this->output_, row);
    if (this->input_.wants_gradient) input_gradient(pass, row);
    if (!sum_here) continue;
    product.a = pass.input(this->input_, row);
    product.b = pass.gradient_of(this->output_, row) + this->output_.gradient.origin;
    product.accumulate = row != block.rows.first;
    pass.kernels->product(product);
    if (step_.weights.bias)
      bias_gradient(pass, row, sums + step_.weights.kernel_count, product.accumulate);
  }
}

// One line of the kernel, over one part of the batch.
template <class S>
void ConvolutionOperation<S>::gradient(const Pass<S>& pass, std::size_t task) const {
  const std::size_t count = parts(pass.rows);
  const std::size_t part = task / step_.kernel_height, ky = task % step_.kernel_height;
  const Rows rows{pass.rows * part / count, pass.rows * (part + 1) / count};
  S* sums = sums_of(pass, part);
  Product<S> product = gradient_product();
  product.groups = 1;
  product.c = sums + ky * product.c_group;
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    product.a = pass.input(this->input_, row) + ky * product.a_group;
    product.b = pass.gradient_of(this->output_, row) + this->output_.gradient.origin;
    product.accumulate = row != rows.first;
    pass.kernels->product(product);
    if (ky != 0 || !step_.weights.bias) continue;
    bias_gradient(pass, row, sums + step_.weights.kernel_count, product.accumulate);
  }
}

template <class S>
void ConvolutionOperation<S>::bias_gradient(const Pass<S>& pass, std::size_t row, S* sums,
                                            bool accumulate) const {
  const Layout& output = this->output_.gradient;
  pass.kernels->column_sums(pass.gradient_of(this->output_, row) + output.origin, output.line,
                            output.pixel, step_.output.height, step_.output.width,
                            step_.output.channels, sums, accumulate);
}

template <class S>
void ConvolutionOperation<S>::reduce(const Pass<S>& pass, std::size_t task) const {
  const std::size_t first = task * reduce_task_size;
  const std::size_t count = std::min(reduce_task_size, part_size_ - first);
  for (std::size_t part = 1; part < parts(pass.rows); ++part) {
    pass.kernels->add(sums_of(pass, part) + first, sums_of(pass, 0) + first, count);
  }
}

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const ConvolutionStep& step) {
  return std::make_unique<ConvolutionOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const ConvolutionStep&);
template std::unique_ptr<Operation<double>> make_operation(const ConvolutionStep&);

}  // namespace entente::engine
