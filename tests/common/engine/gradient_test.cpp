// SPDX-License-Identifier: Apache-2.0
//
// Backward against differences of the loss, in float64: the same code that trains in float32.
#include "common/engine/network.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/common/engine/checks.hpp"

namespace entente::engine {
namespace {

double worst_difference(const Shape& input, const std::vector<LayerSpec>& layers, std::size_t rows,
                        std::uint64_t seed) {
  return worst_gradient(graph_of(input, layers), rows, seed);
}

constexpr double tolerance = 1e-6;

}  // namespace

BOOST_AUTO_TEST_SUITE(gradients)

BOOST_AUTO_TEST_CASE(softmax_and_cross_entropy_over_a_dense_layer) {
  BOOST_TEST(worst_difference({7}, {dense("d", 5, Activation::softmax)}, 6, 1) < tolerance);
}

BOOST_AUTO_TEST_CASE(two_classes_and_a_batch_of_one) {
  BOOST_TEST(worst_difference({3}, {dense("d", 2, Activation::softmax)}, 1, 2) < tolerance);
}

BOOST_AUTO_TEST_CASE(dense_layers_with_relu_as_activation_and_as_layer) {
  BOOST_TEST(worst_difference(
                 {9},
                 {dense("a", 20, Activation::relu), dense("b", 17), activation(Activation::relu),
                  dense("c", 4), activation(Activation::softmax)},
                 21, 3) < tolerance);
}

BOOST_AUTO_TEST_CASE(dense_without_a_bias) {
  Dense layer;
  layer.units = 6;
  layer.use_bias = false;
  BOOST_TEST(worst_difference({5}, {{"a", layer}, dense("b", 3, Activation::softmax)}, 4, 4) <
             tolerance);
}

BOOST_AUTO_TEST_CASE(dense_of_a_flattened_image) {
  BOOST_TEST(worst_difference({3, 4}, {flatten(), dense("d", 3, Activation::softmax)}, 5, 5) <
             tolerance);
}

BOOST_AUTO_TEST_CASE(one_convolution_of_each_padding_and_stride) {
  std::uint64_t seed = 10;
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const auto& strides : {std::array<std::uint64_t, 2>{1, 1}, {2, 2}, {1, 3}, {3, 2}}) {
      for (const auto& size : {std::array<std::uint64_t, 2>{3, 3}, {2, 4}, {1, 1}, {5, 2}}) {
        const double worst =
            worst_difference({6, 7, 3},
                             {convolution("a", 4, size, padding, strides, Activation::relu),
                              flatten(), dense("d", 3, Activation::softmax)},
                             3, ++seed);
        BOOST_TEST(worst < tolerance, "padding " << (padding == Padding::same) << " strides "
                                                 << strides[0] << strides[1] << " kernel "
                                                 << size[0] << size[1] << ": " << worst);
      }
    }
  }
}

// The input's gradient, which a first layer has no use for.
BOOST_AUTO_TEST_CASE(a_convolution_behind_another_of_each_padding_and_stride) {
  std::uint64_t seed = 50;
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const auto& strides : {std::array<std::uint64_t, 2>{1, 1}, {2, 2}, {1, 3}, {3, 2}}) {
      for (const auto& size : {std::array<std::uint64_t, 2>{3, 3}, {2, 4}, {1, 1}, {5, 2}}) {
        const double worst =
            worst_difference({6, 7, 1},
                             {convolution("a", 3, {2, 2}, Padding::same, {1, 1}, Activation::relu),
                              convolution("b", 4, size, padding, strides), flatten(),
                              dense("d", 3, Activation::softmax)},
                             2, ++seed);
        BOOST_TEST(worst < tolerance, "padding " << (padding == Padding::same) << " strides "
                                                 << strides[0] << strides[1] << " kernel "
                                                 << size[0] << size[1] << ": " << worst);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(pooling_of_each_padding_with_windows_apart_and_overlapping) {
  std::uint64_t seed = 100;
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const auto& strides : {std::array<std::uint64_t, 2>{1, 1}, {2, 2}, {3, 2}}) {
      for (const auto& size : {std::array<std::uint64_t, 2>{2, 2}, {3, 3}, {1, 2}}) {
        const double worst = worst_difference(
            {7, 6, 1},
            {convolution("a", 5, {3, 3}, Padding::same), pooling(size, strides, padding), flatten(),
             dense("d", 3, Activation::softmax)},
            2, ++seed);
        BOOST_TEST(worst < tolerance, "padding " << (padding == Padding::same) << " strides "
                                                 << strides[0] << strides[1] << " window "
                                                 << size[0] << size[1] << ": " << worst);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(pooling_and_relu_before_any_parameter) {
  BOOST_TEST(
      worst_difference({6, 6, 2},
                       {activation(Activation::relu), pooling({2, 2}, {2, 2}, Padding::valid),
                        convolution("a", 3, {3, 3}, Padding::same), activation(Activation::relu),
                        flatten(), dense("d", 3, Activation::softmax)},
                       3, 200) < tolerance);
}

BOOST_AUTO_TEST_CASE(relu_behind_pooling) {
  BOOST_TEST(
      worst_difference(
          {6, 6, 2},
          {convolution("a", 3, {3, 3}, Padding::same), pooling({2, 2}, {2, 2}, Padding::valid),
           activation(Activation::relu), convolution("b", 2, {2, 2}, Padding::valid, {2, 1}),
           flatten(), dense("d", 3, Activation::softmax)},
          3, 201) < tolerance);
}

BOOST_AUTO_TEST_CASE(a_convolution_that_ends_in_softmax) {
  BOOST_TEST(worst_difference({4, 4, 2},
                              {convolution("a", 3, {3, 3}, Padding::same),
                               convolution("b", 5, {4, 4}, Padding::valid), flatten(),
                               activation(Activation::softmax)},
                              3, 202) < tolerance);
}

// More rows than a block, than a product's rows and than the parts of a convolution's sum.
BOOST_AUTO_TEST_CASE(a_batch_of_many_blocks) {
  BOOST_TEST(worst_difference(
                 {4, 4, 1},
                 {convolution("a", 2, {3, 3}, Padding::same, {1, 1}, Activation::relu),
                  convolution("b", 2, {3, 3}, Padding::same, {1, 1}, Activation::relu), flatten(),
                  dense("c", 6, Activation::relu), dense("d", 3, Activation::softmax)},
                 70, 203) < tolerance);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
