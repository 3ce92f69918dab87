// SPDX-License-Identifier: Apache-2.0
//
// Layers' outputs against plain loops over their definitions, in float64 and, more loosely, in
// float32 on each instruction set. The network ends in softmax, so its probabilities are compared.
#include "common/engine/network.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "tests/common/engine/networks.hpp"

namespace entente::engine {
namespace {

struct Image {
  std::size_t height, width, channels;
  std::vector<double> values;
  double at(std::ptrdiff_t y, std::ptrdiff_t x, std::size_t c, double outside) const {
    const bool inside = y >= 0 && x >= 0 && y < static_cast<std::ptrdiff_t>(height) &&
                        x < static_cast<std::ptrdiff_t>(width);
    return inside ? values[(static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x)) *
                               channels +
                           c]
                  : outside;
  }
};

// Keras' rule: the output's size, and the padding before the input.
struct Slide {
  std::size_t output;
  std::ptrdiff_t before;
};
Slide slide(std::size_t input, std::size_t window, std::size_t stride, Padding padding) {
  if (padding == Padding::valid) return {(input - window) / stride + 1, 0};
  const std::size_t output = (input + stride - 1) / stride;
  const auto total = static_cast<std::ptrdiff_t>((output - 1) * stride + window) -
                     static_cast<std::ptrdiff_t>(input);
  return {output, std::max<std::ptrdiff_t>(total, 0) / 2};
}

// Calls each(y, x) for every pixel of the output with the input coordinates of its window's corner.
Image convolve(const Image& input, const Conv2D& layer, std::span<const double> parameters) {
  const Slide y = slide(input.height, layer.kernel_size[0], layer.strides[0], layer.padding);
  const Slide x = slide(input.width, layer.kernel_size[1], layer.strides[1], layer.padding);
  Image output{y.output, x.output, layer.filters, {}};
  const std::size_t kernel_count =
      layer.kernel_size[0] * layer.kernel_size[1] * input.channels * layer.filters;
  for (std::size_t oy = 0; oy < y.output; ++oy) {
    for (std::size_t ox = 0; ox < x.output; ++ox) {
      for (std::size_t f = 0; f < layer.filters; ++f) {
        double sum = parameters[kernel_count + f];
        for (std::size_t ky = 0; ky < layer.kernel_size[0]; ++ky) {
          for (std::size_t kx = 0; kx < layer.kernel_size[1]; ++kx) {
            for (std::size_t c = 0; c < input.channels; ++c) {
              const auto iy = static_cast<std::ptrdiff_t>(oy * layer.strides[0] + ky) - y.before;
              const auto ix = static_cast<std::ptrdiff_t>(ox * layer.strides[1] + kx) - x.before;
              const std::size_t at =
                  ((ky * layer.kernel_size[1] + kx) * input.channels + c) * layer.filters + f;
              sum += input.at(iy, ix, c, 0.0) * parameters[at];
            }
          }
        }
        output.values.push_back(layer.activation == Activation::relu ? std::max(sum, 0.0) : sum);
      }
    }
  }
  return output;
}

Image pool(const Image& input, const MaxPooling2D& layer) {
  const Slide y = slide(input.height, layer.pool_size[0], layer.strides[0], layer.padding);
  const Slide x = slide(input.width, layer.pool_size[1], layer.strides[1], layer.padding);
  Image output{y.output, x.output, input.channels, {}};
  for (std::size_t oy = 0; oy < y.output; ++oy) {
    for (std::size_t ox = 0; ox < x.output; ++ox) {
      for (std::size_t c = 0; c < input.channels; ++c) {
        double greatest = -std::numeric_limits<double>::infinity();
        for (std::size_t ky = 0; ky < layer.pool_size[0]; ++ky) {
          for (std::size_t kx = 0; kx < layer.pool_size[1]; ++kx) {
            const auto iy = static_cast<std::ptrdiff_t>(oy * layer.strides[0] + ky) - y.before;
            const auto ix = static_cast<std::ptrdiff_t>(ox * layer.strides[1] + kx) - x.before;
            greatest = std::max(greatest, input.at(iy, ix, c, greatest));
          }
        }
        output.values.push_back(greatest);
      }
    }
  }
  return output;
}

std::vector<double> softmax(const std::vector<double>& logits) {
  const double greatest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> result;
  double sum = 0;
  for (const double logit : logits) sum += result.emplace_back(std::exp(logit - greatest));
  for (double& value : result) value /= sum;
  return result;
}

double worst_difference(std::span<const double> expected, auto&& seen) {
  BOOST_TEST_REQUIRE(expected.size() == seen.size());
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::abs(expected[i] - static_cast<double>(seen[i])));
  }
  return worst;
}

