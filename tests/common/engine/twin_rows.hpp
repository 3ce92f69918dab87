// SPDX-License-Identifier: Apache-2.0
//
// The twin's dense layer, and its layers that move, join and normalise values.
#pragma once

#include "tests/common/engine/twin_values.hpp"

namespace entente::engine::twin {

inline Values on(const Context& of, const Dense& layer, const std::vector<Values>& inputs) {
  return activate(product(of, inputs[0], layer.units, "kernel", layer.use_bias ? "bias" : ""),
                  layer.activation);
}
inline Values on(const Context&, const Flatten&, const std::vector<Values>& inputs) {
  return {{inputs[0].rows.front().size()}, inputs[0].rows, {}};
}
inline Values on(const Context&, const Reshape& layer, const std::vector<Values>& inputs) {
  Shape shape = layer.shape;
  for (std::uint64_t& size : shape) {
    std::uint64_t rest = 1;
    for (const std::uint64_t other : shape) rest *= std::max<std::uint64_t>(other, 1);
    if (size == 0) size = inputs[0].rows.front().size() / rest;
  }
  return {shape, inputs[0].rows, {}};
}
inline Values on(const Context&, const Permute& layer, const std::vector<Values>& inputs) {
  const Shape& from = inputs[0].shape;
  Values output{{}, {}, {}};
  for (const std::uint64_t axis : layer.axes) output.shape.push_back(from[axis - 1]);
  for (const Row& row : inputs[0].rows) {
    Row& to = output.rows.emplace_back(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::vector<std::size_t> at(from.size());
      std::size_t rest = i, place = 0;
      for (std::size_t axis = from.size(); axis-- > 0; rest /= from[axis])
        at[axis] = rest % from[axis];
      for (std::size_t axis = 0; axis < from.size(); ++axis)
        place = place * output.shape[axis] + at[layer.axes[axis] - 1];
      to[place] = row[i];
    }
  }
  return output;
}
inline Values on(const Context&, const ActivationLayer& layer, const std::vector<Values>& inputs) {
  return activate(inputs[0], layer.activation, layer.slope);
}
inline Values on(const Context&, const Dropout&, const std::vector<Values>& inputs) {
  return inputs[0];
}
inline std::vector<std::vector<bool>> joined_mask(const std::vector<Values>& inputs,
                                                  MergeMask rule) {
  std::vector<std::vector<bool>> mask;
  std::size_t masked = 0;
  for (const Values& input : inputs) {
    if (input.mask.empty()) continue;
    mask = input.mask;
    ++masked;
  }
  const bool stays = rule == MergeMask::any || (rule == MergeMask::all && masked == inputs.size());
  return stays ? mask : std::vector<std::vector<bool>>{};
}
template <class Join>
inline Values join(const std::vector<Values>& inputs, MergeMask rule, const Join& joined) {
  Values output = inputs[0];
  output.mask = joined_mask(inputs, rule);
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    for (std::size_t r = 0; r < output.rows.size(); ++r) {
      for (std::size_t k = 0; k < output.rows[r].size(); ++k)
        output.rows[r][k] = joined(output.rows[r][k], inputs[i].rows[r][k]);
    }
  }
  return output;
}
inline Values on(const Context&, const Add& layer, const std::vector<Values>& inputs) {
  return join(inputs, layer.mask, [](double a, double b) { return a + b; });
}
inline Values on(const Context&, const Multiply& layer, const std::vector<Values>& inputs) {
  return join(inputs, layer.mask, [](double a, double b) { return a * b; });
}
inline Values on(const Context&, const Concatenate& layer, const std::vector<Values>& inputs) {
  Values output{inputs[0].shape, {}, joined_mask(inputs, layer.mask)};
  output.shape.back() = 0;
  for (const Values& input : inputs) {
    output.shape.back() += input.last();
  }
  for (std::size_t r = 0; r < inputs[0].rows.size(); ++r) {
    Row& to = output.rows.emplace_back();
    for (std::size_t p = 0; p < inputs[0].positions(); ++p) {
      for (const Values& input : inputs) {
        for (std::size_t c = 0; c < input.last(); ++c)
          to.push_back(input.rows[r][p * input.last() + c]);
      }
    }
  }
  return output;
}
inline Values on(const Context& of, const BatchNormalization& layer,
                 const std::vector<Values>& inputs) {
  Values output = inputs[0];
  for (std::size_t c = 0; c < output.last(); ++c) {
    double mean = of.weight("moving_mean", c), variance = of.weight("moving_variance", c);
    if (of.training) {
      double count = 0;
      mean = variance = 0;
      const auto each = [&](const auto& use) {
        for (const Row& row : inputs[0].rows) {
          for (std::size_t i = c; i < row.size(); i += output.last()) use(row[i]);
        }
      };
      each([&](double x) { mean += x, count += 1; });
      mean /= count;
      each([&](double x) { variance += (x - mean) * (x - mean) / count; });
    }
    for (Row& row : output.rows) {
      for (std::size_t i = c; i < row.size(); i += output.last()) {
        row[i] = (row[i] - mean) / std::sqrt(variance + layer.epsilon);
        if (layer.scale) row[i] *= of.weight("gamma", c);
        if (layer.center) row[i] += of.weight("beta", c);
      }
    }
  }
  return output;
}
template <class Layer>
inline Values normalize(const Context& of, const Layer& layer, Values values, std::size_t groups,
                        bool by_position) {
  const std::size_t channels = values.last();
  const auto set_of = [&](std::size_t i) {
    return by_position ? i / channels : i % channels / (channels / groups);
  };
  for (Row& row : values.rows) {
    const Row x = row;
    for (std::size_t i = 0; i < row.size(); ++i) {
      double mean = 0, variance = 0, count = 0;
      for (std::size_t k = 0; k < x.size(); ++k) {
        if (set_of(k) == set_of(i)) mean += x[k], count += 1;
      }
      mean /= count;
      for (std::size_t k = 0; k < x.size(); ++k) {
        if (set_of(k) == set_of(i)) variance += (x[k] - mean) * (x[k] - mean) / count;
      }
      row[i] = (x[i] - mean) / std::sqrt(variance + layer.epsilon);
      if (layer.scale) row[i] *= of.weight("gamma", i % channels);
      if (layer.center) row[i] += of.weight("beta", i % channels);
    }
  }
  return values;
}
inline Values on(const Context& of, const LayerNormalization& layer,
                 const std::vector<Values>& inputs) {
  return normalize(of, layer, inputs[0], 1, true);
}
inline Values on(const Context& of, const GroupNormalization& layer,
                 const std::vector<Values>& inputs) {
  return normalize(of, layer, inputs[0], layer.groups == 0 ? inputs[0].last() : layer.groups,
                   false);
}

}  // namespace entente::engine::twin
