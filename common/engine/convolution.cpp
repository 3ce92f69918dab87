// SPDX-License-Identifier: Apache-2.0
//
// Conv2D: y[oy, ox] = relu(sum over ky, kx of x[oy * step_y + ky - top, ox * step_x + kx - left]
// W[ky, kx] + b), without copies of windows: a line of the filter and a line of the padded input
// are both contiguous, [kernel width * channels].
//
// Taps that would fall on the zeros around the input are left out: outputs are worked on in bands
// of lines, and where it pays of columns, that have the same taps inside.
#include <algorithm>
#include <utility>
#include <vector>

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

// Columns are worked on apart where that leaves out this share of their taps, and there are lines
// enough to keep a product busy.
constexpr double share_worth_columns = 1.0 / 16;
constexpr std::size_t lines_worth_columns = 8, channels_worth_columns = 16;

// One axis of a convolution: output o reads input o * step + tap - before.
struct Axis {
  std::size_t outputs = 0, inputs = 0, taps = 0, step = 1, before = 0;
};

// Outputs [first, last), and taps [low, high), at least one.
struct Band {
  std::size_t first = 0, last = 0, low = 0, high = 0;
};

bool is_inside(const Axis& axis, std::size_t output, std::size_t tap) {
  const std::size_t at = output * axis.step + tap;
  return at >= axis.before && at - axis.before < axis.inputs;
}

// The numbers from 0 to below `count` that are inside, one run of them; none: the first.
template <class Inside>
std::pair<std::size_t, std::size_t> inside_of(std::size_t count, const Inside& inside) {
  std::size_t low = 0;
  while (low < count && !inside(low)) ++low;
  if (low == count) return {0, 1};
  std::size_t high = low + 1;
  while (high < count && inside(high)) ++high;
  return {low, high};
}

// Outputs that follow each other and have the same taps inside.
std::vector<Band> bands_by_output(const Axis& axis) {
  std::vector<Band> bands;
  for (std::size_t o = 0; o < axis.outputs; ++o) {
    const auto [low, high] =
        inside_of(axis.taps, [&](std::size_t tap) { return is_inside(axis, o, tap); });
    if (bands.empty() || bands.back().low != low || bands.back().high != high)
      bands.push_back({o, o, low, high});
    bands.back().last = o + 1;
  }
  return bands;
}

// For each tap, or for all together, the outputs that it is inside for.
std::vector<Band> bands_by_tap(const Axis& axis, bool apart) {
  std::vector<Band> bands;
  for (std::size_t tap = 0; apart && tap < axis.taps; ++tap) {
    const auto [first, last] =
        inside_of(axis.outputs, [&](std::size_t o) { return is_inside(axis, o, tap); });
    bands.push_back({first, last, tap, tap + 1});
  }
  if (!apart) bands.push_back({0, axis.outputs, 0, axis.taps});
  return bands;
}

bool is_worth_columns(const Axis& axis, std::size_t lines) {
  double left_out = 0;
  for (const Band& band : bands_by_output(axis))
    left_out += static_cast<double>((band.last - band.first) * (axis.taps - band.high + band.low));
  return lines >= lines_worth_columns &&
         left_out >= share_worth_columns * static_cast<double>(axis.outputs * axis.taps);
}

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
  void convolve(const Kernels<S>& kernels, Product<S> whole, const std::vector<Band>& lines,
                const std::vector<Band>& columns, std::size_t channels) const;
  // Adds one row's, of the taps on line ky of the kernel.
  void kernel_gradient(const Pass<S>& pass, std::size_t row, std::size_t ky, S* sums,
                       bool accumulate) const;
  void input_gradient(const Pass<S>& pass, std::size_t row) const;
  void bias_gradient(const Pass<S>& pass, std::size_t row, S* sums, bool accumulate) const;

  ConvolutionStep step_;
  std::size_t line_ = 0;         // kernel width * channels
  std::size_t part_size_ = 0;    // kernel and bias
  std::size_t kernel_room_ = 0;  // the turned kernel
  // Of the output, of the input's gradient, and of the kernel's gradient.
  std::vector<Band> lines_, columns_, input_lines_, input_columns_, tap_lines_, tap_columns_;
};

template <class S>
ConvolutionOperation<S>::ConvolutionOperation(const ConvolutionStep& step)
    : step_(step), line_(step.kernel_width * step.input.channels) {
  const auto rounded = [](std::size_t n) {
    return (n + row_alignment - 1) / row_alignment * row_alignment;
  };
  part_size_ = step.weights.kernel_count + (step.weights.bias ? step.output.channels : 0);
  kernel_room_ = rounded(step.weights.kernel_count);
  const Axis y{step.output.height, step.input.height, step.kernel_height, step.step_y, step.top};
  const Axis x{step.output.width, step.input.width, step.kernel_width, step.step_x, step.left};
  lines_ = bands_by_output(y);
  tap_lines_ = bands_by_tap(y, true);
  if (is_worth_columns(x, y.outputs)) columns_ = bands_by_output(x);
  tap_columns_ = bands_by_tap(x, step.input.channels >= channels_worth_columns);
  // The input's gradient: a convolution of step 1, of the output's with zeros between.
  const auto back = [](const Axis& axis) {
    return Axis{axis.inputs, (axis.outputs - 1) * axis.step + 1, axis.taps, 1,
                axis.taps - 1 - axis.before};
  };
  input_lines_ = bands_by_output(back(y));
  if (is_worth_columns(back(x), y.inputs)) input_columns_ = bands_by_output(back(x));
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
    convolve(*pass.kernels, product, lines_, columns_, step_.input.channels);
  }
}

