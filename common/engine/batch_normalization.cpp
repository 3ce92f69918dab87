// SPDX-License-Identifier: Apache-2.0
//
// BatchNormalization: mean and variance of each channel over all rows and positions of the batch,
// so the rows meet before forward and before backward. Blocks' means and squares are joined in
// their order (Chan, Golub, LeVeque 1979).
//
// The moving statistics' next values, momentum * old + (1 - momentum) * the batch's (its variance
// is the mean of squares, without Bessel's correction), wait in the step's buffer for write_state.
// Predictions use the moving statistics.
#include <algorithm>
#include <cmath>

#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

template <class S>
class BatchNormalizationOperation final : public Operation<S> {
 public:
  explicit BatchNormalizationOperation(const BatchNormalizationStep& step)
      : step_(step), channels_(step.extent.channels) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(step_.extent); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(step_.extent); }
  bool has_parameters() const override { return true; }
  bool meets() const override { return true; }
  std::size_t block_scratch() const override { return 2 * channels_; }
  std::size_t step_scratch(std::size_t rows) const override {
    return (vectors + 2 * block_count(rows)) * channels_;
  }
  void gather(const Pass<S>& pass, const Block& block) const override;
  void meet(const Pass<S>& pass) const override;
  void forward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  void gather_gradient(const Pass<S>& pass, const Block& block) const override;
  void meet_gradient(const Pass<S>& pass) const override;
  void backward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  void write_state(const Pass<S>& pass, S* parameters) const override;

 private:
  // Vectors of channels in the step's buffer; behind them two for each block.
  enum Vector : std::size_t { mean, inverse, factor, shift, even, slant, next_mean, next_variance };
  static constexpr std::size_t vectors = 8;
  S* at(const Pass<S>& pass, std::size_t vector) const {
    return this->own_step(pass) + vector * channels_;
  }
  S* of_block(const Pass<S>& pass, std::size_t block, std::size_t which) const {
    return at(pass, vectors + 2 * block + which);
  }
  S gamma(const Pass<S>& pass, std::size_t c) const {
    return step_.gamma ? pass.parameters[*step_.gamma + c] : S{1};
  }
  S beta(const Pass<S>& pass, std::size_t c) const {
    return step_.beta ? pass.parameters[*step_.beta + c] : S{0};
  }
  Columns<S> columns(const S* mean_of_each) const {
    return {step_.extent.positions(), channels_, mean_of_each};
  }

  BatchNormalizationStep step_;
  std::size_t channels_ = 0;
};

template <class S>
void BatchNormalizationOperation<S>::gather(const Pass<S>& pass, const Block& block) const {
  S* means = of_block(pass, block.index, 0);
  S* squares = of_block(pass, block.index, 1);
  const std::size_t count = block.rows.count() * step_.extent.positions();
  pass.kernels->column_sums(pass.input(this->input_, block.rows.first), this->input_.activation.row,
                            channels_, block.rows.count(), step_.extent.positions(), channels_,
                            means, false);
  pass.kernels->scale(S{1} / static_cast<S>(count), means, channels_);
  for (std::size_t row = block.rows.first; row < block.rows.last; ++row) {
    pass.kernels->column_squares(columns(means), pass.input(this->input_, row), squares,
                                 row != block.rows.first);
  }
}

template <class S>
void BatchNormalizationOperation<S>::meet(const Pass<S>& pass) const {
  const S momentum = static_cast<S>(step_.momentum);
  const S* old_mean = pass.parameters + step_.mean;
  const S* old_variance = pass.parameters + step_.variance;
  for (std::size_t c = 0; c < channels_; ++c) {
    S together = 0, center = 0, squares = 0;
    for (std::size_t b = 0; b < block_count(pass.rows); ++b) {
      const S count =
          static_cast<S>(block_of(b, pass.rows).rows.count() * step_.extent.positions());
      const S apart = of_block(pass, b, 0)[c] - center;
      const S share = count / (together + count);
      squares += of_block(pass, b, 1)[c] + apart * apart * together * share;
      center += apart * share;
      together += count;
    }
    const S variance = squares / together;
    const S inverse_deviation = S{1} / std::sqrt(variance + static_cast<S>(step_.epsilon));
    at(pass, mean)[c] = center;
    at(pass, inverse)[c] = inverse_deviation;
    at(pass, factor)[c] = gamma(pass, c) * inverse_deviation;
    at(pass, shift)[c] = beta(pass, c);
    at(pass, next_mean)[c] = momentum * old_mean[c] + (S{1} - momentum) * center;
    at(pass, next_variance)[c] = momentum * old_variance[c] + (S{1} - momentum) * variance;
  }
}

