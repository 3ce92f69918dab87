// SPDX-License-Identifier: Apache-2.0
//
// Operations on values one by one: relu and the other activations, softmax, dropout, and the
// merging of several values of one extent.
#include <algorithm>
#include <cmath>

#include "common/engine/lines.hpp"
#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

template <class S>
class ReluOperation final : public Operation<S> {
 public:
  explicit ReluOperation(const ReluStep& step) : extent_(step.extent) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(extent_); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(extent_); }
  bool needs_tight() const override { return false; }
  void forward(const Pass<S>& pass, Rows rows, const Block&) const override {
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

Curve curve_of(Activation activation) {
  switch (activation) {
    case Activation::tanh:
      return Curve::tanh;
    case Activation::gelu:
      return Curve::gelu;
    case Activation::swish:
      return Curve::swish;
    case Activation::elu:
      return Curve::elu;
    case Activation::leaky_relu:
      return Curve::leaky_relu;
    default:
      return Curve::sigmoid;
  }
}

template <class S>
class CurveOperation final : public Operation<S> {
 public:
  explicit CurveOperation(const ActivationStep& step)
      : extent_(step.extent),
        curve_(curve_of(step.activation)),
        slope_(static_cast<S>(step.slope)) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(extent_); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(extent_); }
  void forward(const Pass<S>& pass, Rows rows, const Block&) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      pass.kernels->curve(curve_, slope_, pass.input(this->input_, row),
                          pass.output(this->output_, row), extent_.count());
    }
  }
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    if (!this->input_.wants_gradient) return;
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      pass.kernels->curve_gradient(curve_, slope_, pass.input(this->input_, row),
                                   pass.input(this->output_, row),
                                   pass.gradient_of(this->output_, row),
                                   pass.gradient_of(this->input_, row), extent_.count());
    }
  }

 private:
  Extent extent_;
  Curve curve_;
  S slope_;
};

// Over the channels of each position.
template <class S>
class SoftmaxOperation final : public Operation<S> {
 public:
  explicit SoftmaxOperation(const ActivationStep& step) : extent_(step.extent) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(extent_); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(extent_); }
  void forward(const Pass<S>& pass, Rows rows, const Block&) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      for (std::size_t at = 0; at < extent_.count(); at += extent_.channels) {
        pass.kernels->softmax(pass.input(this->input_, row) + at, extent_.channels,
                              pass.output(this->output_, row) + at);
      }
    }
  }
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    if (!this->input_.wants_gradient) return;
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      for (std::size_t at = 0; at < extent_.count(); at += extent_.channels) {
        pass.kernels->softmax_gradient(pass.input(this->output_, row) + at,
                                       pass.gradient_of(this->output_, row) + at, extent_.channels,
                                       pass.gradient_of(this->input_, row) + at);
      }
    }
  }

 private:
  Extent extent_;
};

// What is dropped is a function of the step's seed, the layer, the row and the place: backward
// draws it anew.
template <class S>
class DropoutOperation final : public Operation<S> {
 public:
  explicit DropoutOperation(const DropoutStep& step) : extent_(step.extent) {
    drop_.stream = step.stream;
    drop_.threshold = static_cast<std::uint32_t>(std::min(step.rate * 4294967296.0, 4294967295.0));
    drop_.scale = static_cast<S>(1.0 / (1.0 - step.rate));
  }
  Layout input_layout(std::size_t) const override { return Layout::tight(extent_); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(extent_); }
  void forward(const Pass<S>& pass, Rows rows, const Block&) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      const S* from = pass.input(this->input_, row);
      S* to = pass.output(this->output_, row);
      if (pass.training) {
        pass.kernels->drop(of_row(pass, row), from, to, extent_.count());
      } else {
        std::copy_n(from, extent_.count(), to);
      }
    }
  }
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    if (!this->input_.wants_gradient) return;
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      pass.kernels->drop(of_row(pass, row), pass.gradient_of(this->output_, row),
                         pass.gradient_of(this->input_, row), extent_.count());
    }
  }

 private:
  Drop<S> of_row(const Pass<S>& pass, std::size_t row) const {
    Drop<S> drop = drop_;
    drop.key[0] = pass.seed[0];
    drop.key[1] = pass.seed[1];
    drop.row = static_cast<std::uint32_t>(pass.first_row + row);
    return drop;
  }
  Extent extent_;
  Drop<S> drop_;
};

template <class S>
class MergeOperation final : public Operation<S> {
 public:
  explicit MergeOperation(const MergeStep& step) : step_(step) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(step_.extent); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(step_.extent); }
  void forward(const Pass<S>& pass, Rows rows, const Block&) const override {
    const std::size_t count = step_.extent.count();
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      S* to = pass.output(this->output_, row);
      std::copy_n(pass.input(this->input_, row), count, to);
      for (std::size_t i = 1; i < this->inputs_.size(); ++i) {
        const S* from = pass.input(this->inputs_[i], row);
        multiplies() ? pass.kernels->multiply(from, to, count) : pass.kernels->add(from, to, count);
      }
      if (step_.kind == MergeStep::Kind::average) pass.kernels->scale(share(), to, count);
    }
  }
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    const std::size_t count = step_.extent.count();
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      for (std::size_t i = 0; i < this->inputs_.size(); ++i) {
        if (!this->inputs_[i].wants_gradient) continue;
        S* to = pass.gradient_of(this->inputs_[i], row);
        std::copy_n(pass.gradient_of(this->output_, row), count, to);
        if (step_.kind == MergeStep::Kind::average) pass.kernels->scale(share(), to, count);
        for (std::size_t k = 0; multiplies() && k < this->inputs_.size(); ++k) {
          if (k != i) pass.kernels->multiply(pass.input(this->inputs_[k], row), to, count);
        }
      }
    }
  }

 private:
  bool multiplies() const { return step_.kind == MergeStep::Kind::multiply; }
  S share() const { return S{1} / static_cast<S>(step_.inputs); }
  MergeStep step_;
};

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const ReluStep& step) {
  return std::make_unique<ReluOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const ReluStep&);
template std::unique_ptr<Operation<double>> make_operation(const ReluStep&);

template <class S>
std::unique_ptr<Operation<S>> make_operation(const ActivationStep& step) {
  if (step.activation == Activation::softmax) return std::make_unique<SoftmaxOperation<S>>(step);
  return std::make_unique<CurveOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const ActivationStep&);
template std::unique_ptr<Operation<double>> make_operation(const ActivationStep&);

template <class S>
std::unique_ptr<Operation<S>> make_operation(const DropoutStep& step) {
  return std::make_unique<DropoutOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const DropoutStep&);
template std::unique_ptr<Operation<double>> make_operation(const DropoutStep&);

template <class S>
std::unique_ptr<Operation<S>> make_operation(const MergeStep& step) {
  return std::make_unique<MergeOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const MergeStep&);
template std::unique_ptr<Operation<double>> make_operation(const MergeStep&);

}  // namespace entente::engine
