// SPDX-License-Identifier: Apache-2.0
//
// The twin's embeddings, recurrent layers and attention.
#pragma once

#include "tests/common/engine/twin_rows.hpp"

namespace entente::engine::twin {

inline Values on(const Context& of, const Embedding& layer, const std::vector<Values>& inputs) {
  Values output{inputs[0].shape, {}, {}};
  output.shape.push_back(layer.size);
  for (const Row& row : inputs[0].rows) {
    Row& to = output.rows.emplace_back();
    std::vector<bool> counts;
    for (const double token : row) {
      counts.push_back(token != 0);
      for (std::size_t i = 0; i < layer.size; ++i)
        to.push_back(of.weight("embeddings", static_cast<std::size_t>(token) * layer.size + i));
    }
    if (layer.mask_zero) output.mask.push_back(counts);
  }
  return output;
}
inline Values on(const Context& of, const PositionEmbedding& layer,
                 const std::vector<Values>& inputs) {
  Values output = inputs[0];
  if (!layer.adds) output.mask.clear();
  for (Row& row : output.rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      row[i] = (layer.adds ? row[i] : 0) + of.weight("embeddings", i);
  }
  return output;
}

// One cell's step: h, c become what they are behind x.
inline void advance(const Context& of, const Recurrent& layer, const std::string& prefix,
                    const Row& x, Row& h, Row& c) {
  const std::size_t n = layer.units;
  const std::size_t gates =
      layer.cell == Recurrent::Cell::simple ? 1 : (layer.cell == Recurrent::Cell::lstm ? 4 : 3);
  const bool gru = layer.cell == Recurrent::Cell::gru;
  const auto bias = [&](std::size_t at) {
    return layer.use_bias ? of.weight(prefix + "bias", at) : 0;
  };
  const auto from_input = [&](std::size_t gate, std::size_t u) {
    double sum = bias(gate * n + u);
    for (std::size_t i = 0; i < x.size(); ++i)
      sum += x[i] * of.weight(prefix + "kernel", i * gates * n + gate * n + u);
    return sum;
  };
  const auto from_state = [&](std::size_t gate, std::size_t u) {
    double sum = gru ? bias(gates * n + gate * n + u) : 0;
    for (std::size_t i = 0; i < n; ++i)
      sum += h[i] * of.weight(prefix + "recurrent_kernel", i * gates * n + gate * n + u);
    return sum;
  };
  const auto both = [&](std::size_t gate, std::size_t u) {
    return from_input(gate, u) + from_state(gate, u);
  };
  Row next_h(n), next_c(n);
  for (std::size_t u = 0; u < n; ++u) {
    if (layer.cell == Recurrent::Cell::simple) {
      const double a = both(0, u);
      next_h[u] = layer.activation == Activation::tanh   ? std::tanh(a)
                  : layer.activation == Activation::relu ? std::max(a, 0.0)
                                                         : a;
    } else if (gru) {
      const double z = sigmoid(both(0, u)), r = sigmoid(both(1, u));
      const double candidate = std::tanh(from_input(2, u) + r * from_state(2, u));
      next_h[u] = z * h[u] + (1 - z) * candidate;
    } else {
      next_c[u] = sigmoid(both(1, u)) * c[u] + sigmoid(both(0, u)) * std::tanh(both(2, u));
      next_h[u] = sigmoid(both(3, u)) * std::tanh(next_c[u]);
    }
  }
  h = next_h;
  c = next_c;
}
// Keras' outputs: in the order in which the steps were taken.
inline Values walk(const Context& of, const Recurrent& layer, const std::string& prefix,
                   const Values& input) {
  const std::size_t steps = input.shape[0], features = input.shape[1];
  Values output{{layer.units}, {}, {}};
  if (layer.return_sequences) {
    output.shape.insert(output.shape.begin(), steps);
    output.mask = input.mask;
  }
  for (std::size_t r = 0; r < input.rows.size(); ++r) {
    Row h(layer.units), c(layer.units);
    Row& to = output.rows.emplace_back();
    for (std::size_t k = 0; k < steps; ++k) {
      const std::size_t t = layer.go_backwards ? steps - 1 - k : k;
      const auto first = input.rows[r].begin() + static_cast<std::ptrdiff_t>(t * features);
      const bool counts = input.mask.empty() || input.mask[r][t];
      if (counts)
        advance(of, layer, prefix, {first, first + static_cast<std::ptrdiff_t>(features)}, h, c);
      if (layer.return_sequences && layer.zero_masked && !counts) {
        to.insert(to.end(), layer.units, 0.0);
      } else if (layer.return_sequences || k + 1 == steps) {
        to.insert(to.end(), h.begin(), h.end());
      }
    }
  }
  return output;
}
inline Values on(const Context& of, const Recurrent& layer, const std::vector<Values>& inputs) {
  return walk(of, layer, "", inputs[0]);
}
inline Values on(const Context& of, const Bidirectional& layer, const std::vector<Values>& inputs) {
  Recurrent along = layer.layer;
  along.zero_masked = true;
  Recurrent back = along;
  back.go_backwards = true;
  Values one = walk(of, along, "forward_", inputs[0]), two = walk(of, back, "backward_", inputs[0]);
  if (back.return_sequences) {
    for (Row& row : two.rows) {
      Row turned;
      for (std::size_t t = back.units; t <= row.size(); t += back.units)
        turned.insert(turned.end(), row.end() - static_cast<std::ptrdiff_t>(t),
                      row.end() - static_cast<std::ptrdiff_t>(t - back.units));
      row = turned;
    }
  }
  switch (layer.merge) {
    case Bidirectional::Merge::concatenate:
      return on(of, Concatenate{}, {one, two});
    case Bidirectional::Merge::sum:
      return join({one, two}, MergeMask::any, [](double a, double b) { return a + b; });
    case Bidirectional::Merge::multiply:
      return join({one, two}, MergeMask::any, [](double a, double b) { return a * b; });
    case Bidirectional::Merge::average:
      return join({one, two}, MergeMask::any, [](double a, double b) { return (a + b) / 2; });
  }
  return one;
}
inline Values on(const Context& of, const MultiHeadAttention& layer,
                 const std::vector<Values>& inputs) {
  const std::size_t heads = layer.heads, key_size = layer.key_size;
  const std::size_t value_size = layer.value_size == 0 ? key_size : layer.value_size;
  const auto named = [&](const std::string& name) { return layer.use_bias ? name : ""; };
  const Values q = product(of, inputs[0], heads * key_size, "query_kernel", named("query_bias"));
  const Values k = product(of, inputs.back(), heads * key_size, "key_kernel", named("key_bias"));
  const Values v = product(of, inputs[1], heads * value_size, "value_kernel", named("value_bias"));
  Values mixed{{q.shape[0], heads * value_size}, {}, q.mask};
  for (std::size_t r = 0; r < q.rows.size(); ++r) {
    Row& to = mixed.rows.emplace_back();
    for (std::size_t i = 0; i < q.shape[0]; ++i) {
      for (std::size_t head = 0; head < heads; ++head) {
        Row shares;
        double sum = 0;
        for (std::size_t j = 0; j < k.shape[0]; ++j) {
          double score = 0;
          for (std::size_t d = 0; d < key_size; ++d) {
            score += q.rows[r][i * q.last() + head * key_size + d] *
                     k.rows[r][j * k.last() + head * key_size + d];
          }
          const bool hidden = (layer.causal && j > i) || (!q.mask.empty() && !q.mask[r][i]) ||
                              (!k.mask.empty() && !k.mask[r][j]) ||
                              (!v.mask.empty() && !v.mask[r][j]);
          shares.push_back(hidden ? 0 : std::exp(score / std::sqrt(static_cast<double>(key_size))));
          sum += shares.back();
        }
        for (std::size_t d = 0; d < value_size; ++d) {
          double value = 0;
          for (std::size_t j = 0; j < k.shape[0]; ++j) {
            if (sum > 0) value += shares[j] / sum * v.rows[r][j * v.last() + head * value_size + d];
          }
          to.push_back(value);
        }
      }
    }
  }
  const std::size_t outputs = layer.outputs == 0 ? inputs[0].last() : layer.outputs;
  return product(of, mixed, outputs, "output_kernel", named("output_bias"));
}

}  // namespace entente::engine::twin