template <class S>
void BatchNormalizationOperation<S>::forward(const Pass<S>& pass, Rows rows,
                                             const Block& block) const {
  const S* centers = pass.parameters + step_.mean;
  const S* factors = pass.scratch_of(block.index);
  const S* shifts = factors + channels_;
  if (pass.training) {
    centers = at(pass, mean);
    factors = at(pass, factor);
    shifts = at(pass, shift);
  } else {
    S* scratch = pass.scratch_of(block.index);
    for (std::size_t c = 0; c < channels_; ++c) {
      const S variance = pass.parameters[step_.variance + c];
      scratch[c] = gamma(pass, c) / std::sqrt(variance + static_cast<S>(step_.epsilon));
      scratch[channels_ + c] = beta(pass, c);
    }
  }
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    pass.kernels->normalize_columns(columns(centers), pass.input(this->input_, row), factors,
                                    shifts, pass.output(this->output_, row));
  }
}

template <class S>
void BatchNormalizationOperation<S>::gather_gradient(const Pass<S>& pass,
                                                     const Block& block) const {
  pass.kernels->column_sums(pass.gradient_of(this->output_, block.rows.first),
                            this->output_.gradient.row, channels_, block.rows.count(),
                            step_.extent.positions(), channels_, of_block(pass, block.index, 0),
                            false);
  for (std::size_t row = block.rows.first; row < block.rows.last; ++row) {
    pass.kernels->column_products(columns(at(pass, mean)), pass.gradient_of(this->output_, row),
                                  pass.input(this->input_, row), of_block(pass, block.index, 1),
                                  row != block.rows.first);
  }
}

template <class S>
void BatchNormalizationOperation<S>::meet_gradient(const Pass<S>& pass) const {
  const S count = static_cast<S>(pass.rows * step_.extent.positions());
  for (std::size_t c = 0; c < channels_; ++c) {
    S gradients = 0, products = 0;
    for (std::size_t b = 0; b < block_count(pass.rows); ++b) {
      gradients += of_block(pass, b, 0)[c];
      products += of_block(pass, b, 1)[c];
    }
    const S inverse_deviation = at(pass, inverse)[c];
    at(pass, even)[c] = gradients / count;
    at(pass, slant)[c] = products * inverse_deviation * inverse_deviation / count;
    if (step_.gamma) pass.gradient[*step_.gamma + c] = products * inverse_deviation;
    if (step_.beta) pass.gradient[*step_.beta + c] = gradients;
    pass.gradient[step_.mean + c] = S{0};
    pass.gradient[step_.variance + c] = S{0};
  }
}

template <class S>
void BatchNormalizationOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block&) const {
  if (!this->input_.wants_gradient) return;
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    pass.kernels->normalize_columns_gradient(columns(at(pass, mean)), pass.input(this->input_, row),
                                             pass.gradient_of(this->output_, row), at(pass, factor),
                                             at(pass, even), at(pass, slant),
                                             pass.gradient_of(this->input_, row));
  }
}

template <class S>
void BatchNormalizationOperation<S>::write_state(const Pass<S>& pass, S* parameters) const {
  std::copy_n(at(pass, next_mean), channels_, parameters + step_.mean);
  std::copy_n(at(pass, next_variance), channels_, parameters + step_.variance);
}

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const BatchNormalizationStep& step) {
  return std::make_unique<BatchNormalizationOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const BatchNormalizationStep&);
template std::unique_ptr<Operation<double>> make_operation(const BatchNormalizationStep&);

}  // namespace entente::engine
