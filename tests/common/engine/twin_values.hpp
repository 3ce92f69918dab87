// SPDX-License-Identifier: Apache-2.0
//
// What the twin's layers work on, activations, and a product with a kernel.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "common/engine/layers.hpp"
#include "common/tensor/layout.hpp"

namespace entente::engine::twin {

using Row = std::vector<double>;
struct Values {
  Shape shape;
  std::vector<Row> rows;
  std::vector<std::vector<bool>> mask;  // [rows][steps], true where a step counts; or empty

  std::size_t last() const { return shape.back(); }
  std::size_t positions() const { return rows.front().size() / last(); }
};

// What a layer knows beside its inputs.
struct Context {
  const tensor::ParameterLayout& layout;
  std::span<const double> parameters;
  bool training = false;  // statistics of the batch
  std::string name;       // the layer's

  double weight(const std::string& tensor, std::size_t index) const {
    for (const auto& entry : layout.tensors()) {
      if (entry.name == name + "/" + tensor) return parameters[entry.offset + index];
    }
    BOOST_FAIL("no tensor " << name << "/" << tensor);
    return 0;
  }
};

inline double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
inline Row softmax(Row row) {
  const double greatest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& x : row) sum += x = std::exp(x - greatest);
  for (double& x : row) x /= sum;
  return row;
}
inline Values activate(Values values, Activation activation, double slope) {
  for (Row& row : values.rows) {
    if (activation == Activation::softmax) {
      for (std::size_t at = 0; at < row.size(); at += values.last()) {
        const auto first = row.begin() + static_cast<std::ptrdiff_t>(at);
        const auto end = first + static_cast<std::ptrdiff_t>(values.last());
        const Row part = softmax({first, end});
        std::copy(part.begin(), part.end(), first);
      }
      continue;
    }
    for (double& x : row) {
      switch (activation) {
        case Activation::relu:
          x = std::max(x, 0.0);
          break;
        case Activation::tanh:
          x = std::tanh(x);
          break;
        case Activation::sigmoid:
          x = sigmoid(x);
          break;
        case Activation::gelu:
          x = 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
          break;
        case Activation::swish:
          x = x * sigmoid(x);
          break;
        case Activation::elu:
          x = x > 0 ? x : slope * (std::exp(x) - 1);
          break;
        case Activation::leaky_relu:
          x = x < 0 ? slope * x : x;
          break;
        default:
          break;
      }
    }
  }
  return values;
}

inline Values activate(Values values, Activation activation) {
  return activate(std::move(values), activation, usual_slope(activation));
}

inline Values product(const Context& of, const Values& input, std::size_t units,
                      const std::string& kernel, const std::string& bias) {
  Values output{input.shape, {}, input.mask};
  output.shape.back() = units;
  for (const Row& row : input.rows) {
    Row& to = output.rows.emplace_back();
    for (std::size_t p = 0; p < input.positions(); ++p) {
      for (std::size_t u = 0; u < units; ++u) {
        double sum = bias.empty() ? 0 : of.weight(bias, u);
        for (std::size_t i = 0; i < input.last(); ++i)
          sum += row[p * input.last() + i] * of.weight(kernel, i * units + u);
        to.push_back(sum);
      }
    }
  }
  return output;
}

}  // namespace entente::engine::twin
