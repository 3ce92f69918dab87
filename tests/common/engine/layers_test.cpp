// SPDX-License-Identifier: Apache-2.0
//
// Every layer of images, rows and graphs against its plain twin, and backward against differences.
#include "common/engine/network.hpp"

#include <boost/test/unit_test.hpp>

#include "common/engine/initial.hpp"
#include "tests/common/engine/checks.hpp"

namespace entente::engine {
namespace {

LayerSpec head(std::uint64_t classes = 3) {
  return dense("head", classes, Activation::softmax);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(layers)

BOOST_AUTO_TEST_CASE(each_activation_within_a_layer_and_as_a_layer_of_its_own) {
  std::uint64_t seed = 1;
  for (const Activation kind :
       {Activation::tanh, Activation::sigmoid, Activation::gelu, Activation::swish, Activation::elu,
        Activation::leaky_relu, Activation::softmax, Activation::relu, Activation::linear}) {
    check(graph_of({5}, {dense("a", 7, kind), dense("b", 19),
                         layer("act", ActivationLayer{kind, 0.3}), head()}),
          5, ++seed, "activation " + std::to_string(static_cast<int>(kind)));
  }
}

BOOST_AUTO_TEST_CASE(an_activation_other_than_relu_behind_a_convolution) {
  check(graph_of({5, 4, 2}, {convolution("a", 3, {3, 3}, Padding::same, {1, 1}, Activation::tanh),
                             convolution("b", 4, {3, 2}, Padding::same, {1, 1}, Activation::gelu),
                             flatten(), head()}),
        3, 20, "tanh and gelu of convolutions");
}

BOOST_AUTO_TEST_CASE(a_dense_layer_on_an_image_works_on_its_channels) {
  check(graph_of({3, 4, 2}, {dense("a", 5, Activation::relu), dense("b", 3), flatten(), head()}), 3,
        21, "dense on an image");
  check(graph_of({6, 7, 2}, {dense("a", 5, Activation::relu), dense("b", 3), flatten(), head()}),
        20, 22, "dense on an image, by row");
}

BOOST_AUTO_TEST_CASE(a_value_that_several_layers_read_gets_the_sum_of_their_gradients) {
  check(graph_of({6}, {dense("a", 5, Activation::tanh), layer("b", Dense{5}, {"a"}),
                       layer("c", Add{}, {"a", "b"}), layer("d", Multiply{}, {"c", "a", "c"}),
                       layer("e", Concatenate{}, {"d", "a"}), head()}),
        4, 30, "a graph of rows");
}

BOOST_AUTO_TEST_CASE(relu_behind_a_layer_that_others_read_leaves_that_layer_as_it_is) {
  check(graph_of({6}, {dense("a", 5), layer("r", ActivationLayer{Activation::relu}, {"a"}),
                       layer("s", Add{}, {"a", "r"}), head()}),
        4, 31, "relu beside");
}

BOOST_AUTO_TEST_CASE(skip_connections_around_convolutions_of_unlike_padding) {
  check(graph_of({6, 5, 2},
                 {convolution("a", 4, {3, 3}, Padding::same, {1, 1}, Activation::relu),
                  convolution("b", 4, {3, 3}, Padding::same), layer("add", Add{}, {"a", "b"}),
                  layer("relu", ActivationLayer{Activation::relu}),
                  convolution("c", 3, {2, 2}, Padding::valid, {2, 1}),
                  layer("cat", Concatenate{}, {"add", "relu"}),
                  layer("d", Conv2D{3, {2, 2}, {2, 1}}, {"cat"}), layer("both", Add{}, {"c", "d"}),
                  flatten(), head()}),
        3, 32, "skip connections");
}

BOOST_AUTO_TEST_CASE(several_inputs_lie_one_after_the_other_among_the_features) {
  const GraphSpec graph{
      {{"image", {4, 3, 2}}, {"row", {5}}, {"more", {2}}},
      {layer("a", Conv2D{3, {3, 3}, {1, 1}, Padding::same}, {"image"}), layer("b", Flatten{}),
       layer("c", Dense{4}, {"row"}), layer("d", Flatten{}, {"image"}),
       layer("e", Concatenate{}, {"b", "c", "more", "d"}), head()}};
  check(graph, 5, 33, "three inputs");
}

BOOST_AUTO_TEST_CASE(an_input_that_goes_to_a_layer_and_around_it) {
  check(graph_of({4}, {dense("a", 4), layer("b", Add{}, {"input", "a"}), head()}), 3, 34, "around");
}

BOOST_AUTO_TEST_CASE(reshape_and_permute_move_values_and_their_gradients) {
  check(
      graph_of({24}, {dense("a", 24), layer("r", Reshape{{2, 3, 4}}),
                      layer("p", Permute{{3, 1, 2}}), convolution("c", 3, {3, 2}, Padding::same),
                      layer("s", Reshape{{0, 6}}), layer("q", Permute{{2, 1}}), flatten(), head()}),
      3, 35, "reshape and permute");
  check(graph_of({2, 3, 4}, {layer("p", Permute{{2, 3, 1}}), layer("r", Reshape{{6, 0}}),
                             dense("a", 3), flatten(), head()}),
        2, 36, "before any parameter");
}

BOOST_AUTO_TEST_CASE(average_pooling_of_each_padding_and_stride) {
  std::uint64_t seed = 40;
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const auto& strides : {std::array<std::uint64_t, 2>{1, 1}, {2, 2}, {3, 2}}) {
      for (const auto& size : {std::array<std::uint64_t, 2>{2, 2}, {3, 1}}) {
        check(graph_of({6, 5, 2}, {convolution("a", 3, {3, 3}, Padding::same),
                                   layer("pool", AveragePooling2D{size, strides, padding}),
                                   flatten(), head()}),
              2, ++seed, std::string("average pooling"));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(global_pooling_of_images_and_sequences) {
  using Kind = GlobalPooling::Kind;
  std::uint64_t seed = 60;
  for (const Kind kind : {Kind::average, Kind::max}) {
    for (const bool keep : {false, true}) {
      check(graph_of({4, 5, 2}, {convolution("a", 6, {3, 3}, Padding::same),
                                 layer("pool", GlobalPooling{kind, 2, keep}), flatten(), head()}),
            3, ++seed, "global pooling of images");
      check(graph_of({7, 3}, {dense("a", 6), layer("pool", GlobalPooling{kind, 1, keep}), flatten(),
                              head()}),
            3, ++seed, "global pooling of sequences");
    }
  }
}

BOOST_AUTO_TEST_CASE(convolutions_and_pooling_along_a_sequence) {
  std::uint64_t seed = 70;
  for (const Padding padding : {Padding::valid, Padding::same, Padding::causal}) {
    for (const std::uint64_t stride : {1U, 2U}) {
      Conv1D first, second;
      first.filters = 4;
      first.kernel_size = 3;
      first.padding = padding;
      first.activation = Activation::relu;
      second = first;
      second.strides = stride;
      second.kernel_size = 2;
      second.activation = Activation::tanh;
      const Padding pooled = padding == Padding::causal ? Padding::same : padding;
      check(graph_of({11, 2}, {layer("a", first), layer("b", second),
                               layer("p", Pooling1D{Pooling1D::Kind::max, 2, 2, pooled}),
                               layer("q", Pooling1D{Pooling1D::Kind::average, 2, 1, pooled}),
                               flatten(), head()}),
            3, ++seed, std::string("along a sequence"));
    }
  }
}

BOOST_AUTO_TEST_CASE(depthwise_convolutions_of_each_padding_stride_and_multiplier) {
  std::uint64_t seed = 80;
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const auto& strides : {std::array<std::uint64_t, 2>{1, 1}, {2, 1}}) {
      for (const std::uint64_t multiplier : {1U, 2U}) {
        DepthwiseConv2D depthwise;
        depthwise.kernel_size = {3, 2};
        depthwise.strides = strides;
        depthwise.padding = padding;
        depthwise.depth_multiplier = multiplier;
        depthwise.activation = Activation::relu;
        check(
            graph_of({5, 6, 2}, {convolution("a", 3, {3, 3}, Padding::same), layer("b", depthwise),
                                 convolution("c", 2, {1, 1}, Padding::same), flatten(), head()}),
            3, ++seed, std::string("depthwise"));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(normalisation_of_layers_and_groups) {
  LayerNormalization bare;
  bare.center = bare.scale = false;
  check(graph_of({7}, {dense("a", 21), layer("n", LayerNormalization{}), head()}), 5, 90, "rows");
  check(graph_of({6, 4}, {layer("n", LayerNormalization{}), dense("a", 5), layer("m", bare),
                          flatten(), head()}),
        5, 91, "sequences");
  for (const std::uint64_t groups : {1U, 2U, 6U, 0U}) {
    GroupNormalization group;
    group.groups = groups;
    check(graph_of({4, 3, 2}, {convolution("a", 6, {3, 3}, Padding::same), layer("n", group),
                               convolution("b", 2, {3, 3}, Padding::same), flatten(), head()}),
          4, 92 + groups, "groups " + std::to_string(groups));
  }
}

BOOST_AUTO_TEST_CASE(batch_normalisation_takes_the_statistics_of_the_whole_batch) {
  BatchNormalization bare;
  bare.center = bare.scale = false;
  for (const std::size_t rows : {2U, 5U, 37U}) {
    check(graph_of({4}, {layer("first", bare), dense("a", 5), layer("n", BatchNormalization{}),
                         layer("r", ActivationLayer{Activation::tanh}), dense("b", 4),
                         layer("m", BatchNormalization{}), head()}),
          rows, 100 + rows, "rows " + std::to_string(rows));
  }
  check(graph_of({4, 3, 2},
                 {convolution("a", 3, {3, 3}, Padding::same), layer("n", BatchNormalization{}),
                  layer("r", ActivationLayer{Activation::relu}),
                  convolution("b", 3, {3, 3}, Padding::same), layer("m", BatchNormalization{}),
                  layer("s", Add{}, {"r", "m"}), flatten(), head()}),
        3, 110, "a block of a residual network");
}

BOOST_AUTO_TEST_CASE(layers_without_a_bias) {
  Dense rows;
  rows.units = 4;
  Conv2D image{3, {2, 3}, {2, 1}, Padding::same};
  Conv1D line{3, 2, 2};
  DepthwiseConv2D each{{2, 2}, {1, 1}, Padding::same, 2};
  rows.use_bias = image.use_bias = line.use_bias = each.use_bias = false;
  check(graph_of({5, 4, 2},
                 {layer("a", image), layer("b", each), layer("c", Conv2D{2, {2, 2}, {1, 1}}),
                  flatten(), layer("d", rows), head()}),
        3, 130, "images");
  check(graph_of({7, 2}, {layer("a", rows), layer("b", line), flatten(), head()}), 3, 131,
        "sequences");
}

BOOST_AUTO_TEST_CASE(normalisations_that_only_shift_or_only_scale) {
  std::uint64_t seed = 140;
  for (const bool shifts : {false, true}) {
    BatchNormalization batch;
    LayerNormalization line;
    GroupNormalization group;
    group.groups = 2;
    batch.center = line.center = group.center = shifts;
    batch.scale = line.scale = group.scale = !shifts;
    check(graph_of({3, 4, 2}, {convolution("a", 4, {2, 2}, Padding::same), layer("b", batch),
                               layer("c", ActivationLayer{Activation::tanh}), layer("d", group),
                               layer("e", ActivationLayer{Activation::tanh}), layer("f", line),
                               flatten(), head()}),
          5, ++seed, shifts ? "only shifted" : "only scaled");
  }
}

BOOST_AUTO_TEST_CASE(
    the_moving_statistics_have_no_gradient_and_take_their_next_values_by_themselves) {
  BatchNormalization layer_of;
  layer_of.momentum = 0.75;
  const Network network = Network::compile(graph_of({2}, {layer("n", layer_of), head()})).value();
  BOOST_TEST(network.layout().tensors()[2].name == "n/moving_mean");
  BOOST_TEST(network.layout().tensors()[3].name == "n/moving_variance");
  std::vector<float> parameters(network.parameter_count()), gradient(parameters.size(), 9.0F);
  initial_values(network, 1, 0, parameters);
  BOOST_TEST(parameters[4] == 0.0F);
  BOOST_TEST(parameters[6] == 1.0F);
  Workspace workspace = network.make_workspace(4, Purpose::training);
  const std::vector<float> features{1, 10, 2, 20, 3, 30, 6, 60};
  const std::vector<std::uint32_t> labels{0, 1, 2, 0};
  network.loss_and_gradient(parameters, {features, labels}, gradient, workspace).value();
  for (std::size_t i = 4; i < 8; ++i) BOOST_TEST(gradient[i] == 0.0F);
  for (std::size_t i = 4; i < 8; ++i) parameters[i] *= 0.5F;  // an optimiser's weight decay
  network.write_state(parameters, workspace);
  BOOST_TEST(parameters[4] == 0.25F * 3.0F, boost::test_tools::tolerance(1e-6F));
  BOOST_TEST(parameters[5] == 0.25F * 30.0F, boost::test_tools::tolerance(1e-6F));
  BOOST_TEST(parameters[6] == 0.75F + 0.25F * 3.5F, boost::test_tools::tolerance(1e-6F));
  BOOST_TEST(parameters[7] == 0.75F + 0.25F * 350.0F, boost::test_tools::tolerance(1e-6F));
}

BOOST_AUTO_TEST_CASE(dropout_keeps_its_share_scales_the_rest_and_differs_by_seed_and_layer) {
  const GraphSpec graph =
      graph_of({50}, {dense("a", 60), layer("x", Dropout{0.25}), dense("b", 60, Activation::tanh),
                      layer("y", Dropout{0.5}), head()});
  const double worst = worst_gradient(graph, 3, 120);
  BOOST_TEST(worst < 1e-6);
  const Network network = Network::compile(graph).value();
  const auto parameters = random_values<float>(network.parameter_count(), 1);
  const auto features = random_values<float>(40 * 50, 1);
  const auto labels = random_labels(40, 3, 1);
  const auto loss_of = [&](std::uint64_t seed, std::size_t threads) {
    const Threads set(threads);
    Workspace workspace = network.make_workspace(40, Purpose::training);
    std::vector<float> gradient(parameters.size());
    return network.loss_and_gradient(parameters, {features, labels, seed}, gradient, workspace)
        .value();
  };
  BOOST_TEST(loss_of(1, 1) == loss_of(1, 3));
  BOOST_TEST(loss_of(1, 1) != loss_of(2, 1));
}

// A model whose every logit is the number of values that were kept.
BOOST_AUTO_TEST_CASE(a_prediction_drops_nothing_and_a_step_drops_the_rate) {
  const GraphSpec graph = graph_of({4000}, {layer("x", Dropout{0.3}), head(2)});
  const Network network = Network::compile(graph).value();
  std::vector<float> parameters(network.parameter_count()), gradient(parameters.size());
  const std::vector<float> features(4000, 1.0F);
  const std::vector<std::uint32_t> labels{0};
  Workspace workspace = network.make_workspace(1, Purpose::training);
  network.loss_and_gradient(parameters, {features, labels, 5}, gradient, workspace).value();
  std::size_t dropped = 0;
  for (std::size_t i = 0; i < 4000; ++i) {
    if (gradient[2 * i] == 0.0F) {
      ++dropped;
    } else {
      BOOST_TEST(gradient[2 * i] == -0.5F / 0.7F, boost::test_tools::tolerance(1e-5F));
    }
  }
  BOOST_TEST(dropped > 1100U);
  BOOST_TEST(dropped < 1300U);
}

BOOST_AUTO_TEST_CASE(graphs_that_do_not_hold_together_are_refused_by_name) {
  const auto error_of = [](const GraphSpec& graph) {
    const auto network = Network::compile(graph);
    BOOST_TEST_REQUIRE(!network.has_value());
    return network.error().detail;
  };
  BOOST_TEST(error_of(graph_of({4}, {layer("a", Dense{3}, {"b"}), head()})) ==
             "layer 'a': reads 'b', which is no input or layer before it");
  BOOST_TEST(error_of(graph_of({4}, {dense("a", 3), layer("b", Dense{3}, {"input"}), head()})) ==
             "layer 'a': leads nowhere: no layer reads it, and it is not the last");
  BOOST_TEST(error_of({{{"one", {4}}, {"two", {4}}},
                       {layer("h", Dense{2, Activation::softmax}, {"one"})}}) ==
             "input 'two' leads nowhere: no layer reads it");
  BOOST_TEST(error_of(graph_of({4}, {dense("a", 3), layer("b", Add{}, {"input", "a"}), head()})) ==
             "layer 'b': needs inputs of one shape, but gets (4) and (3)");
  BOOST_TEST(error_of(graph_of({4}, {layer("b", Add{}), head()})) ==
             "layer 'b': reads 1 values; expected at least 2");
  BOOST_TEST(error_of(graph_of({4}, {layer("b", Reshape{{3, 0}}), head()})) ==
             "layer 'b': cannot make (3, 0) of (4): the numbers of values differ");
  BOOST_TEST(error_of(graph_of({4, 2}, {layer("b", Permute{{1, 1}}), head()})) ==
             "layer 'b': dims is (1, 1); expected each axis of (4, 2) once, from 1");
  BOOST_TEST(error_of(graph_of({4}, {layer("b", Dropout{1.0}), head()})).find("rate is 1.0") !=
             std::string::npos);
  BOOST_TEST(error_of(graph_of({4, 4, 6}, {layer("b", GroupNormalization{4}), head()})) ==
             "layer 'b': 4 groups do not divide the 6 channels of (4, 4, 6)");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
