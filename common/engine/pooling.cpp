// SPDX-License-Identifier: Apache-2.0
//
// Maxima and means over windows, and over all positions.
#include <algorithm>

#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

template <class T, class S>
Plane<T> plane(S* row, const Layout& layout) {
  return {row + layout.origin, layout.line, layout.pixel};
}

template <class S>
class PoolingOperation final : public Operation<S> {
 public:
  explicit PoolingOperation(const PoolingStep& step)
      : pooling_(step.pooling), average_(step.average) {}
  Layout input_layout(std::size_t) const override {
    return Layout::tight({pooling_.input_height, pooling_.input_width, pooling_.channels});
  }
  Layout output_gradient_layout(bool) const override {
    return Layout::tight({pooling_.output_height, pooling_.output_width, pooling_.channels});
  }
  bool needs_tight() const override { return false; }
  void forward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  void backward(const Pass<S>& pass, Rows rows, const Block& block) const override;

 private:
  Pooling pooling_;
  bool average_ = false;
};

template <class S>
void PoolingOperation<S>::forward(const Pass<S>& pass, Rows rows, const Block&) const {
  const auto pool = average_ ? pass.kernels->average_pool : pass.kernels->max_pool;
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    pool(pooling_, plane<const S>(pass.input(this->input_, row), this->input_.activation),
         plane<S>(pass.output(this->output_, row), this->output_.activation));
  }
}

template <class S>
void PoolingOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block&) const {
  if (!this->input_.wants_gradient) return;
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    S* gradient = pass.gradient_of(this->input_, row);
    if (!pooling_.tiles || average_) std::fill_n(gradient, this->input_.gradient.row, S{0});
    const auto output_gradient =
        plane<const S>(pass.gradient_of(this->output_, row), this->output_.gradient);
    const auto input_gradient = plane<S>(gradient, this->input_.gradient);
    if (average_) {
      pass.kernels->average_pool_gradient(pooling_, output_gradient, input_gradient);
      continue;
    }
    pass.kernels->max_pool_gradient(
        pooling_, plane<const S>(pass.input(this->input_, row), this->input_.activation),
        plane<const S>(pass.input(this->output_, row), this->output_.activation), output_gradient,
        input_gradient);
  }
}

// The mean over the positions that count, or the maximum over all.
template <class S>
class GlobalPoolingOperation final : public Operation<S> {
 public:
  explicit GlobalPoolingOperation(const GlobalPoolingStep& step) : step_(step) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(step_.input); }
  Layout output_gradient_layout(bool) const override {
    return Layout::tight({1, 1, step_.input.channels});
  }
  void forward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  void backward(const Pass<S>& pass, Rows rows, const Block& block) const override;

 private:
  bool counts(const Pass<S>& pass, std::size_t row, std::size_t position) const {
    return !step_.mask || pass.counts(*step_.mask, row, position);
  }
  S share(const Pass<S>& pass, std::size_t row) const {
    std::size_t counted = 0;
    for (std::size_t p = 0; p < step_.input.positions(); ++p)
      counted += counts(pass, row, p) ? 1 : 0;
    return counted == 0 ? S{0} : S{1} / static_cast<S>(counted);
  }
  GlobalPoolingStep step_;
};

template <class S>
void GlobalPoolingOperation<S>::forward(const Pass<S>& pass, Rows rows, const Block&) const {
  const std::size_t channels = step_.input.channels;
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    const S* from = pass.input(this->input_, row);
    S* to = pass.output(this->output_, row);
    std::fill_n(to, channels, S{0});
    for (std::size_t p = 0; p < step_.input.positions(); ++p, from += channels) {
      if (step_.average) {
        if (counts(pass, row, p)) pass.kernels->add(from, to, channels);
      } else {
        for (std::size_t c = 0; c < channels; ++c)
          to[c] = p == 0 || !(from[c] <= to[c]) ? from[c] : to[c];
      }
    }
    if (step_.average) pass.kernels->scale(share(pass, row), to, channels);
  }
}

// Of equal maxima the first takes the gradient.
template <class S>
void GlobalPoolingOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block&) const {
  if (!this->input_.wants_gradient) return;
  const std::size_t channels = step_.input.channels, positions = step_.input.positions();
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    const S* from = pass.gradient_of(this->output_, row);
    S* to = pass.gradient_of(this->input_, row);
    std::fill_n(to, step_.input.count(), S{0});
    if (step_.average) {
      const S each = share(pass, row);
      for (std::size_t p = 0; p < positions; ++p) {
        if (!counts(pass, row, p)) continue;
        std::copy_n(from, channels, to + p * channels);
        pass.kernels->scale(each, to + p * channels, channels);
      }
      continue;
    }
    const S* input = pass.input(this->input_, row);
    const S* output = pass.input(this->output_, row);
    for (std::size_t c = 0; c < channels; ++c) {
      std::size_t p = 0;
      while (p + 1 < positions && input[p * channels + c] != output[c]) ++p;
      to[p * channels + c] = from[c];
    }
  }
}

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const PoolingStep& step) {
  return std::make_unique<PoolingOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const PoolingStep&);
template std::unique_ptr<Operation<double>> make_operation(const PoolingStep&);

template <class S>
std::unique_ptr<Operation<S>> make_operation(const GlobalPoolingStep& step) {
  return std::make_unique<GlobalPoolingOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const GlobalPoolingStep&);
template std::unique_ptr<Operation<double>> make_operation(const GlobalPoolingStep&);

}  // namespace entente::engine
