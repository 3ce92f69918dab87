// SPDX-License-Identifier: Apache-2.0
//
// The heart of MultiHeadAttention: for each head, softmax(q k' / sqrt(key size)) v. A step that is
// masked, or has nobody to look at, gets zeros.
#include <algorithm>
#include <cmath>
#include <limits>

#include "common/engine/operation.hpp"

namespace entente::engine {
namespace {

// Causal: queries are worked on in bands of so many, with the keys that their last one sees; the
// maps have no meaning beyond these.
constexpr std::size_t band_size = 32;

template <class S>
class AttentionOperation final : public Operation<S> {
 public:
  explicit AttentionOperation(const AttentionStep& step)
      : step_(step),
        keys_(step.heads * step.key_size),
        values_(step.heads * step.value_size),
        scale_(static_cast<S>(1.0 / std::sqrt(static_cast<double>(step.key_size)))) {}
  Layout input_layout(std::size_t input) const override {
    if (input == 0) return Layout::tight({1, step_.steps, keys_});
    return Layout::tight({1, step_.others, input == 1 ? keys_ : values_});
  }
  Layout output_gradient_layout(bool) const override {
    return Layout::tight({1, step_.steps, values_});
  }
  // The probabilities [heads, steps, others].
  std::size_t row_scratch(Purpose) const override { return step_.heads * map_size(); }
  // A head's keys or values transposed, and the gradient by its probabilities.
  std::size_t block_scratch() const override { return transposed_size() + map_size(); }
  void forward(const Pass<S>& pass, Rows rows, const Block& block) const override;
  void backward(const Pass<S>& pass, Rows rows, const Block& block) const override;

 private:
  std::size_t map_size() const { return step_.steps * step_.others; }
  std::size_t transposed_size() const {
    const std::size_t size = std::max(step_.key_size, step_.value_size) * step_.others;
    return (size + row_alignment - 1) / row_alignment * row_alignment;
  }
  S* map_of(const Pass<S>& pass, std::size_t row, std::size_t head) const {
    return this->own_row(pass, row) + head * map_size();
  }
  bool looks_at(const Pass<S>& pass, std::size_t row, std::size_t other) const {
    return (!step_.key_mask || pass.counts(*step_.key_mask, row, other)) &&
           (!step_.value_mask || pass.counts(*step_.value_mask, row, other));
  }
  // Calls each(first, last, seen) for the bands of queries; their keys are [0, seen).
  template <class Each>
  void for_each_band(const Each& each) const {
    const std::size_t size = step_.causal ? band_size : step_.steps;
    for (std::size_t first = 0; first < step_.steps; first += size) {
      const std::size_t last = std::min(first + size, step_.steps);
      each(first, last, step_.causal ? std::min(first + size, step_.others) : step_.others);
    }
  }
  // to [steps, others] = a (a head's [steps, size]) times b' (a head's [others, size])
  void compare(const Pass<S>& pass, const S* a, const S* b, std::size_t distance, std::size_t size,
               S* transposed, S* to) const;
  // to (a head's [steps, size]) = map times from (a head's [others, size])
  void mix(const Pass<S>& pass, const S* map, const S* from, std::size_t distance, std::size_t size,
           S* to) const;
  // to (a head's [others, size]) = map' times from (a head's [steps, size])
  void mix_back(const Pass<S>& pass, const S* map, const S* from, std::size_t distance,
                std::size_t size, S* to) const;
  void weigh(const Pass<S>& pass, std::size_t row, S* map) const;
  void head_gradient(const Pass<S>& pass, std::size_t row, std::size_t head, S* scratch) const;

