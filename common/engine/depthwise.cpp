// SPDX-License-Identifier: Apache-2.0
//
// DepthwiseConv2D: each input channel under filters of its own. The kernel's gradient is summed for
// each block of rows as they go backward, then over the blocks.
#include <algorithm>

#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

template <class S>
class DepthwiseOperation final : public Operation<S> {
 public:
  explicit DepthwiseOperation(const DepthwiseStep& step)
      : step_(step.window), multiplier_(step.multiplier), outputs_count_(step_.output.channels) {
    part_size_ = step_.weights.kernel_count + (step_.weights.bias ? outputs_count_ : 0);
  }
  Layout input_layout(std::size_t) const override {
    const std::size_t reach_y = (step_.output.height - 1) * step_.step_y + step_.kernel_height;
    const std::size_t reach_x = (step_.output.width - 1) * step_.step_x + step_.kernel_width;
    return Layout::spread(step_.input, step_.top, step_.left,
                          std::max(reach_y, step_.top + step_.input.height),
                          std::max(reach_x, step_.left + step_.input.width));
  }
  Layout output_gradient_layout(bool) const override { return Layout::tight(step_.output); }
  bool has_parameters() const override { return true; }
  std::size_t block_scratch() const override { return 2 * outputs_count_; }
  std::size_t step_scratch(std::size_t rows) const override {
    return block_count(rows) * part_size_;
  }
  void forward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  void backward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  std::size_t gradient_tasks(std::size_t) const override { return 1; }
  void gradient(const Pass<S>& pass, std::size_t) const override {
    const S* sums = this->own_step(pass);
    const auto sum = [&](std::size_t to, const S* from, std::size_t count) {
      pass.kernels->column_sums(from, 0, part_size_, 1, block_count(pass.rows), count,
                                pass.gradient + to, false);
    };
    sum(step_.weights.kernel, sums, step_.weights.kernel_count);
    if (step_.weights.bias)
      sum(*step_.weights.bias, sums + step_.weights.kernel_count, outputs_count_);
  }

 private:
  // A pixel's channels, each as often as it has filters.
  const S* repeated(const S* pixel, S* room) const {
    if (multiplier_ == 1) return pixel;
    for (std::size_t i = 0; i < outputs_count_; ++i) room[i] = pixel[i / multiplier_];
    return room;
  }
  // Calls each(pixel of the output, tap) with where the tap's input begins in a padded row.
  template <class Each>
  void for_each_tap(std::size_t oy, std::size_t ox, const Each& each) const {
    const Layout& input = this->input_.activation;
    for (std::size_t ky = 0; ky < step_.kernel_height; ++ky) {
      for (std::size_t kx = 0; kx < step_.kernel_width; ++kx) {
        each(ky, kx, ky * step_.kernel_width + kx,
             (oy * step_.step_y + ky) * input.line + (ox * step_.step_x + kx) * input.pixel);
      }
    }
  }
  void row_backward(const Pass<S>& pass, std::size_t row, S* sums, S* room) const;
  void add_to_input(const Pass<S>& pass, S* gradient, const S* dy, const S* weights, S* room) const;

  ConvolutionStep step_;
  std::size_t multiplier_ = 1, outputs_count_ = 0, part_size_ = 0;
};

template <class S>
void DepthwiseOperation<S>::forward(const Pass<S>& pass, Rows rows, const Block& block) const {
  const S* weights = pass.parameters + step_.weights.kernel;
  S* room = pass.scratch_of(block.index);
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    const S* from = pass.input(this->input_, row);
    S* to = pass.output(this->output_, row);
    for (std::size_t oy = 0; oy < step_.output.height; ++oy) {
      for (std::size_t ox = 0; ox < step_.output.width; ++ox, to += outputs_count_) {
        if (step_.weights.bias) {
          std::copy_n(pass.parameters + *step_.weights.bias, outputs_count_, to);
        } else {
          std::fill_n(to, outputs_count_, S{0});
        }
        for_each_tap(oy, ox, [&](std::size_t, std::size_t, std::size_t tap, std::size_t at) {
          pass.kernels->multiply_add(repeated(from + at, room), weights + tap * outputs_count_, to,
                                     outputs_count_);
        });
      }
    }
  }
}

template <class S>
void DepthwiseOperation<S>::add_to_input(const Pass<S>& pass, S* gradient, const S* dy,
                                         const S* weights, S* room) const {
  if (multiplier_ == 1) return pass.kernels->multiply_add(dy, weights, gradient, outputs_count_);
  std::copy_n(dy, outputs_count_, room);
  pass.kernels->multiply(weights, room, outputs_count_);
  for (std::size_t i = 0; i < outputs_count_; ++i) gradient[i / multiplier_] += room[i];
}

template <class S>
void DepthwiseOperation<S>::row_backward(const Pass<S>& pass, std::size_t row, S* sums,
                                         S* room) const {
  const S* weights = pass.parameters + step_.weights.kernel;
  const S* from = pass.input(this->input_, row);
  const S* dy = pass.gradient_of(this->output_, row);
  const bool wanted = this->input_.wants_gradient;
  S* gradient = wanted ? pass.gradient_of(this->input_, row) : nullptr;
  if (wanted) std::fill_n(gradient, step_.input.count(), S{0});
  for (std::size_t oy = 0; oy < step_.output.height; ++oy) {
    for (std::size_t ox = 0; ox < step_.output.width; ++ox, dy += outputs_count_) {
      for_each_tap(oy, ox, [&](std::size_t ky, std::size_t kx, std::size_t tap, std::size_t at) {
        pass.kernels->multiply_add(repeated(from + at, room), dy, sums + tap * outputs_count_,
                                   outputs_count_);
        const std::size_t y = oy * step_.step_y + ky, x = ox * step_.step_x + kx;
        const bool inside = y >= step_.top && y - step_.top < step_.input.height &&
                            x >= step_.left && x - step_.left < step_.input.width;
        if (!wanted || !inside) return;
        const std::size_t pixel = (y - step_.top) * step_.input.width + x - step_.left;
        add_to_input(pass, gradient + pixel * step_.input.channels, dy,
                     weights + tap * outputs_count_, room + outputs_count_);
      });
      if (step_.weights.bias)
        pass.kernels->add(dy, sums + step_.weights.kernel_count, outputs_count_);
    }
  }
}

template <class S>
void DepthwiseOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block& block) const {
  S* sums = this->own_step(pass) + block.index * part_size_;
  if (rows.first == block.rows.first) std::fill_n(sums, part_size_, S{0});
  for (std::size_t row = rows.first; row < rows.last; ++row)
    row_backward(pass, row, sums, pass.scratch_of(block.index));
}

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const DepthwiseStep& step) {
  return std::make_unique<DepthwiseOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const DepthwiseStep&);
template std::unique_ptr<Operation<double>> make_operation(const DepthwiseStep&);

}  // namespace entente::engine
