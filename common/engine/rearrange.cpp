// SPDX-License-Identifier: Apache-2.0
//
// Operations that move or mask values one by one: Flatten, relu on its own, and the copy of
// features into a padded layout.
#include <algorithm>

#include "common/engine/lines.hpp"
#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

// The same memory as a row of values. Its gradient is copied only if the operation before it wants
// zeros between.
template <class S>
class FlattenOperation final : public Operation<S> {
 public:
  explicit FlattenOperation(const FlattenStep& step) : extent_(step.input) {}
  Layout input_layout() const override { return Layout::tight(extent_); }
  Layout output_gradient_layout(bool) const override {
    return Layout::tight({1, 1, extent_.count()});
  }
  bool passes_through() const override { return true; }
  void forward(const Pass<S>&, Rows) const override {}
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    const Value& input = this->input_;
    if (!input.wants_gradient || input.gradient_buffer == this->output_.gradient_buffer) return;
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const S* from = pass.gradient_of(this->output_, row);
      S* to = pass.gradient_of(input, row);
      for_each_run(Layout::tight(extent_), input.gradient,
                   [&](std::size_t a, std::size_t b, std::size_t count) {
                     std::copy_n(from + a, count, to + b);
                   });
    }
  }

 private:
  Extent extent_;
};

template <class S>
class ReluOperation final : public Operation<S> {
 public:
  explicit ReluOperation(const ReluStep& step) : extent_(step.extent) {}
  Layout input_layout() const override { return Layout::tight(extent_); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(extent_); }
  void forward(const Pass<S>& pass, Rows rows) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const S* from = pass.input(this->input_, row);
      S* to = pass.output(this->output_, row);
      for_each_run(this->input_.activation, this->output_.activation,
                   [&](std::size_t a, std::size_t b, std::size_t count) {
                     pass.kernels->relu(from + a, to + b, count);
                   });
    }
  }
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      relu_gradient(pass, this->output_, row);
      if (!this->input_.wants_gradient) continue;
      const S* from = pass.gradient_of(this->output_, row);
      S* to = pass.gradient_of(this->input_, row);
      for_each_run(this->output_.gradient, this->input_.gradient,
                   [&](std::size_t a, std::size_t b, std::size_t count) {
                     std::copy_n(from + a, count, to + b);
                   });
    }
  }

 private:
  Extent extent_;
};

template <class S>
class InputCopyOperation final : public Operation<S> {
 public:
  explicit InputCopyOperation(const Layout& layout) : layout_(layout) {}
  Layout input_layout() const override { return Layout::tight(layout_.extent); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(layout_.extent); }
  void forward(const Pass<S>& pass, Rows rows) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const S* from = pass.input(this->input_, row);
      S* to = pass.output(this->output_, row);
      for_each_run(Layout::tight(layout_.extent), this->output_.activation,
                   [&](std::size_t a, std::size_t b, std::size_t count) {
                     std::copy_n(from + a, count, to + b);
                   });
    }
  }
  void backward(const Pass<S>&, Rows, const Block&) const override {}

 private:
  Layout layout_;
};

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const FlattenStep& step) {
  return std::make_unique<FlattenOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const FlattenStep&);
template std::unique_ptr<Operation<double>> make_operation(const FlattenStep&);

template <class S>
std::unique_ptr<Operation<S>> make_operation(const ReluStep& step) {
  return std::make_unique<ReluOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const ReluStep&);
template std::unique_ptr<Operation<double>> make_operation(const ReluStep&);

template <class S>
std::unique_ptr<Operation<S>> make_input_copy(const Layout& layout) {
  return std::make_unique<InputCopyOperation<S>>(layout);
}
template std::unique_ptr<Operation<float>> make_input_copy(const Layout&);
template std::unique_ptr<Operation<double>> make_input_copy(const Layout&);

}  // namespace entente::engine
