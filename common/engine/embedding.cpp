// SPDX-License-Identifier: Apache-2.0
//
// Embedding and position embeddings: rows of a table.
#include <algorithm>

#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

// Tasks of a table's gradient: token k is task k modulo this, since tokens are often numbered by
// how frequent they are.
constexpr std::size_t table_tasks = 8;
constexpr std::size_t position_task_size = 4096;

template <class S>
class EmbeddingOperation final : public Operation<S> {
 public:
  explicit EmbeddingOperation(const EmbeddingStep& step)
      : step_(step), tokens_(step.input.count()) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(step_.input); }
  Layout output_gradient_layout(bool) const override {
    // Tokens of one axis are a row of channels; they become steps.
    const bool row = step_.input.height == 1 && step_.input.width == 1;
    return Layout::tight(
        {row ? 1 : step_.input.width, row ? tokens_ : step_.input.channels, step_.size});
  }
  bool has_parameters() const override { return true; }
  void forward(const Pass<S>& pass, Rows rows, const Block&) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      S* to = pass.output(this->output_, row);
      for (std::size_t t = 0; t < tokens_; ++t, to += step_.size)
        std::copy_n(pass.parameters + step_.table + token(pass, row, t) * step_.size, step_.size,
                    to);
    }
  }
  void backward(const Pass<S>&, Rows, const Block&) const override {}
  std::size_t gradient_tasks(std::size_t) const override { return table_tasks; }
  void gradient(const Pass<S>& pass, std::size_t task) const override {
    S* table = pass.gradient + step_.table;
    for (std::size_t k = task; k < step_.vocabulary; k += table_tasks)
      std::fill_n(table + k * step_.size, step_.size, S{0});
    for (std::size_t row = 0; row < pass.rows; ++row) {
      const S* from = pass.gradient_of(this->output_, row);
      for (std::size_t t = 0; t < tokens_; ++t, from += step_.size) {
        const std::size_t k = token(pass, row, t);
        if (k % table_tasks == task) pass.kernels->add(from, table + k * step_.size, step_.size);
      }
    }
  }

 private:
  std::size_t token(const Pass<S>& pass, std::size_t row, std::size_t t) const {
    return static_cast<std::size_t>(pass.input(this->input_, row)[t]);
  }
  EmbeddingStep step_;
  std::size_t tokens_ = 0;
};

template <class S>
class PositionOperation final : public Operation<S> {
 public:
  explicit PositionOperation(const PositionStep& step) : step_(step), count_(step.extent.count()) {}
  Layout input_layout(std::size_t) const override { return Layout::tight(step_.extent); }
  Layout output_gradient_layout(bool) const override { return Layout::tight(step_.extent); }
  bool has_parameters() const override { return true; }
  void forward(const Pass<S>& pass, Rows rows, const Block&) const override {
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      S* to = pass.output(this->output_, row);
      std::copy_n(pass.parameters + step_.table, count_, to);
      if (step_.adds) pass.kernels->add(pass.input(this->input_, row), to, count_);
    }
  }
  void backward(const Pass<S>& pass, Rows rows, const Block&) const override {
    if (!step_.adds || !this->input_.wants_gradient) return;
    for (std::size_t row = rows.first; row < rows.last; ++row) {
      std::copy_n(pass.gradient_of(this->output_, row), count_,
                  pass.gradient_of(this->input_, row));
    }
  }
  std::size_t gradient_tasks(std::size_t) const override {
    return (step_.table_count + position_task_size - 1) / position_task_size;
  }
  // Steps beyond the sequence have no gradient.
  void gradient(const Pass<S>& pass, std::size_t task) const override {
    const std::size_t first = task * position_task_size;
    const std::size_t last = std::min(first + position_task_size, step_.table_count);
    const std::size_t used = std::clamp(count_, first, last);
    S* to = pass.gradient + step_.table;
    std::fill(to + used, to + last, S{0});
    if (used == first) return;
    pass.kernels->column_sums(pass.gradient_of(this->output_, 0) + first, 0,
                              this->output_.gradient.row, 1, pass.rows, used - first, to + first,
                              false);
  }

 private:
  PositionStep step_;
  std::size_t count_ = 0;
};

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const EmbeddingStep& step) {
  return std::make_unique<EmbeddingOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const EmbeddingStep&);
template std::unique_ptr<Operation<double>> make_operation(const EmbeddingStep&);

template <class S>
std::unique_ptr<Operation<S>> make_operation(const PositionStep& step) {
  return std::make_unique<PositionOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const PositionStep&);
template std::unique_ptr<Operation<double>> make_operation(const PositionStep&);

}  // namespace entente::engine