  AttentionStep step_;
  std::size_t keys_ = 0, values_ = 0;  // of all heads
  S scale_;
};

template <class S>
void AttentionOperation<S>::compare(const Pass<S>& pass, const S* a, const S* b,
                                    std::size_t distance, std::size_t size, S* transposed,
                                    S* to) const {
  pass.kernels->transpose(b, distance, transposed, step_.others, step_.others, size);
  Product<S> product;
  product.a_row = distance;
  product.a_step = 1;
  product.b = transposed;
  product.b_step = step_.others;
  product.c_row = step_.others;
  product.steps = size;
  for_each_band([&](std::size_t first, std::size_t last, std::size_t seen) {
    product.a = a + first * distance;
    product.c = to + first * step_.others;
    product.rows = last - first;
    product.columns = seen;
    pass.kernels->product(product);
  });
}

template <class S>
void AttentionOperation<S>::mix(const Pass<S>& pass, const S* map, const S* from,
                                std::size_t distance, std::size_t size, S* to) const {
  Product<S> product;
  product.a_row = step_.others;
  product.a_step = 1;
  product.b = from;
  product.b_step = distance;
  product.c_row = distance;
  product.columns = size;
  for_each_band([&](std::size_t first, std::size_t last, std::size_t seen) {
    product.a = map + first * step_.others;
    product.c = to + first * distance;
    product.rows = last - first;
    product.steps = seen;
    pass.kernels->product(product);
  });
}

// A band of keys at a time, with the queries that see it.
template <class S>
void AttentionOperation<S>::mix_back(const Pass<S>& pass, const S* map, const S* from,
                                     std::size_t distance, std::size_t size, S* to) const {
  Product<S> product;
  product.a_row = 1;
  product.a_step = step_.others;
  product.b_step = distance;
  product.c_row = distance;
  product.columns = size;
  const std::size_t band = step_.causal ? band_size : step_.others;
  for (std::size_t first = 0; first < step_.others; first += band) {
    const std::size_t unseen = step_.causal ? std::min(first, step_.steps) : 0;
    product.a = map + unseen * step_.others + first;
    product.b = from + unseen * distance;
    product.c = to + first * distance;
    product.rows = std::min(band, step_.others - first);
    product.steps = step_.steps - unseen;
    if (product.steps > 0) {
      pass.kernels->product(product);
      continue;
    }
    for (std::size_t i = 0; i < product.rows; ++i)
      std::fill_n(product.c + i * distance, size, S{0});
  }
}

// Scores become probabilities.
template <class S>
void AttentionOperation<S>::weigh(const Pass<S>& pass, std::size_t row, S* map) const {
  const bool masked = step_.key_mask || step_.value_mask;
  const auto weigh_one = [&](std::size_t i, std::size_t end) {
    std::size_t seen = step_.causal ? std::min(i + 1, step_.others) : step_.others;
    std::size_t allowed = seen;
    pass.kernels->scale(scale_, map, seen);
    for (std::size_t j = 0; masked && j < seen; ++j) {
      if (looks_at(pass, row, j)) continue;
      map[j] = std::numeric_limits<S>::lowest() / 2;
      --allowed;
    }
    if (step_.query_mask && !pass.counts(*step_.query_mask, row, i)) allowed = 0;
    if (allowed == 0) seen = 0;
    if (seen > 0) pass.kernels->softmax(map, seen, map);
    for (std::size_t j = 0; masked && j < seen; ++j) {
      if (!looks_at(pass, row, j)) map[j] = S{0};
    }
    std::fill(map + seen, map + end, S{0});
    map += step_.others;
  };
  for_each_band([&](std::size_t first, std::size_t last, std::size_t end) {
    for (std::size_t i = first; i < last; ++i) weigh_one(i, end);
  });
}

template <class S>
void AttentionOperation<S>::forward(const Pass<S>& pass, Rows rows, const Block& block) const {
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    const S* query = pass.input(this->inputs_[0], row);
    const S* key = pass.input(this->inputs_[1], row);
    const S* value = pass.input(this->inputs_[2], row);
    S* to = pass.output(this->output_, row);
    for (std::size_t head = 0; head < step_.heads; ++head) {
      S* map = map_of(pass, row, head);
      compare(pass, query + head * step_.key_size, key + head * step_.key_size, keys_,
              step_.key_size, pass.scratch_of(block.index), map);
      weigh(pass, row, map);
      mix(pass, map, value + head * step_.value_size, values_, step_.value_size,
          to + head * step_.value_size);
    }
  }
}

// With P the probabilities: dv = P' dy; dP = dy v'; dS = softmax's gradient; dq = dS k, dk = dS' q,
// both scaled.
template <class S>
void AttentionOperation<S>::head_gradient(const Pass<S>& pass, std::size_t row, std::size_t head,
                                          S* scratch) const {
  const std::size_t key_at = head * step_.key_size, value_at = head * step_.value_size;
  const S* gradient = pass.gradient_of(this->output_, row) + value_at;
  const S* map = map_of(pass, row, head);
  S* scores = scratch + transposed_size();
  if (this->inputs_[2].wants_gradient) {
    mix_back(pass, map, gradient, values_, step_.value_size,
             pass.gradient_of(this->inputs_[2], row) + value_at);
  }
  compare(pass, gradient, pass.input(this->inputs_[2], row) + value_at, values_, step_.value_size,
          scratch, scores);
  for_each_band([&](std::size_t first, std::size_t last, std::size_t seen) {
    for (std::size_t i = first; i < last; ++i) {
      S* line = scores + i * step_.others;
      pass.kernels->softmax_gradient(map + i * step_.others, line, seen, line);
      pass.kernels->scale(scale_, line, seen);
    }
  });
  if (this->inputs_[0].wants_gradient) {
    mix(pass, scores, pass.input(this->inputs_[1], row) + key_at, keys_, step_.key_size,
        pass.gradient_of(this->inputs_[0], row) + key_at);
  }
  if (this->inputs_[1].wants_gradient) {
    mix_back(pass, scores, pass.input(this->inputs_[0], row) + key_at, keys_, step_.key_size,
             pass.gradient_of(this->inputs_[1], row) + key_at);
  }
}

template <class S>
void AttentionOperation<S>::backward(const Pass<S>& pass, Rows rows, const Block& block) const {
  for (std::size_t row = rows.first; row < rows.last; ++row) {
    for (std::size_t head = 0; head < step_.heads; ++head)
      head_gradient(pass, row, head, pass.scratch_of(block.index));
  }
}

}  // namespace

template <class S>
std::unique_ptr<Operation<S>> make_operation(const AttentionStep& step) {
  return std::make_unique<AttentionOperation<S>>(step);
}
template std::unique_ptr<Operation<float>> make_operation(const AttentionStep&);
template std::unique_ptr<Operation<double>> make_operation(const AttentionStep&);

}  // namespace entente::engine
