// SPDX-License-Identifier: Apache-2.0
//
// LayerNormalization and GroupNormalization: each example by itself. The gradients of gamma and
// beta are summed for each block of rows as they go backward, then over the blocks.
#include <algorithm>

#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

template <class S>
class NormalizationOperation final : public Operation<S> {
 public:
  explicit NormalizationOperation(const NormalizationStep& step) : step_(step) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(step_.extent); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(step_.extent); }
  bool has_parameters() const override { return step_.gamma || step_.beta; }
  // Mean and inverse deviation of each set.
  std::size_t row_scratch(Purpose) const override { return 2 * sets(); }
  std::size_t step_scratch(std::size_t rows) const override {
    return has_parameters() ? block_count(rows) * 2 * step_.extent.channels : 0;
  }
  void forward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  void backward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  std::size_t gradient_tasks(std::size_t) const override { return has_parameters() ? 1 : 0; }
  void gradient(const Pass<S>& pass, std::size_t task) const override;

 private:
  std::size_t sets() const { return step_.groups == 0 ? step_.extent.positions() : step_.groups; }
  // Where a set begins in a row, and in gamma and beta.
  std::size_t first_of(std::size_t set) const {
    const std::size_t channels = step_.extent.channels;
    return step_.groups == 0 ? set * channels : set * (channels / step_.groups);
  }
  std::size_t first_channel(std::size_t set) const { return step_.groups == 0 ? 0 : first_of(set); }
  NormalSet<S> set_of(const Pass<S>& pass, std::size_t set) const {
    NormalSet<S> normal;
    normal.stride = step_.extent.channels;
    normal.lines = step_.groups == 0 ? 1 : step_.extent.positions();
    normal.length = step_.groups == 0 ? normal.stride : normal.stride / step_.groups;
    normal.epsilon = static_cast<S>(step_.epsilon);
    if (step_.gamma) normal.gamma = pass.parameters + *step_.gamma + first_channel(set);
    if (step_.beta) normal.beta = pass.parameters + *step_.beta + first_channel(set);
    return normal;
  }
  NormalizationStep step_;
};

template <class S>
void NormalizationOperation<S>::forward(const Pass<S>& pass, Rows rows, const Block&) const {
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    S* moments = this->own_row(pass, row);
    for (std::size_t set = 0; set < sets(); ++set) {
      pass.kernels->normalize(set_of(pass, set), pass.input(this->input_, row) + first_of(set),
                              pass.output(this->output_, row) + first_of(set), moments + 2 * set);
    }
  }
}

template <class S>
void NormalizationOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block& block) const {
  const std::size_t channels = step_.extent.channels;
  S* gamma = nullptr;
  S* beta = nullptr;
  if (has_parameters()) {
    S* sums = this->own_step(pass) + block.index * 2 * channels;
    if (rows.first == block.rows.first) std::fill_n(sums, 2 * channels, S{0});
    gamma = step_.gamma ? sums : nullptr;
    beta = step_.beta ? sums + channels : nullptr;
  }
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    const S* moments = this->own_row(pass, row);
    for (std::size_t set = 0; set < sets(); ++set) {
      const std::size_t first = first_of(set), channel = first_channel(set);
      pass.kernels->normalize_gradient(
          set_of(pass, set), moments + 2 * set, pass.input(this->input_, row) + first,
          pass.gradient_of(this->output_, row) + first,
          this->input_.wants_gradient ? pass.gradient_of(this->input_, row) + first : nullptr,
          gamma == nullptr ? nullptr : gamma + channel, beta == nullptr ? nullptr : beta + channel);
    }
  }
}

template <class S>
void NormalizationOperation<S>::gradient(const Pass<S>& pass, std::size_t) const {
  const std::size_t channels = step_.extent.channels;
  const S* sums = this->own_step(pass);
  const auto sum = [&](std::size_t to, const S* from) {
    pass.kernels->column_sums(from, 0, 2 * channels, 1, block_count(pass.rows), channels,
                              pass.gradient + to, false);
  };
  if (step_.gamma) sum(*step_.gamma, sums);
  if (step_.beta) sum(*step_.beta, sums + channels);
}

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const NormalizationStep& step) {
  return std::make_unique<NormalizationOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const NormalizationStep&);
template std::unique_ptr<Operation<double>> make_operation(const NormalizationStep&);

}  // namespace entente::engine