// The network's probabilities for `features`, in each precision and instruction set, against
// `expected`.
void compare(const Shape& input, const std::vector<LayerSpec>& layers,
             const std::vector<double>& parameters, const std::vector<double>& features,
             const std::vector<double>& expected, const std::string& what) {
  const Network network = network_of(input, layers);
  Workspace64 workspace64 = network.make_workspace64(2, Purpose::inference);
  std::vector<double> probabilities(expected.size());
  network.predict(parameters, features, probabilities, workspace64).value();
  BOOST_TEST(worst_difference(expected, probabilities) < 1e-13, what);
  const std::vector<float> parameters32(parameters.begin(), parameters.end());
  const std::vector<float> features32(features.begin(), features.end());
  for (const Isa isa : supported_isas()) {
    const Network of_isa = network_of(input, layers, isa);
    Workspace workspace = of_isa.make_workspace(2, Purpose::inference);
    std::vector<float> probabilities32(expected.size());
    of_isa.predict(parameters32, features32, probabilities32, workspace).value();
    BOOST_TEST(worst_difference(expected, probabilities32) < 1e-5,
               what << " on " << to_string(isa));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(plain_twins)

BOOST_AUTO_TEST_CASE(a_dense_layer_is_a_product_and_a_bias) {
  const std::vector<LayerSpec> layers{dense("d", 11, Activation::softmax)};
  const auto parameters = random_values<double>(5 * 11 + 11, 1),
             features = random_values<double>(3 * 5, 2);
  std::vector<double> expected;
  for (std::size_t row = 0; row < 3; ++row) {
    std::vector<double> logits(parameters.begin() + 55, parameters.end());
    for (std::size_t i = 0; i < 5; ++i) {
      for (std::size_t j = 0; j < 11; ++j)
        logits[j] += features[row * 5 + i] * parameters[i * 11 + j];
    }
    const auto p = softmax(logits);
    expected.insert(expected.end(), p.begin(), p.end());
  }
  compare({5}, layers, parameters, features, expected, "dense");
}

BOOST_AUTO_TEST_CASE(a_convolution_is_its_sum_over_taps_for_each_padding_stride_and_kernel) {
  std::uint64_t seed = 0;
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const auto& strides : {std::array<std::uint64_t, 2>{1, 1}, {2, 1}, {2, 3}}) {
      for (const auto& size : {std::array<std::uint64_t, 2>{1, 1}, {3, 3}, {5, 2}, {2, 5}}) {
        for (const std::size_t filters : {3U, 16U, 40U}) {
          const LayerSpec spec =
              convolution("c", filters, size, padding, strides, Activation::relu);
          const auto& layer = std::get<Conv2D>(spec.kind);
          const auto parameters =
              random_values<double>(size[0] * size[1] * 4 * filters + filters, ++seed);
          const Image image{9, 8, 4, random_values<double>(9 * 8 * 4, seed + 1000)};
          const auto expected = softmax(convolve(image, layer, parameters).values);
          compare({9, 8, 4}, {spec, flatten(), activation(Activation::softmax)}, parameters,
                  image.values, expected, "convolution " + std::to_string(seed));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(pooling_is_the_maximum_of_its_window_for_each_padding_stride_and_size) {
  std::uint64_t seed = 0;
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const auto& strides : {std::array<std::uint64_t, 2>{1, 1}, {2, 2}, {3, 2}}) {
      for (const auto& size : {std::array<std::uint64_t, 2>{1, 1}, {2, 2}, {3, 2}}) {
        const LayerSpec first = convolution("c", 19, {1, 1}, Padding::valid);
        const LayerSpec second = pooling(size, strides, padding);
        const auto parameters = random_values<double>(2 * 19 + 19, ++seed);
        const Image image{7, 6, 2, random_values<double>(7 * 6 * 2, seed + 1000)};
        const Image between = convolve(image, std::get<Conv2D>(first.kind), parameters);
        const auto expected = softmax(pool(between, std::get<MaxPooling2D>(second.kind)).values);
        compare({7, 6, 2}, {first, second, flatten(), activation(Activation::softmax)}, parameters,
                image.values, expected, "pooling " + std::to_string(seed));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
