// SPDX-License-Identifier: Apache-2.0
//
// MaxPooling2D.
#include <algorithm>

#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

template <class S>
class PoolingOperation final : public Operation<S> {
 public:
  explicit PoolingOperation(const PoolingStep& step) : pooling_(step.pooling) {}
  Layout input_layout() const override {
    return Layout::tight({pooling_.input_height, pooling_.input_width, pooling_.channels});
  }
  Layout output_gradient_layout(bool) const override {
    return Layout::tight({pooling_.output_height, pooling_.output_width, pooling_.channels});
  }
  void forward(const Pass<S>& pass, Rows rows) const override;
  void backward(const Pass<S>& pass, Rows rows, const Block& block) const override;

 private:
  Pooling pooling_;
};

template <class T, class S>
Plane<T> plane(S* row, const Layout& layout) {
  return {row + layout.origin, layout.line, layout.pixel};
}

template <class S>
void PoolingOperation<S>::forward(const Pass<S>& pass, Rows rows) const {
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    pass.kernels->max_pool(pooling_,
                           plane<const S>(pass.input(this->input_, row), this->input_.activation),
                           plane<S>(pass.output(this->output_, row), this->output_.activation));
  }
}

template <class S>
void PoolingOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block&) const {
  if (!this->input_.wants_gradient) return;
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    S* gradient = pass.gradient_of(this->input_, row);
    if (!pooling_.tiles) std::fill_n(gradient, this->input_.gradient.row, S{0});
    pass.kernels->max_pool_gradient(
        pooling_, plane<const S>(pass.input(this->input_, row), this->input_.activation),
        plane<const S>(pass.input(this->output_, row), this->output_.activation),
        plane<const S>(pass.gradient_of(this->output_, row), this->output_.gradient),
        plane<S>(gradient, this->input_.gradient));
  }
}

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const PoolingStep& step) {
  return std::make_unique<PoolingOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const PoolingStep&);
template std::unique_ptr<Operation<double>> make_operation(const PoolingStep&);

}  // namespace entente::engine
