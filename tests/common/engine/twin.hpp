// SPDX-License-Identifier: Apache-2.0
//
// A second reading of the layers' definitions: plain loops over float64, one value at a time, for a
// whole model and batch. Slow, and written without a look at how the engine does it.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/engine/network.hpp"

namespace entente::engine {

class Twin {
 public:
  // The output's probabilities, row after row. `training`: as in a training step (statistics of the
  // batch), but nothing is dropped.
  Twin(const GraphSpec& graph, const tensor::ParameterLayout& layout,
       std::span<const double> parameters)
      : graph_(graph), layout_(layout), parameters_(parameters) {}

  std::vector<double> run(std::span<const double> features, std::size_t rows, bool training) {
    training_ = training;
    std::size_t feature_count = 0, first = 0;
    for (const InputSpec& input : graph_.inputs) feature_count += element_count(input.shape);
    for (const InputSpec& input : graph_.inputs) {
      Values values{input.shape, {}, {}};
      for (std::size_t row = 0; row < rows; ++row) {
        const auto part = features.subspan(row * feature_count + first, element_count(input.shape));
        values.rows.emplace_back(part.begin(), part.end());
      }
      first += element_count(input.shape);
      values_[input.name] = values;
    }
    Values last = values_.at(graph_.inputs.front().name);
    for (const LayerSpec& layer : graph_.layers) {
      std::vector<Values> inputs;
      for (const std::string& name : layer.inputs) inputs.push_back(values_.at(name));
      if (inputs.empty()) inputs.push_back(last);
      name_ = layer.name;
      last = std::visit([&](const auto& kind) { return on(kind, inputs); }, layer.kind);
      values_[layer.name] = last;
    }
    mask_ = last.mask;
    std::vector<double> result;
    for (const auto& row : last.rows) result.insert(result.end(), row.begin(), row.end());
    return result;
  }