// `whole`: a line is a group, a column one of its rows; a tap on a line is `channels` steps.
// Columns that miss taps are worked on line by line together; the others, or all, in bands of
// lines.
template <class S>
void ConvolutionOperation<S>::convolve(const Kernels<S>& kernels, Product<S> whole,
                                       const std::vector<Band>& lines,
                                       const std::vector<Band>& columns,
                                       std::size_t channels) const {
  Band middle{0, whole.rows, 0, step_.kernel_width};
  for (const Band& band : columns) {
    if (band.high - band.low == step_.kernel_width) {
      middle = band;
      continue;
    }
    Product<S> product = whole;
    product.a += band.first * whole.a_row + band.low * channels * whole.a_step;
    product.b += band.low * channels * whole.b_step;
    product.c += band.first * whole.c_row;
    product.steps = (band.high - band.low) * channels;
    std::swap(product.a_group, product.a_row);
    std::swap(product.c_group, product.c_row);
    product.rows = whole.groups;
    product.groups = band.last - band.first;
    kernels.product(product);
  }
  for (const Band& band : lines) {
    Product<S> product = whole;
    product.a +=
        band.first * whole.a_group + band.low * whole.a_segment + middle.first * whole.a_row;
    product.b += band.low * whole.b_segment;
    product.c += band.first * whole.c_group + middle.first * whole.c_row;
    product.rows = middle.last - middle.first;
    product.groups = band.last - band.first;
    product.segments = band.high - band.low;
    kernels.product(product);
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
  convolve(*pass.kernels, product, input_lines_, input_columns_, step_.output.channels);
}

// [kx and channel, filter]
template <class S>
void ConvolutionOperation<S>::kernel_gradient(const Pass<S>& pass, std::size_t row, std::size_t ky,
                                              S* sums, bool accumulate) const {
  const Layout& input = this->input_.activation;
  const Layout& output = this->output_.gradient;
  const Band& lines = tap_lines_[ky];
  const S* a = pass.input(this->input_, row) + (lines.first * step_.step_y + ky) * input.line;
  const S* b = pass.gradient_of(this->output_, row) + output.origin + lines.first * output.line;
  Product<S> product;
  product.a_row = 1;
  product.a_segment = step_.step_y * input.line;
  product.a_step = step_.step_x * input.pixel;
  product.b_segment = output.line;
  product.b_step = output.pixel;
  product.c_row = step_.output.channels;
  product.columns = step_.output.channels;
  product.segments = lines.last - lines.first;
  product.accumulate = accumulate;
  for (const Band& columns : tap_columns_) {
    product.a = a + columns.first * product.a_step + columns.low * input.pixel;
    product.b = b + columns.first * output.pixel;
    product.c = sums + (ky * line_ + columns.low * step_.input.channels) * product.c_row;
    product.rows = (columns.high - columns.low) * step_.input.channels;
    product.steps = columns.last - columns.first;
    pass.kernels->product(product);
  }
}

template <class S>
void ConvolutionOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block& block) const {
  const bool sum_here = by_block(pass.rows);
  S* sums = sums_of(pass, sum_here ? block.index : 0);
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    if (step_.relu) relu_gradient(pass, this->output_, row);
    if (this->input_.wants_gradient) input_gradient(pass, row);
    if (!sum_here) continue;
    const bool accumulate = row != block.rows.first;
    for (std::size_t ky = 0; ky < step_.kernel_height; ++ky)
      kernel_gradient(pass, row, ky, sums, accumulate);
    if (step_.weights.bias) bias_gradient(pass, row, sums + step_.weights.kernel_count, accumulate);
  }
}

// One line of the kernel, over one part of the batch.
template <class S>
void ConvolutionOperation<S>::gradient(const Pass<S>& pass, std::size_t task) const {
  const std::size_t count = parts(pass.rows);
  const std::size_t part = task / step_.kernel_height, ky = task % step_.kernel_height;
  const Rows rows{pass.rows * part / count, pass.rows * (part + 1) / count};
  S* sums = sums_of(pass, part);
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    kernel_gradient(pass, row, ky, sums, row != rows.first);
    if (ky != 0 || !step_.weights.bias) continue;
    bias_gradient(pass, row, sums + step_.weights.kernel_count, row != rows.first);
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
