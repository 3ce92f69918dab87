// SPDX-License-Identifier: Apache-2.0
//
// The twin's convolutions and pooling.
#pragma once

#include <array>
#include <limits>
#include <tuple>
#include <utility>

#include "tests/common/engine/twin_values.hpp"

namespace entente::engine::twin {

// A window over one image: the sizes, and where it begins for each output.
struct Window {
  std::size_t height, width, channels, out_height, out_width;
  std::ptrdiff_t top, left;
  std::array<std::uint64_t, 2> size, strides;
};
inline std::pair<std::size_t, std::ptrdiff_t> slide(std::size_t input, std::size_t window,
                                                    std::size_t stride, Padding padding) {
  if (padding == Padding::valid) return {(input - window) / stride + 1, 0};
  const std::size_t output = (input + stride - 1) / stride;
  if (padding == Padding::causal) return {output, static_cast<std::ptrdiff_t>(window) - 1};
  const auto total = static_cast<std::ptrdiff_t>((output - 1) * stride + window) -
                     static_cast<std::ptrdiff_t>(input);
  return {output, std::max<std::ptrdiff_t>(total, 0) / 2};
}
inline Window window_of(const Shape& shape, std::array<std::uint64_t, 2> size,
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
inline Values through(const Values& input, const Window& w, std::size_t outputs, const Each& each) {
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
inline Values convolve(const Context& of, const Values& input, const Window& w, std::size_t filters,
                       bool bias) {
  return through(input, w, filters, [&](const Row& row, std::size_t f, const auto& taps) {
    double sum = bias ? of.weight("bias", f) : 0;
    taps([&](std::size_t tap, std::size_t pixel) {
      for (std::size_t c = 0; c < w.channels; ++c)
        sum += row[pixel + c] * of.weight("kernel", (tap * w.channels + c) * filters + f);
    });
    return sum;
  });
}
inline Values pool(const Values& input, const Window& w, bool average) {
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
inline Values on(const Context& of, const Conv2D& layer, const std::vector<Values>& inputs) {
  const Window w = window_of(inputs[0].shape, layer.kernel_size, layer.strides, layer.padding);
  return activate(convolve(of, inputs[0], w, layer.filters, layer.use_bias), layer.activation);
}
inline Values on(const Context& of, const Conv1D& layer, const std::vector<Values>& inputs) {
  const Window w =
      window_of(inputs[0].shape, {1, layer.kernel_size}, {1, layer.strides}, layer.padding);
  return activate(convolve(of, inputs[0], w, layer.filters, layer.use_bias), layer.activation);
}
inline Values on(const Context& of, const DepthwiseConv2D& layer,
                 const std::vector<Values>& inputs) {
  const Window w = window_of(inputs[0].shape, layer.kernel_size, layer.strides, layer.padding);
  const std::size_t m = layer.depth_multiplier, outputs = w.channels * m;
  return activate(through(inputs[0], w, outputs,
                          [&](const Row& row, std::size_t f, const auto& taps) {
                            double sum = layer.use_bias ? of.weight("bias", f) : 0;
                            taps([&](std::size_t tap, std::size_t pixel) {
                              sum += row[pixel + f / m] * of.weight("kernel", tap * outputs + f);
                            });
                            return sum;
                          }),
                  layer.activation);
}
inline Values on(const Context&, const MaxPooling2D& layer, const std::vector<Values>& inputs) {
  return pool(inputs[0], window_of(inputs[0].shape, layer.pool_size, layer.strides, layer.padding),
              false);
}
inline Values on(const Context&, const AveragePooling2D& layer, const std::vector<Values>& inputs) {
  return pool(inputs[0], window_of(inputs[0].shape, layer.pool_size, layer.strides, layer.padding),
              true);
}
inline Values on(const Context&, const Pooling1D& layer, const std::vector<Values>& inputs) {
  return pool(inputs[0],
              window_of(inputs[0].shape, {1, layer.pool_size}, {1, layer.strides}, layer.padding),
              layer.kind == Pooling1D::Kind::average);
}
inline Values on(const Context&, const GlobalPooling& layer, const std::vector<Values>& inputs) {
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

}  // namespace entente::engine::twin
