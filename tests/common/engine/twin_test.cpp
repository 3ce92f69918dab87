// SPDX-License-Identifier: Apache-2.0
//
// Layers' outputs against plain loops over their definitions, in float64 and, more loosely, in
// float32 on each instruction set. The network ends in softmax, so its probabilities are compared.
#include "common/engine/network.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/common/engine/checks.hpp"

namespace entente::engine {

BOOST_AUTO_TEST_SUITE(plain_twins)

BOOST_AUTO_TEST_CASE(a_dense_layer_is_a_product_and_a_bias) {
  check_against_twin(graph_of({5}, {dense("d", 11, Activation::softmax)}), 3, 1, "dense");
}

BOOST_AUTO_TEST_CASE(a_convolution_is_its_sum_over_taps_for_each_padding_stride_and_kernel) {
  std::uint64_t seed = 0;
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const auto& strides : {std::array<std::uint64_t, 2>{1, 1}, {2, 1}, {2, 3}}) {
      for (const auto& size : {std::array<std::uint64_t, 2>{1, 1}, {3, 3}, {5, 2}, {2, 5}}) {
        for (const std::size_t filters : {3U, 16U, 40U}) {
          check_against_twin(graph_of({9, 8, 4}, {convolution("c", filters, size, padding, strides,
                                                              Activation::relu),
                                                  flatten(), activation(Activation::softmax)}),
                             1, ++seed, std::string("convolution"));
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
        check_against_twin(graph_of({7, 6, 2}, {convolution("c", 19, {1, 1}, Padding::valid),
                                                pooling(size, strides, padding), flatten(),
                                                activation(Activation::softmax)}),
                           1, ++seed, std::string("pooling"));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
