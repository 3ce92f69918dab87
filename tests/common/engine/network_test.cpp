// SPDX-License-Identifier: Apache-2.0
#include "common/engine/network.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/common/engine/networks.hpp"

namespace entente::engine {
namespace {

std::string error_of(const Shape& input, const std::vector<LayerSpec>& layers) {
  const auto network = Network::compile(input, layers);
  if (network) return "accepted";
  BOOST_TEST((network.error().code == Errc::invalid_argument));
  return network.error().detail;
}

const LayerSpec head = dense("head", 3, Activation::softmax);

}  // namespace

BOOST_AUTO_TEST_SUITE(networks)

BOOST_AUTO_TEST_CASE(parameters_are_named_shaped_and_placed_as_keras_has_them) {
  const Network network = network_of({28, 28, 1}, cnn_layers());
  const auto& tensors = network.layout().tensors();
  BOOST_TEST_REQUIRE(tensors.size() == 8U);
  BOOST_TEST(tensors[0].name == "one/kernel");
  BOOST_TEST((tensors[0].shape == std::vector<std::uint64_t>{3, 3, 1, 16}));
  BOOST_TEST(tensors[1].name == "one/bias");
  BOOST_TEST(tensors[1].offset == 144U);
  BOOST_TEST((tensors[2].shape == std::vector<std::uint64_t>{3, 3, 16, 32}));
  BOOST_TEST((tensors[4].shape == std::vector<std::uint64_t>{1568, 64}));
  BOOST_TEST((tensors[7].shape == std::vector<std::uint64_t>{10}));
  BOOST_TEST(network.parameter_count() == 160U + 4640 + 1568 * 64 + 64 + 650);
  BOOST_TEST(network.output_count() == 10U);
  BOOST_TEST(network.input_count() == 784U);
}

BOOST_AUTO_TEST_CASE(the_fedavg_papers_network_has_its_1663370_parameters) {
  const std::vector<LayerSpec> layers{
      convolution("a", 32, {5, 5}, Padding::same, {1, 1}, Activation::relu),
      pooling({2, 2}, {2, 2}, Padding::valid),
      convolution("b", 64, {5, 5}, Padding::same, {1, 1}, Activation::relu),
      pooling({2, 2}, {2, 2}, Padding::valid),
      flatten(),
      dense("c", 512, Activation::relu),
      dense("d", 10, Activation::softmax)};
  BOOST_TEST(network_of({28, 28, 1}, layers).parameter_count() == 1'663'370U);
}

BOOST_AUTO_TEST_CASE(layers_that_do_not_fit_are_refused_with_name_need_and_what_they_get) {
  BOOST_TEST(error_of({8, 8, 1}, {head}) ==
             "layer 'head': softmax needs a row, or a sequence of rows, of at least 2 classes, but "
             "gets (8, 8, 3)");
  BOOST_TEST(error_of({64}, {convolution("c", 4, {3, 3}, Padding::same), flatten(), head}) ==
             "layer 'c': needs an image (height, width, channels), but gets (64)");
  BOOST_TEST(error_of({2, 8, 1}, {convolution("c", 4, {3, 3}, Padding::valid), flatten(), head}) ==
             "layer 'c': its kernel (3, 3, 1, 4) is larger than its input (2, 8, 1)");
  BOOST_TEST(error_of({2, 8, 1}, {pooling({3, 1}, {1, 1}, Padding::valid), flatten(), head}) ==
             "layer 'pool': its window is larger than its input (2, 8, 1)");
  BOOST_TEST(error_of({8, 8, 1}, {convolution("c", 4, {0, 3}, Padding::same), flatten(), head}) ==
             "layer 'c': kernel_size has 0; expected 1 to 4096");
  BOOST_TEST(error_of({8, 8, 1}, {convolution("c", 0, {3, 3}, Padding::same), flatten(), head}) ==
             "layer 'c': filters is 0; expected 1 to 16777216");
  BOOST_TEST(error_of({4}, {dense("d", 0), head}) ==
             "layer 'd': units is 0; expected 1 to 16777216");
  BOOST_TEST(error_of({4}, {dense("d", 1, Activation::softmax)}) ==
             "layer 'd': softmax needs a row, or a sequence of rows, of at least 2 classes, but "
             "gets (1)");
}

BOOST_AUTO_TEST_CASE(a_network_must_have_an_input_parameters_and_softmax_at_the_end) {
  BOOST_TEST(error_of({4}, {dense("d", 4)})
                 .find("the last layer ('d') must have the activation softmax") == 0U);
  BOOST_TEST(error_of({4}, {activation(Activation::softmax)}) ==
             "no layer has parameters: nothing to train");
  BOOST_TEST(error_of({4}, {}).find("the model has 0 layers") == 0U);
  BOOST_TEST(error_of({}, {head}).find("input shape ()") == 0U);
  BOOST_TEST(error_of({0}, {head}).find("input shape (0)") == 0U);
  BOOST_TEST(error_of({1, 2, 3, 4}, {head}).find("input shape (1, 2, 3, 4)") == 0U);
  BOOST_TEST(
      error_of({std::uint64_t{1} << 30, std::uint64_t{1} << 30, 1}, {head}).find("input shape") ==
      0U);
}

BOOST_AUTO_TEST_CASE(two_layers_of_one_name_are_refused) {
  BOOST_TEST(error_of({4}, {dense("d", 4), dense("d", 2, Activation::softmax)}).find("d/kernel") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_workspace_takes_is_known_before_it_is_made) {
  const Network network = network_of({28, 28, 1}, cnn_layers());
  const auto training = network.workspace_bytes(32, Purpose::training);
  const auto inference = network.workspace_bytes(32, Purpose::inference);
  BOOST_TEST(inference < training);
  BOOST_TEST(network.workspace_bytes(64, Purpose::training) > training);
  BOOST_TEST(training > 32U * (28 * 28 * 16 + 14 * 14 * 32) * 2 * sizeof(float));
  BOOST_TEST(training < 16U << 20U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