  // Of what `run` gave last: Keras' mean over the steps that count.
  double loss(std::span<const double> probabilities, std::span<const std::uint32_t> labels,
              std::size_t classes) const {
    double sum = 0;
    std::size_t counted = 0;
    const std::size_t steps = mask_.empty() ? 1 : mask_.front().size();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] == no_label || (!mask_.empty() && !mask_[i / steps][i % steps])) continue;
      sum -= std::log(probabilities[i * classes + labels[i]]);
      ++counted;
    }
    return counted == 0 ? 0 : sum / static_cast<double>(counted);
  }

 private:
  using Row = std::vector<double>;
  struct Values {
    Shape shape;
    std::vector<Row> rows;
    std::vector<std::vector<bool>> mask;  // [rows][steps], true where a step counts; or empty

    std::size_t last() const { return shape.back(); }
    std::size_t positions() const { return rows.front().size() / last(); }
  };

  double weight(const std::string& tensor, std::size_t index) const {
    for (const auto& entry : layout_.tensors()) {
      if (entry.name == name_ + "/" + tensor) return parameters_[entry.offset + index];
    }
    BOOST_FAIL("no tensor " << name_ << "/" << tensor);
    return 0;
  }
  static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
  static Row softmax(Row row) {
    const double greatest = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (double& x : row) sum += x = std::exp(x - greatest);
    for (double& x : row) x /= sum;
    return row;
  }
  static Values activate(Values values, Activation activation) {
    return activate(std::move(values), activation, usual_slope(activation));
  }
  static Values activate(Values values, Activation activation, double slope) {
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

  Values on(const Dense& layer, const std::vector<Values>& inputs) {
    return activate(product(inputs[0], layer.units, "kernel", layer.use_bias ? "bias" : ""),
                    layer.activation);
  }
  Values product(const Values& input, std::size_t units, const std::string& kernel,
                 const std::string& bias) const {
    Values output{input.shape, {}, input.mask};
    output.shape.back() = units;
    for (const Row& row : input.rows) {
      Row& to = output.rows.emplace_back();
      for (std::size_t p = 0; p < input.positions(); ++p) {
        for (std::size_t u = 0; u < units; ++u) {
          double sum = bias.empty() ? 0 : weight(bias, u);
          for (std::size_t i = 0; i < input.last(); ++i)
            sum += row[p * input.last() + i] * weight(kernel, i * units + u);
          to.push_back(sum);
        }
      }
    }
    return output;
  }

  // A window over one image: the sizes, and where it begins for each output.
  struct Window {
    std::size_t height, width, channels, out_height, out_width;
    std::ptrdiff_t top, left;
    std::array<std::uint64_t, 2> size, strides;
  };
  static std::pair<std::size_t, std::ptrdiff_t> slide(std::size_t input, std::size_t window,
                                                      std::size_t stride, Padding padding) {
    if (padding == Padding::valid) return {(input - window) / stride + 1, 0};
    const std::size_t output = (input + stride - 1) / stride;
    if (padding == Padding::causal) return {output, static_cast<std::ptrdiff_t>(window) - 1};
    const auto total = static_cast<std::ptrdiff_t>((output - 1) * stride + window) -
                       static_cast<std::ptrdiff_t>(input);
    return {output, std::max<std::ptrdiff_t>(total, 0) / 2};
  }
  static Window window_of(const Shape& shape, std::array<std::uint64_t, 2> size,
                          std::array<std::uint64_t, 2> strides, Padding padding) {
    const bool line = shape.size() == 2;
    Window w{
        line ? 1 : shape[0], line ? shape[0] : shape[1], shape.back(), 1, 1, 0, 0, size, strides};
    if (!line) std::tie(w.out_height, w.top) = slide(w.height, size[0], strides[0], padding);
    std::tie(w.out_width, w.left) = slide(w.width, size[1], strides[1], padding);
    return w;
  }
  // Calls each(row, out y, out x) and within it tap(ky, kx, index of the input's pixel) for those
  // inside.
  template <class Each>
  static Values through(const Values& input, const Window& w, std::size_t outputs,
                        const Each& each) {
    Values output{{w.out_height, w.out_width, outputs}, {}, {}};
    if (input.shape.size() == 2) output.shape.erase(output.shape.begin());
    for (const Row& row : input.rows) {
      Row& to = output.rows.emplace_back();
      for (std::size_t oy = 0; oy < w.out_height; ++oy) {
        for (std::size_t ox = 0; ox < w.out_width; ++ox) {
          const auto taps = [&](const auto& tap) {
            for (std::size_t ky = 0; ky < w.size[0]; ++ky) {
              for (std::size_t kx = 0; kx < w.size[1]; ++kx) {
                const auto y = static_cast<std::ptrdiff_t>(oy * w.strides[0] + ky) - w.top;
                const auto x = static_cast<std::ptrdiff_t>(ox * w.strides[1] + kx) - w.left;
                if (y < 0 || x < 0 || y >= static_cast<std::ptrdiff_t>(w.height) ||
                    x >= static_cast<std::ptrdiff_t>(w.width))
                  continue;
                tap(ky * w.size[1] + kx,
                    (static_cast<std::size_t>(y) * w.width + static_cast<std::size_t>(x)) *
                        w.channels);
              }
            }
          };
          for (std::size_t f = 0; f < outputs; ++f) to.push_back(each(row, f, taps));
        }
      }
    }
    return output;
  }
  Values convolve(const Values& input, const Window& w, std::size_t filters, bool bias) const {
    return through(input, w, filters, [&](const Row& row, std::size_t f, const auto& taps) {
      double sum = bias ? weight("bias", f) : 0;
      taps([&](std::size_t tap, std::size_t pixel) {
        for (std::size_t c = 0; c < w.channels; ++c)
          sum += row[pixel + c] * weight("kernel", (tap * w.channels + c) * filters + f);
      });
      return sum;
    });
  }
  static Values pool(const Values& input, const Window& w, bool average) {
    return through(input, w, w.channels, [&](const Row& row, std::size_t c, const auto& taps) {
      double sum = 0, greatest = -std::numeric_limits<double>::infinity(), count = 0;
      taps([&](std::size_t, std::size_t pixel) {
        sum += row[pixel + c];
        greatest = std::max(greatest, row[pixel + c]);
        count += 1;
      });
      return average ? sum / count : greatest;
    });
  }
  Values on(const Conv2D& layer, const std::vector<Values>& inputs) {
    const Window w = window_of(inputs[0].shape, layer.kernel_size, layer.strides, layer.padding);
    return activate(convolve(inputs[0], w, layer.filters, layer.use_bias), layer.activation);
  }
  Values on(const Conv1D& layer, const std::vector<Values>& inputs) {
    const Window w =
        window_of(inputs[0].shape, {1, layer.kernel_size}, {1, layer.strides}, layer.padding);
    return activate(convolve(inputs[0], w, layer.filters, layer.use_bias), layer.activation);
  }
  Values on(const DepthwiseConv2D& layer, const std::vector<Values>& inputs) {
    const Window w = window_of(inputs[0].shape, layer.kernel_size, layer.strides, layer.padding);
    const std::size_t m = layer.depth_multiplier, outputs = w.channels * m;
    return activate(through(inputs[0], w, outputs,
                            [&](const Row& row, std::size_t f, const auto& taps) {
                              double sum = layer.use_bias ? weight("bias", f) : 0;
                              taps([&](std::size_t tap, std::size_t pixel) {
                                sum += row[pixel + f / m] * weight("kernel", tap * outputs + f);
                              });
                              return sum;
                            }),
                    layer.activation);
  }
  Values on(const MaxPooling2D& layer, const std::vector<Values>& inputs) {
    return pool(inputs[0],
                window_of(inputs[0].shape, layer.pool_size, layer.strides, layer.padding), false);
  }
  Values on(const AveragePooling2D& layer, const std::vector<Values>& inputs) {
    return pool(inputs[0],
                window_of(inputs[0].shape, layer.pool_size, layer.strides, layer.padding), true);
  }
  Values on(const Pooling1D& layer, const std::vector<Values>& inputs) {
    return pool(inputs[0],
                window_of(inputs[0].shape, {1, layer.pool_size}, {1, layer.strides}, layer.padding),
                layer.kind == Pooling1D::Kind::average);
  }
  Values on(const GlobalPooling& layer, const std::vector<Values>& inputs) {
    const Values& input = inputs[0];
    Values output{{input.last()}, {}, {}};
    if (layer.keep_dimensions) output.shape.insert(output.shape.begin(), layer.rank, 1);
    for (std::size_t r = 0; r < input.rows.size(); ++r) {
      Row& to = output.rows.emplace_back();
      for (std::size_t c = 0; c < input.last(); ++c) {
        double sum = 0, greatest = -std::numeric_limits<double>::infinity(), count = 0;
        for (std::size_t p = 0; p < input.positions(); ++p) {
          const double x = input.rows[r][p * input.last() + c];
          greatest = std::max(greatest, x);
          if (!input.mask.empty() && !input.mask[r][p]) continue;
          sum += x;
          count += 1;
        }
        const bool average = layer.kind == GlobalPooling::Kind::average;
        to.push_back(average ? (count == 0 ? 0 : sum / count) : greatest);
      }
    }
    return output;
  }
  Values on(const Flatten&, const std::vector<Values>& inputs) {
    return {{inputs[0].rows.front().size()}, inputs[0].rows, {}};
  }
  Values on(const Reshape& layer, const std::vector<Values>& inputs) {
    Shape shape = layer.shape;
    for (std::uint64_t& size : shape) {
      std::uint64_t rest = 1;
      for (const std::uint64_t other : shape) rest *= std::max<std::uint64_t>(other, 1);
      if (size == 0) size = inputs[0].rows.front().size() / rest;
    }
    return {shape, inputs[0].rows, {}};
  }
  Values on(const Permute& layer, const std::vector<Values>& inputs) {
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
  Values on(const ActivationLayer& layer, const std::vector<Values>& inputs) {
    return activate(inputs[0], layer.activation, layer.slope);
  }
  Values on(const Dropout&, const std::vector<Values>& inputs) { return inputs[0]; }
  template <class Join>
  static Values join(const std::vector<Values>& inputs, const Join& joined) {
    Values output = inputs[0];
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      if (output.mask.empty()) output.mask = inputs[i].mask;
      for (std::size_t r = 0; r < output.rows.size(); ++r) {
        for (std::size_t k = 0; k < output.rows[r].size(); ++k)
          output.rows[r][k] = joined(output.rows[r][k], inputs[i].rows[r][k]);
      }
    }
    return output;
  }
  Values on(const Add&, const std::vector<Values>& inputs) {
    return join(inputs, [](double a, double b) { return a + b; });
  }
  Values on(const Multiply&, const std::vector<Values>& inputs) {
    return join(inputs, [](double a, double b) { return a * b; });
  }
  Values on(const Concatenate&, const std::vector<Values>& inputs) {
    Values output{inputs[0].shape, {}, {}};
    output.shape.back() = 0;
    for (const Values& input : inputs) {
      output.shape.back() += input.last();
      if (output.mask.empty()) output.mask = input.mask;
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
  Values on(const BatchNormalization& layer, const std::vector<Values>& inputs) {
    Values output = inputs[0];
    for (std::size_t c = 0; c < output.last(); ++c) {
      double mean = weight("moving_mean", c), variance = weight("moving_variance", c);
      if (training_) {
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
          if (layer.scale) row[i] *= weight("gamma", c);
          if (layer.center) row[i] += weight("beta", c);
        }
      }
    }
    return output;
  }
  template <class Layer>
  Values normalize(const Layer& layer, Values values, std::size_t groups, bool by_position) {
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
        if (layer.scale) row[i] *= weight("gamma", i % channels);
        if (layer.center) row[i] += weight("beta", i % channels);
      }
    }
    return values;
  }
  Values on(const LayerNormalization& layer, const std::vector<Values>& inputs) {
    return normalize(layer, inputs[0], 1, true);
  }
  Values on(const GroupNormalization& layer, const std::vector<Values>& inputs) {
    return normalize(layer, inputs[0], layer.groups == 0 ? inputs[0].last() : layer.groups, false);
  }
  Values on(const Embedding& layer, const std::vector<Values>& inputs) {
    Values output{inputs[0].shape, {}, {}};
    output.shape.push_back(layer.size);
    for (const Row& row : inputs[0].rows) {
      Row& to = output.rows.emplace_back();
      std::vector<bool> counts;
      for (const double token : row) {
        counts.push_back(token != 0);
        for (std::size_t i = 0; i < layer.size; ++i)
          to.push_back(weight("embeddings", static_cast<std::size_t>(token) * layer.size + i));
      }
      if (layer.mask_zero) output.mask.push_back(counts);
    }
    return output;
  }
  Values on(const PositionEmbedding& layer, const std::vector<Values>& inputs) {
    Values output = inputs[0];
    for (Row& row : output.rows) {
      for (std::size_t i = 0; i < row.size(); ++i)
        row[i] = (layer.adds ? row[i] : 0) + weight("embeddings", i);
    }
    return output;
  }

  // One cell's step: h, c become what they are behind x.
  void advance(const Recurrent& layer, const std::string& prefix, const Row& x, Row& h,
               Row& c) const {
    const std::size_t n = layer.units;
    const std::size_t gates =
        layer.cell == Recurrent::Cell::simple ? 1 : (layer.cell == Recurrent::Cell::lstm ? 4 : 3);
    const bool gru = layer.cell == Recurrent::Cell::gru;
    const auto bias = [&](std::size_t at) {
      return layer.use_bias ? weight(prefix + "bias", at) : 0;
    };
    const auto from_input = [&](std::size_t gate, std::size_t u) {
      double sum = bias(gate * n + u);
      for (std::size_t i = 0; i < x.size(); ++i)
        sum += x[i] * weight(prefix + "kernel", i * gates * n + gate * n + u);
      return sum;
    };
    const auto from_state = [&](std::size_t gate, std::size_t u) {
      double sum = gru ? bias(gates * n + gate * n + u) : 0;
      for (std::size_t i = 0; i < n; ++i)
        sum += h[i] * weight(prefix + "recurrent_kernel", i * gates * n + gate * n + u);
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
  Values walk(const Recurrent& layer, const std::string& prefix, const Values& input) const {
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
        if (input.mask.empty() || input.mask[r][t])
          advance(layer, prefix, {first, first + static_cast<std::ptrdiff_t>(features)}, h, c);
        if (layer.return_sequences || k + 1 == steps) to.insert(to.end(), h.begin(), h.end());
      }
    }
    return output;
  }
  Values on(const Recurrent& layer, const std::vector<Values>& inputs) {
    return walk(layer, "", inputs[0]);
  }
  Values on(const Bidirectional& layer, const std::vector<Values>& inputs) {
    Recurrent back = layer.layer;
    back.go_backwards = true;
    Values one = walk(layer.layer, "forward_", inputs[0]), two = walk(back, "backward_", inputs[0]);
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
        return on(Concatenate{}, {one, two});
      case Bidirectional::Merge::sum:
        return join({one, two}, [](double a, double b) { return a + b; });
      case Bidirectional::Merge::multiply:
        return join({one, two}, [](double a, double b) { return a * b; });
      case Bidirectional::Merge::average:
        return join({one, two}, [](double a, double b) { return (a + b) / 2; });
    }
    return one;
  }
  Values on(const MultiHeadAttention& layer, const std::vector<Values>& inputs) {
    const std::size_t heads = layer.heads, key_size = layer.key_size;
    const std::size_t value_size = layer.value_size == 0 ? key_size : layer.value_size;
    const auto named = [&](const std::string& name) { return layer.use_bias ? name : ""; };
    const Values q = product(inputs[0], heads * key_size, "query_kernel", named("query_bias"));
    const Values k = product(inputs.back(), heads * key_size, "key_kernel", named("key_bias"));
    const Values v = product(inputs[1], heads * value_size, "value_kernel", named("value_bias"));
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
            shares.push_back(hidden ? 0
                                    : std::exp(score / std::sqrt(static_cast<double>(key_size))));
            sum += shares.back();
          }
          for (std::size_t d = 0; d < value_size; ++d) {
            double value = 0;
            for (std::size_t j = 0; j < k.shape[0]; ++j) {
              if (sum > 0)
                value += shares[j] / sum * v.rows[r][j * v.last() + head * value_size + d];
            }
            to.push_back(value);
          }
        }
      }
    }
    const std::size_t outputs = layer.outputs == 0 ? inputs[0].last() : layer.outputs;
    return product(mixed, outputs, "output_kernel", named("output_bias"));
  }

  const GraphSpec& graph_;
  const tensor::ParameterLayout& layout_;
  std::span<const double> parameters_;
  bool training_ = false;
  std::string name_;
  std::map<std::string, Values> values_;
  std::vector<std::vector<bool>> mask_;
};

}  // namespace entente::engine
