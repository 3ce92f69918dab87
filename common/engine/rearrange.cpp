// SPDX-License-Identifier: Apache-2.0
//
// Operations that move values: Reshape (Flatten among them), Permute, Concatenate, the copy into
// another layout, and the fork behind a value that several operations read.
#include <algorithm>

#include "common/engine/lines.hpp"
#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

// Row by row, from one layout to another.
template <class S>
void copy_row(const S* from, const Layout& from_layout, S* to, const Layout& to_layout) {
  for_each_run(from_layout, to_layout, [&](std::size_t a, std::size_t b, std::size_t count) {
    std::copy_n(from + a, count, to + b);
  });
}

// The same memory under another shape. Its gradient is copied only if the operation before it wants
// zeros between.
template <class S>
class ReshapeOperation final : public Operation<S> {
 public:
  explicit ReshapeOperation(const ReshapeStep& step) : step_(step) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(step_.input); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(step_.output); }
  bool passes_through() const override { return true; }
  bool needs_tight() const override { return false; }
  void forward(const Pass<S>&, Rows, const Block&) const override {}
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    const Value& input = this->input_;
    if (!input.wants_gradient || input.gradient_buffer == this->output_.gradient_buffer) return;
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      copy_row<S>(pass.gradient_of(this->output_, row), Layout::tight(step_.input),
                  pass.gradient_of(input, row), input.gradient);
    }
  }

 private:
  ReshapeStep step_;
};

template <class S>
class PermuteOperation final : public Operation<S> {
 public:
  explicit PermuteOperation(const PermuteStep& step) : step_(step) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(step_.input); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(step_.output); }
  void forward(const Pass<S>& pass, Rows rows, const Block&) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const S* from = pass.input(this->input_, row);
      S* to = pass.output(this->output_, row);
      for_each([&](std::size_t input, std::size_t output) { to[output] = from[input]; });
    }
  }
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    if (!this->input_.wants_gradient) return;
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const S* from = pass.gradient_of(this->output_, row);
      S* to = pass.gradient_of(this->input_, row);
      for_each([&](std::size_t input, std::size_t output) { to[input] = from[output]; });
    }
  }

 private:
  template <class Each>
  void for_each(const Each& each) const {
    std::size_t output = 0;
    for (std::size_t y = 0; y < step_.output.height; ++y) {
      for (std::size_t x = 0; x < step_.output.width; ++x) {
        for (std::size_t c = 0; c < step_.output.channels; ++c)
          each(y * step_.step_y + x * step_.step_x + c * step_.step_channel, output++);
      }
    }
  }
  PermuteStep step_;
};

template <class S>
class ConcatenateOperation final : public Operation<S> {
 public:
  explicit ConcatenateOperation(const ConcatenateStep& step)
      : parts_(step.inputs), whole_(step.inputs.front()) {
    whole_.channels = 0;
    for (const Extent& part : parts_) whole_.channels += part.channels;
  }
  Layout input_layout(std::size_t input) const override { return Layout::tight(parts_[input]); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(whole_); }
  void forward(const Pass<S>& pass, Rows rows, const Block&) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      S* to = pass.output(this->output_, row);
      for (std::size_t i = 0; i < parts_.size(); to += parts_[i].channels, ++i) {
        const S* from = pass.input(this->inputs_[i], row);
        for (std::size_t p = 0; p < whole_.positions(); ++p) {
          std::copy_n(from + p * parts_[i].channels, parts_[i].channels, to + p * whole_.channels);
        }
      }
    }
  }
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const S* from = pass.gradient_of(this->output_, row);
      for (std::size_t i = 0; i < parts_.size(); from += parts_[i].channels, ++i) {
        if (!this->inputs_[i].wants_gradient) continue;
        S* to = pass.gradient_of(this->inputs_[i], row);
        for (std::size_t p = 0; p < whole_.positions(); ++p) {
          std::copy_n(from + p * whole_.channels, parts_[i].channels, to + p * parts_[i].channels);
        }
      }
    }
  }

 private:
  std::vector<Extent> parts_;
  Extent whole_;
};

template <class S>
class CopyOperation final : public Operation<S> {
 public:
  explicit CopyOperation(const Layout& layout) : layout_(layout) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(layout_.extent); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(layout_.extent); }
  bool needs_tight() const override { return false; }
  void forward(const Pass<S>& pass, Rows rows, const Block&) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      copy_row<S>(pass.input(this->input_, row), this->input_.activation,
                  pass.output(this->output_, row), this->output_.activation);
    }
  }
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    if (!this->input_.wants_gradient) return;
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      copy_row<S>(pass.gradient_of(this->output_, row), this->output_.gradient,
                  pass.gradient_of(this->input_, row), this->input_.gradient);
    }
  }

 private:
  Layout layout_;
};

template <class S>
class ForkOperation final : public Operation<S> {
 public:
  explicit ForkOperation(const Extent& extent) : extent_(extent) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(extent_); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(extent_); }
  bool needs_tight() const override { return false; }
  void forward(const Pass<S>&, Rows, const Block&) const override {}
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      S* to = pass.gradient_of(this->input_, row);
      for (std::size_t i = 0; i < this->outputs_.size(); ++i) {
        const Value& branch = this->outputs_[i];
        const S* from = pass.gradient_of(branch, row);
        for_each_run(branch.gradient, this->input_.gradient,
                     [&](std::size_t a, std::size_t b, std::size_t count) {
                       if (i == 0) {
                         std::copy_n(from + a, count, to + b);
                       } else {
                         pass.kernels->add(from + a, to + b, count);
                       }
                     });
      }
    }
  }

 private:
  Extent extent_;
};

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const ReshapeStep& step) {
  return std::make_unique<ReshapeOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const ReshapeStep&);
template std::unique_ptr<Operation<double>> make_operation(const ReshapeStep&);

template <class S>
std::unique_ptr<Operation<S>> make_operation(const PermuteStep& step) {
  return std::make_unique<PermuteOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const PermuteStep&);
template std::unique_ptr<Operation<double>> make_operation(const PermuteStep&);

template <class S>
std::unique_ptr<Operation<S>> make_operation(const ConcatenateStep& step) {
  return std::make_unique<ConcatenateOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const ConcatenateStep&);
template std::unique_ptr<Operation<double>> make_operation(const ConcatenateStep&);

template <class S>
std::unique_ptr<Operation<S>> make_copy(const Layout& layout) {
  return std::make_unique<CopyOperation<S>>(layout);
}
template std::unique_ptr<Operation<float>> make_copy(const Layout&);
template std::unique_ptr<Operation<double>> make_copy(const Layout&);

template <class S>
std::unique_ptr<Operation<S>> make_fork(const Extent& extent) {
  return std::make_unique<ForkOperation<S>>(extent);
}
template std::unique_ptr<Operation<float>> make_fork(const Extent&);
template std::unique_ptr<Operation<double>> make_fork(const Extent&);

}  // namespace entente::engine
